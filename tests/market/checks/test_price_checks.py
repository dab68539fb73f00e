from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import select

from market.conftest import END, SYMBOLS
from roi_forecast.database.tables import price_checks
from roi_forecast.errors import PriceCheckError, SourceError
from roi_forecast.market.checks.check_results import CheckResult
from roi_forecast.market.checks.price_checks import check_prices, usable_symbols
from roi_forecast.market.checks.series_checks import MAX_STALE_SESSIONS
from roi_forecast.market.extraction import extract_prices
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.market.store import upsert_bars

NOW = datetime(2024, 12, 31, 12, 0, tzinfo=UTC)


def extract_all(engine, run, source):
    for symbol in run.extraction_symbols:
        try:
            extract_prices(engine, run, symbol, source, now=NOW)
        except SourceError:
            continue


def failures(report, symbol: str) -> list[CheckResult]:
    return [r for r in report.results if r.symbol == symbol and not r.passed]


def usable(engine, run) -> tuple[str, ...]:
    with engine.connect() as connection:
        return usable_symbols(connection, run.run_id)


def test_check_passes_sound_prices_in_the_runs_order(market_engine, make_run, yahoo):
    run = make_run(symbols=("GC=F", "TCS.NS", "RELIANCE.NS"))
    extract_all(market_engine, run, yahoo)
    report = check_prices(market_engine, run)
    assert report.usable == ("GC=F", "TCS.NS", "RELIANCE.NS")
    assert report.missing == {}
    assert usable(market_engine, run) == report.usable
    assert all(result.passed for result in report.results)


def test_check_again_replaces_the_verdicts(market_engine, make_run, yahoo):
    run = make_run()
    extract_all(market_engine, run, yahoo)
    check_prices(market_engine, run)
    report = check_prices(market_engine, run)
    with market_engine.connect() as connection:
        rows = connection.execute(select(price_checks)).all()
    assert len(rows) == len(report.results)
    assert usable(market_engine, run) == SYMBOLS


def test_check_leaves_out_and_names_an_asset_that_never_had_prices(
    market_engine, make_run, yahoo, server
):
    server.break_symbol("TCS.NS", "unknown")
    run = make_run(quorum=0.75)
    extract_all(market_engine, run, yahoo)
    report = check_prices(market_engine, run)
    assert report.usable == ("RELIANCE.NS", "INFY.NS", "GC=F")
    assert usable(market_engine, run) == report.usable
    assert "Yahoo does not know the symbol" in report.missing["TCS.NS"]
    assert "0 bars" in report.missing["TCS.NS"]


def test_check_stops_the_run_and_keeps_the_verdicts_when_the_quorum_is_missed(
    market_engine, make_run, yahoo, server
):
    server.break_symbol("TCS.NS", "unknown")
    server.break_symbol("GC=F", "no_adjusted_close")
    run = make_run(quorum=0.75)
    extract_all(market_engine, run, yahoo)
    with pytest.raises(PriceCheckError, match=r"2 of 4 assets.*quorum is 75 %") as raised:
        check_prices(market_engine, run)
    assert "TCS.NS: Yahoo does not know the symbol" in str(raised.value)
    assert "GC=F: Yahoo's answer has no adjusted close" in str(raised.value)
    with market_engine.connect() as connection:
        stopped = connection.execute(
            select(price_checks).where(price_checks.c.check_name == "quorum")
        ).one()
    assert (stopped.passed, stopped.observed, stopped.allowed) == (False, 0.5, 0.75)
    assert usable(market_engine, run) == ("RELIANCE.NS", "INFY.NS")


def test_missed_quorum_names_three_assets_and_where_the_others_stand(
    market_engine, make_run, yahoo
):
    symbols = ("TCS.NS", "GC=F", "RELIANCE.NS", "INFY.NS", "ITC.NS")
    run = make_run(symbols=symbols)
    with pytest.raises(PriceCheckError, match=r"0 of 5 assets") as raised:
        check_prices(market_engine, run)
    named = [symbol for symbol in symbols if symbol in str(raised.value)]
    assert named == list(symbols[:3])
    assert str(raised.value).endswith("and 2 more, each with its reason in roi.price_checks")


def test_asset_whose_extraction_failed_today_stays_usable_on_stored_prices(
    market_engine, make_run, yahoo, server
):
    yesterday = make_run("yesterday", as_of_date=END - timedelta(days=3))
    extract_all(market_engine, yesterday, yahoo)
    server.break_symbol("TCS.NS", "server_error")
    run = make_run("today")
    extract_all(market_engine, run, yahoo)
    report = check_prices(market_engine, run)
    assert report.usable == SYMBOLS
    assert [(r.check_name, r.severity) for r in failures(report, "TCS.NS")] == [
        ("extraction", "warn"),
        ("staleness", "warn"),
    ]


@pytest.mark.parametrize("stale", [1, MAX_STALE_SESSIONS, MAX_STALE_SESSIONS + 1])
def test_staleness_is_bridged_up_to_its_limit(stale, market_engine, make_run, prices):
    own, other = (prices[prices["symbol"] == symbol] for symbol in ("TCS.NS", "INFY.NS"))
    run = make_run(symbols=("TCS.NS", "INFY.NS"), quorum=0.5)
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", pd.concat([own[:-stale], other]))
    report = check_prices(market_engine, run)
    assert ("TCS.NS" in report.usable) is (stale <= MAX_STALE_SESSIONS)
    staleness = next(r for r in failures(report, "TCS.NS") if r.check_name == "staleness")
    assert staleness.observed == stale
    assert staleness.severity == ("warn" if stale <= MAX_STALE_SESSIONS else "drop_asset")


def test_thinly_traded_series_with_repeated_closes_is_not_stale(market_engine, make_run, prices):
    flat = prices[prices["symbol"] == "GC=F"].assign(adj_close=950.0, volume=0)
    run = make_run(symbols=("GC=F",))
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", flat)
    assert check_prices(market_engine, run).usable == ("GC=F",)


@pytest.mark.parametrize(("windows", "is_usable"), [(50, True), (49, False)])
def test_history_needs_a_window_the_smoothing_and_some_targets(
    windows, is_usable, market_engine, make_run, prices
):
    own = prices[prices["symbol"] == "TCS.NS"].tail(60 + 5 + windows)
    run = make_run(symbols=("TCS.NS", "GC=F"), quorum=0.5)
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", pd.concat([own, prices[prices.symbol == "GC=F"]]))
    report = check_prices(market_engine, run)
    assert ("TCS.NS" in report.usable) is is_usable


def test_dates_shifted_by_a_day_leave_the_asset_out(market_engine, make_run, yahoo, server):
    server.break_symbol("TCS.NS", "shifted")
    run = make_run(quorum=0.5)
    extract_all(market_engine, run, yahoo)
    report = check_prices(market_engine, run)
    assert "TCS.NS" not in report.usable
    assert "mean that its dates are shifted" in report.missing["TCS.NS"]


def test_dates_of_all_assets_shifted_by_a_day_stop_the_run(market_engine, make_run, yahoo, server):
    run = make_run(symbols=("RELIANCE.NS", "TCS.NS", "INFY.NS"))
    for symbol in run.config.symbols:
        server.break_symbol(symbol, "shifted")
    extract_all(market_engine, run, yahoo)
    with pytest.raises(PriceCheckError, match="0 of 3 assets"):
        check_prices(market_engine, run)


def test_simulated_assets_meet_the_fates_that_their_names_ask_for(market_engine, make_run):
    fated = ("DELISTED2024.NS", "GAPS10.NS", "GAPS40.NS", "SPLIT2024.NS", "WRONGBAR2024.NS")
    run = make_run(source="simulated", symbols=("TCS.NS", "INFY.NS", *fated), quorum=0.5)
    extract_all(market_engine, run, SimulatedSource())
    report = check_prices(market_engine, run)
    assert report.usable == ("TCS.NS", "INFY.NS", "GAPS10.NS", "SPLIT2024.NS", "WRONGBAR2024.NS")
    assert "its last bar is of 2024-" in report.missing["DELISTED2024.NS"]
    assert "no bar on" in report.missing["GAPS40.NS"]
    assert "missing_sessions" in [r.check_name for r in failures(report, "GAPS10.NS")]


def test_special_sessions_and_closed_days_that_all_share_raise_no_warning(
    market_engine, make_run, prices
):
    closed, special = pd.Timestamp("2024-05-15"), pd.Timestamp("2024-05-18")
    moved = prices.assign(trading_date=prices["trading_date"].replace(closed, special))
    run = make_run(symbols=("RELIANCE.NS", "TCS.NS", "INFY.NS"))
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", moved)
    report = check_prices(market_engine, run)
    assert {r.check_name for r in report.results if not r.passed} == {"extraction"}


def test_as_of_date_on_which_the_reference_exchange_was_closed_stops_the_run(
    market_engine, make_run, prices
):
    is_holiday = (prices["trading_date"] == pd.Timestamp(END)) & (prices["symbol"] != "GC=F")
    run = make_run()
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", prices[~is_holiday])
    message = rf"no asset of the calendar XBOM has a bar on the as-of date {END}: an unannounced"
    with pytest.raises(PriceCheckError, match=message):
        check_prices(market_engine, run)
    earlier = make_run("earlier", as_of_date=date(2024, 12, 27))
    assert check_prices(market_engine, earlier).usable == SYMBOLS


@pytest.mark.parametrize(("kept", "is_usable"), [(8, True), (6, False)])
def test_asset_that_shares_too_few_rows_with_the_others_is_left_out(
    kept, is_usable, market_engine, make_run, prices
):
    run = make_run(quorum=0.5)
    rows = prices.loc[prices["symbol"] == "TCS.NS", "trading_date"].reset_index(drop=True)
    lost = rows[(rows.index % 10 >= kept) & (rows.index < len(rows) - 5)]
    is_lost = (prices["symbol"] == "GC=F") & prices["trading_date"].isin(lost)
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", prices[~is_lost])
    report = check_prices(market_engine, run)
    overlap = next(r for r in report.results if (r.symbol, r.check_name) == ("GC=F", "overlap"))
    assert overlap.passed is is_usable
    gold = set(prices.loc[prices["symbol"] == "GC=F", "trading_date"]) - set(lost)
    shared = rows[rows >= min(gold)]
    assert overlap.observed == pytest.approx(shared.isin(gold).mean())
    assert ("GC=F" in report.usable) is is_usable


def test_finding_that_many_assets_share_is_logged_once_and_stored_for_each(
    market_engine, make_run, prices, caplog
):
    run = make_run()
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", prices)
    with caplog.at_level(logging.WARNING):
        report = check_prices(market_engine, run)
    assert len([r for r in report.results if r.check_name == "extraction" and not r.passed]) == 4
    (line,) = [record.getMessage() for record in caplog.records if "extract" in record.getMessage()]
    assert line.startswith("RELIANCE.NS, TCS.NS, INFY.NS and 1 more: extraction failed")


@pytest.mark.parametrize(("kept", "is_usable"), [(9, True), (7, False)])
def test_missing_sessions_warn_up_to_a_fifth(kept, is_usable, market_engine, make_run, prices):
    own = prices[prices["symbol"] == "TCS.NS"].reset_index(drop=True)
    gaps = own[(own.index % 10 < kept) | (own.index > len(own) - 5)]
    run = make_run(symbols=("TCS.NS", "INFY.NS"), quorum=0.5)
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", pd.concat([gaps, prices[prices.symbol == "INFY.NS"]]))
    report = check_prices(market_engine, run)
    assert ("TCS.NS" in report.usable) is is_usable
    assert "missing_sessions" in [r.check_name for r in failures(report, "TCS.NS")]


def test_bars_after_the_as_of_date_change_no_verdict(market_engine, make_run, prices):
    run = make_run(as_of_date=date(2024, 6, 28))
    known = prices[prices["trading_date"] <= pd.Timestamp(run.as_of_date)]
    future = prices[prices["trading_date"] > pd.Timestamp(run.as_of_date)]
    sparse = future[future["symbol"] == "TCS.NS"].iloc[::7].assign(adj_close=1e9)
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", known)
    before = check_prices(market_engine, run)
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", sparse)
    assert check_prices(market_engine, run) == before


def test_assets_of_the_champion_are_judged_but_do_not_count(market_engine, make_run, yahoo):
    run = make_run(symbols=("RELIANCE.NS", "TCS.NS"), quorum=1.0)
    run = run.model_copy(update={"champion_symbols": ("TCS.NS", "AAPL")})
    extract_all(market_engine, run, yahoo)
    report = check_prices(market_engine, run)
    assert report.usable == ("RELIANCE.NS", "TCS.NS")
    assert [r.check_name for r in failures(report, "AAPL")] == ["extraction", "history"]
