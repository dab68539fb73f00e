"""Extraction through the real yfinance and a real PostgreSQL."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, Row, select

from roi_forecast.database.tables import (
    daily_prices,
    extractions,
    price_checks,
    price_restatements,
)
from roi_forecast.errors import SourceDataError, SourceUnavailableError, UniverseError
from roi_forecast.market.extraction import OVERLAP_BARS, extract_prices
from roi_forecast.market.restatement import find_restatement
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.market.sources.simulated_events import fate_of
from roi_forecast.market.sources.source import FetchedBars
from roi_forecast.market.sources.yahoo import YahooSource
from roi_forecast.market.stored_bars import load_bars
from roi_forecast.universe import load_universe

from .conftest import END, START
from .yahoo_server import YahooServer

NOW = datetime(2024, 12, 31, 12, 0, tzinfo=UTC)
SYMBOL = "RELIANCE.NS"


def stored(engine: Engine, symbol: str = SYMBOL, source: str = "yahoo") -> pd.DataFrame:
    with engine.connect() as connection:
        bars = load_bars(connection, source, [symbol], date(1990, 1, 1), date(2100, 1, 1))
    return bars.drop(columns="symbol")


def served(prices: pd.DataFrame, symbol: str = SYMBOL) -> pd.DataFrame:
    return prices[prices["symbol"] == symbol].drop(columns="symbol").reset_index(drop=True)


def recorded(engine: Engine, run_id: str) -> dict:
    with engine.connect() as connection:
        return dict(
            connection.execute(select(extractions).where(extractions.c.run_id == run_id))
            .mappings()
            .one()
        )


def findings(engine: Engine, run_id: str) -> list[tuple[str, str, date]]:
    columns = (price_checks.c.check_name, price_checks.c.severity, price_checks.c.trading_date)
    with engine.connect() as connection:
        return [
            tuple(row)
            for row in connection.execute(
                select(*columns).where(price_checks.c.run_id == run_id).order_by(price_checks.c.id)
            )
        ]


def restatements(engine: Engine) -> list[Row]:
    with engine.connect() as connection:
        return list(connection.execute(select(price_restatements)))


def test_extract_stores_the_served_prices_and_records_it(market_engine, make_run, yahoo, prices):
    result = extract_prices(market_engine, make_run(), SYMBOL, yahoo, now=NOW)
    pd.testing.assert_frame_equal(stored(market_engine), served(prices))
    assert result.changed == result.fetched == len(served(prices))
    record = recorded(market_engine, "run-1")
    assert record["status"] == "ok"
    assert record["error"] is None
    assert record["rows"] == result.changed
    assert (record["requested_start"], record["requested_end"]) == (START, END)


def test_extract_again_changes_nothing_and_keeps_one_record(market_engine, make_run, yahoo):
    extract_prices(market_engine, make_run(), SYMBOL, yahoo, now=NOW)
    before = stored(market_engine)
    result = extract_prices(market_engine, make_run(), SYMBOL, yahoo, now=NOW)
    assert result.changed == 0
    pd.testing.assert_frame_equal(stored(market_engine), before)
    assert recorded(market_engine, "run-1")["rows"] == 0


def test_next_run_asks_for_the_tail_and_an_overlap_only(
    market_engine, make_run, yahoo, server, prices
):
    first_end = date(2024, 11, 29)
    run = make_run("first", as_of_date=first_end)
    extract_prices(market_engine, run, SYMBOL, yahoo, now=NOW)
    server.requests.clear()
    extract_prices(market_engine, make_run("second"), SYMBOL, yahoo, now=NOW)
    known = served(prices)["trading_date"]
    overlap_start = known[known <= pd.Timestamp(first_end)].iloc[-OVERLAP_BARS].date()
    assert [(r.start, r.end) for r in server.requests] == [(overlap_start, END)]
    pd.testing.assert_frame_equal(stored(market_engine), served(prices))


def test_run_with_an_earlier_start_asks_for_the_whole_range(
    market_engine, make_run, yahoo, server, prices
):
    late = make_run("late", start_date=date(2024, 1, 1))
    extract_prices(market_engine, late, SYMBOL, yahoo, now=NOW)
    server.requests.clear()
    extract_prices(market_engine, make_run("early"), SYMBOL, yahoo, now=NOW)
    assert [(r.start, r.end) for r in server.requests] == [(START, END)]
    pd.testing.assert_frame_equal(stored(market_engine), served(prices))


def test_run_fetches_a_hole_between_two_earlier_runs(market_engine, make_run, yahoo, prices):
    old = make_run("old", as_of_date=date(2023, 5, 31))
    new = make_run("new", start_date=date(2024, 5, 31))
    for run in (old, new, make_run("whole")):
        extract_prices(market_engine, run, SYMBOL, yahoo, now=NOW)
    pd.testing.assert_frame_equal(stored(market_engine), served(prices))


def test_bars_that_are_not_final_are_not_stored(market_engine, make_run, yahoo):
    now = datetime(2024, 12, 30, 10, 14, tzinfo=UTC)  # 15:44 in Kolkata, a minute early
    extract_prices(market_engine, make_run("a"), SYMBOL, yahoo, now=now)
    assert stored(market_engine)["trading_date"].max() == pd.Timestamp("2024-12-27")
    extract_prices(market_engine, make_run("b"), SYMBOL, yahoo, now=now + timedelta(minutes=1))
    assert stored(market_engine)["trading_date"].max() == pd.Timestamp("2024-12-30")


def test_bars_after_the_as_of_date_change_nothing(market_engine, make_run, prices):
    class Gossip(SimulatedSource):
        """Answers more than it was asked, at prices that no check doubts."""

        def fetch(self, asset, start, end):
            bars = super().fetch(asset, start, end + timedelta(days=20)).bars
            names = ["open", "high", "low", "close", "adj_close"]
            is_future = bars["trading_date"] > pd.Timestamp(end)
            bars.loc[is_future, names] *= 1.1
            return FetchedBars(bars)

    run = make_run(source="simulated", as_of_date=date(2024, 6, 28))
    late = datetime(2026, 1, 1, tzinfo=UTC)
    extract_prices(market_engine, run, SYMBOL, Gossip(), now=late)
    expected = served(prices)
    expected = expected[expected["trading_date"] <= pd.Timestamp(run.as_of_date)]
    pd.testing.assert_frame_equal(stored(market_engine, source="simulated"), expected)


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("rate_limit", SourceUnavailableError, "RateLimitedError: RELIANCE.NS: Yahoo answers 429"),
        ("unknown", SourceDataError, "UnknownSymbolError: RELIANCE.NS: Yahoo does not know"),
        ("truncated", SourceUnavailableError, "MalformedAnswerError: RELIANCE.NS"),
    ],
)
def test_extract_keeps_stored_rows_and_records_the_error_when_yahoo_fails(
    fault, error, message, market_engine, make_run, yahoo, server
):
    run = make_run("earlier", as_of_date=date(2024, 11, 29))
    extract_prices(market_engine, run, SYMBOL, yahoo, now=NOW)
    before = stored(market_engine)
    server.break_symbol(SYMBOL, fault)
    with pytest.raises(error):
        extract_prices(market_engine, make_run("today"), SYMBOL, yahoo, now=NOW)
    pd.testing.assert_frame_equal(stored(market_engine), before)
    record = recorded(market_engine, "today")
    assert record["status"] == "failed"
    assert record["error"].startswith(message)

    server.heal_symbol(SYMBOL)
    extract_prices(market_engine, make_run("today"), SYMBOL, yahoo, now=NOW)
    record = recorded(market_engine, "today")
    assert (record["status"], record["error"]) == ("ok", None)


def test_extract_records_a_symbol_that_cannot_be_placed(market_engine, make_run, yahoo):
    with pytest.raises(UniverseError, match=r"suffix '\.XX' is not declared"):
        extract_prices(market_engine, make_run(), "ABC.XX", yahoo, now=NOW)


@pytest.mark.parametrize(
    ("fault", "check_name", "position"),
    [
        ("missing_last", "missing_price", -1),
        ("zero", "non_positive_price", -2),
        ("negative", "non_positive_price", -2),
        ("tenfold", "jump", -2),
    ],
)
def test_extract_drops_and_names_a_doubtful_bar(
    fault, check_name, position, market_engine, make_run, yahoo, server, prices, caplog
):
    server.break_symbol(SYMBOL, fault)
    with caplog.at_level(logging.WARNING):
        result = extract_prices(market_engine, make_run(), SYMBOL, yahoo, now=NOW)
    expected = served(prices)
    doubtful = expected["trading_date"].iloc[position]
    kept = expected[expected["trading_date"] != doubtful].reset_index(drop=True)
    pd.testing.assert_frame_equal(stored(market_engine), kept)
    assert result.dropped == 1
    assert findings(market_engine, "run-1") == [(check_name, "drop_bar", doubtful.date())]
    assert f"{SYMBOL} {doubtful:%Y-%m-%d}" in caplog.text

    server.heal_symbol(SYMBOL)
    extract_prices(market_engine, make_run(), SYMBOL, yahoo, now=NOW)
    pd.testing.assert_frame_equal(stored(market_engine), expected)
    assert findings(market_engine, "run-1") == []


def test_extract_stores_an_impossible_volume_as_none_and_names_it(
    market_engine, make_run, yahoo, server, prices, caplog
):
    server.break_symbol(SYMBOL, "impossible_volumes")
    with caplog.at_level(logging.WARNING):
        result = extract_prices(market_engine, make_run(), SYMBOL, yahoo, now=NOW)
    expected = served(prices)
    expected.loc[expected.index[-3:-1], "volume"] = np.nan
    pd.testing.assert_frame_equal(stored(market_engine), expected)
    assert result.dropped == 0
    day = expected["trading_date"].iloc[-3].date()
    assert findings(market_engine, "run-1") == [("invalid_volume", "warn", day)]
    assert f"{SYMBOL}: 2 volumes are not between" in caplog.text


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.inf, np.nan, 1e300])
def test_an_impossible_price_in_the_oldest_common_bar_is_no_restatement(wrong, prices):
    own = served(prices)
    fetched = own.copy()
    fetched.loc[0, ["close", "adj_close"]] = wrong
    assert find_restatement(SYMBOL, own, fetched) is None
    fetched.loc[1:, ["close", "adj_close"]] *= 2
    assert find_restatement(SYMBOL, own, fetched).adj_close_ratio == 2


def test_extract_never_replaces_a_sound_stored_bar_by_a_doubtful_one(
    market_engine, make_run, yahoo, server, prices
):
    extract_prices(market_engine, make_run("first"), SYMBOL, yahoo, now=NOW)
    server.break_symbol(SYMBOL, "tenfold")
    extract_prices(market_engine, make_run("second"), SYMBOL, yahoo, now=NOW)
    pd.testing.assert_frame_equal(stored(market_engine), served(prices))
    assert [name for name, _, _ in findings(market_engine, "second")] == ["jump"]


def test_restated_history_is_fetched_whole_and_noted(
    market_engine, make_run, yahoo, server, prices
):
    extract_prices(
        market_engine, make_run("first", as_of_date=date(2024, 11, 29)), SYMBOL, yahoo, now=NOW
    )
    ex_date = pd.Timestamp("2024-12-10")
    restated = served(prices)
    before = restated["trading_date"] < ex_date
    restated.loc[before, "adj_close"] *= 0.98
    server.replace_prices(SYMBOL, restated.assign(symbol=SYMBOL))
    result = extract_prices(market_engine, make_run("second"), SYMBOL, yahoo, now=NOW)
    assert result.restated
    pd.testing.assert_frame_equal(stored(market_engine), restated)
    assert [name for name, _, _ in findings(market_engine, "second")] == ["restated_history"]
    (event,) = restatements(market_engine)
    assert (event.source, event.symbol, event.run_id) == ("yahoo", SYMBOL, "second")
    assert (event.close_ratio, event.adj_close_ratio) == pytest.approx((1, 0.98))
    assert (event.first_date, event.last_date, event.rows) == (START, END, result.changed)

    again = extract_prices(market_engine, make_run("second"), SYMBOL, yahoo, now=NOW)
    assert (again.restated, again.changed) == (False, 0)
    assert restatements(market_engine) == [event]


@pytest.mark.parametrize("name", ["close", "adj_close"])
def test_restatement_in_the_close_or_the_adjusted_close_alone_is_seen(
    market_engine, make_run, yahoo, server, prices, name
):
    extract_prices(
        market_engine, make_run("first", as_of_date=date(2024, 11, 29)), SYMBOL, yahoo, now=NOW
    )
    before = served(prices)
    # Small enough that open, high and low stay consistent with it.
    restated = before.copy()
    restated[name] *= 1.0005
    server.replace_prices(SYMBOL, restated.assign(symbol=SYMBOL))
    result = extract_prices(market_engine, make_run("second"), SYMBOL, yahoo, now=NOW)
    assert (result.restated, result.dropped) == (True, 0)
    pd.testing.assert_frame_equal(stored(market_engine), restated)
    (event,) = restatements(market_engine)
    ratios = {"close": event.close_ratio, "adj_close": event.adj_close_ratio}
    assert ratios == pytest.approx({"close": 1, "adj_close": 1} | {name: 1.0005})


def test_split_right_behind_an_overlapping_bar_without_a_high_is_seen(
    market_engine, make_run, yahoo, server, prices
):
    first_end = date(2024, 11, 29)
    extract_prices(market_engine, make_run("first", as_of_date=first_end), SYMBOL, yahoo, now=NOW)
    restated = served(prices)
    known = restated.index[restated["trading_date"] <= pd.Timestamp(first_end)]
    oldest_of_overlap = known[-OVERLAP_BARS]
    names = ["open", "high", "low", "close", "adj_close"]
    restated.loc[:oldest_of_overlap, names] /= 10
    restated.loc[oldest_of_overlap, "high"] = float("nan")
    server.replace_prices(SYMBOL, restated.assign(symbol=SYMBOL))
    result = extract_prices(market_engine, make_run("second"), SYMBOL, yahoo, now=NOW)
    assert result.restated


def test_ten_for_one_split_is_taken_as_restated_history_not_as_a_jump(
    market_engine, make_run, yahoo, server, prices
):
    extract_prices(
        market_engine, make_run("first", as_of_date=date(2024, 11, 29)), SYMBOL, yahoo, now=NOW
    )
    names = ["open", "high", "low", "close", "adj_close"]
    split = served(prices)
    split[names] /= 10
    server.replace_prices(SYMBOL, split.assign(symbol=SYMBOL))
    result = extract_prices(market_engine, make_run("second"), SYMBOL, yahoo, now=NOW)
    assert (result.restated, result.dropped) == (True, 0)
    pd.testing.assert_frame_equal(stored(market_engine), split)


def halved_before(prices: pd.DataFrame, ex_date: str) -> pd.DataFrame:
    """The prices as after a dividend that halves all adjusted closes before a date."""
    restated = served(prices)
    restated.loc[restated["trading_date"] < ex_date, "adj_close"] /= 2
    return restated


def test_run_of_the_past_that_meets_restated_history_restates_later_bars_too(
    market_engine, make_run, yahoo, server, prices
):
    extract_prices(market_engine, make_run("first"), SYMBOL, yahoo, now=NOW)
    restated = halved_before(prices, "2024-12-20")
    server.replace_prices(SYMBOL, restated.assign(symbol=SYMBOL))
    past = make_run("past", as_of_date=date(2024, 6, 28))
    assert extract_prices(market_engine, past, SYMBOL, yahoo, now=NOW).restated
    pd.testing.assert_frame_equal(stored(market_engine), restated)


def test_restated_history_adds_no_bar_after_the_as_of_date(
    market_engine, make_run, yahoo, server, prices
):
    first = make_run("first", as_of_date=date(2024, 5, 31))
    extract_prices(market_engine, first, SYMBOL, yahoo, now=NOW)
    restated = halved_before(prices, "2024-12-20")
    server.replace_prices(SYMBOL, restated.assign(symbol=SYMBOL))
    second = make_run("second", as_of_date=date(2024, 6, 28))
    extract_prices(market_engine, second, SYMBOL, yahoo, now=NOW)
    known = restated[restated["trading_date"] <= pd.Timestamp(second.as_of_date)]
    pd.testing.assert_frame_equal(stored(market_engine), known)


def test_bar_that_restated_history_lacks_is_removed_with_its_old_scale(
    market_engine, make_run, yahoo, server, prices
):
    extract_prices(market_engine, make_run("first"), SYMBOL, yahoo, now=NOW)
    restated = halved_before(prices, "2024-12-20").drop(index=100).reset_index(drop=True)
    server.replace_prices(SYMBOL, restated.assign(symbol=SYMBOL))
    extract_prices(market_engine, make_run("second"), SYMBOL, yahoo, now=NOW)
    pd.testing.assert_frame_equal(stored(market_engine), restated)


def test_restated_history_that_lacks_much_of_what_is_stored_changes_nothing(
    market_engine, make_run, yahoo, server, prices
):
    extract_prices(market_engine, make_run("first"), SYMBOL, yahoo, now=NOW)
    short = halved_before(prices, "2024-12-20").iloc[100:]
    server.replace_prices(SYMBOL, short.assign(symbol=SYMBOL))
    with pytest.raises(SourceDataError, match="no sound bar for 100 of the 489 stored dates"):
        extract_prices(market_engine, make_run("second"), SYMBOL, yahoo, now=NOW)
    pd.testing.assert_frame_equal(stored(market_engine), served(prices))
    assert restatements(market_engine) == []


def test_one_wrong_bar_at_the_begin_of_the_overlap_is_no_restatement(
    market_engine, make_run, yahoo, server, prices
):
    extract_prices(market_engine, make_run("first"), SYMBOL, yahoo, now=NOW)
    wrong = served(prices)
    wrong.loc[len(wrong) - OVERLAP_BARS, ["open", "high", "low", "close", "adj_close"]] *= 10
    server.replace_prices(SYMBOL, wrong.assign(symbol=SYMBOL))
    result = extract_prices(market_engine, make_run("second"), SYMBOL, yahoo, now=NOW)
    assert (result.restated, result.changed, result.dropped) == (False, 0, 1)
    pd.testing.assert_frame_equal(stored(market_engine), served(prices))
    assert restatements(market_engine) == []


def test_extractions_that_only_touch_are_compared_before_they_count_as_one(
    market_engine, make_run, yahoo, server, prices
):
    old = make_run("old", as_of_date=date(2024, 6, 28))
    extract_prices(market_engine, old, SYMBOL, yahoo, now=NOW)
    restated = halved_before(prices, "2024-07-15")
    server.replace_prices(SYMBOL, restated.assign(symbol=SYMBOL))
    new = make_run("new", start_date=date(2024, 6, 29))
    extract_prices(market_engine, new, SYMBOL, yahoo, now=NOW)
    extract_prices(market_engine, make_run("whole"), SYMBOL, yahoo, now=NOW)
    pd.testing.assert_frame_equal(stored(market_engine), restated)


def test_simulated_split_and_dividends_restate_what_is_stored(market_engine, make_run):
    symbol = "SPLIT2024.NS"
    asset = load_universe().asset(symbol)
    fate = fate_of(symbol)
    assert fate.split_on is not None
    for run_id, today in (("before", fate.split_on - timedelta(days=5)), ("after", END)):
        run = make_run(run_id, source="simulated", symbols=(symbol,), as_of_date=today)
        market = SimulatedSource(today)
        result = extract_prices(market_engine, run, symbol, market, now=NOW)
        assert result.dropped == 0
    assert result.restated
    expected = SimulatedSource(END).fetch(asset, START, END).bars
    pd.testing.assert_frame_equal(stored(market_engine, symbol, "simulated"), expected)
    (event,) = restatements(market_engine)
    assert event.close_ratio == pytest.approx(0.2)


def test_one_corrected_bar_is_updated_without_fetching_all(
    market_engine, make_run, yahoo, server, prices
):
    extract_prices(market_engine, make_run("first"), SYMBOL, yahoo, now=NOW)
    corrected = served(prices)
    corrected.loc[corrected.index[-2], "adj_close"] *= 1.001
    server.replace_prices(SYMBOL, corrected.assign(symbol=SYMBOL))
    server.requests.clear()
    result = extract_prices(market_engine, make_run("second"), SYMBOL, yahoo, now=NOW)
    assert (result.changed, result.restated, len(server.requests)) == (1, False, 1)
    pd.testing.assert_frame_equal(stored(market_engine), corrected)


def test_two_runs_at_once_end_in_the_same_table(market_engine, make_run, tmp_path: Path, prices):
    market = SimulatedSource()
    symbols = make_run().config.symbols
    tasks = [(f"run-{n}", symbol) for n in range(3) for symbol in symbols]

    def extract(task: tuple[str, str]) -> None:
        run = make_run(task[0], source="simulated")
        extract_prices(market_engine, run, task[1], market, now=NOW)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(extract, tasks))
    for symbol in symbols:
        pd.testing.assert_frame_equal(
            stored(market_engine, symbol, "simulated"), served(prices, symbol)
        )
    with market_engine.connect() as connection:
        statuses = connection.scalars(select(extractions.c.status)).all()
        rows = connection.execute(select(daily_prices.c.symbol)).all()
    assert statuses == ["ok"] * len(tasks)
    assert len(rows) == len(prices)


def test_no_real_bar_is_doubted(real_prices_path, tmp_path, market_engine, make_run):
    """Among them ADANIENT's -28 % of 2023-02-01 and PL=F, which repeats its close on most days."""
    real = pd.read_csv(real_prices_path, parse_dates=["date"]).rename(
        columns={"date": "trading_date"}
    )
    symbols = ("ADANIENT.NS", "PL=F", "NVDA")
    run = make_run(symbols=symbols, start_date=date(2020, 10, 1), as_of_date=END)
    with YahooServer(real) as server:
        source = YahooSource(tmp_path, server.url)
        for symbol in symbols:
            assert extract_prices(market_engine, run, symbol, source, now=NOW).dropped == 0
    adani = stored(market_engine, "ADANIENT.NS").set_index("trading_date")["adj_close"]
    assert adani.pct_change()["2023-02-01"] < -0.25
