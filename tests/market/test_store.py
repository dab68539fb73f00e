from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import CheckViolation
from sqlalchemy import delete, func, select

from roi_forecast.database.tables import assets, daily_prices
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.store import register_assets, upsert_bars
from roi_forecast.market.stored_bars import StoredBars, load_bars, load_last_bars
from roi_forecast.universe import load_universe

from .conftest import END, START, SYMBOLS

ALL_COLUMNS = ["symbol", *BAR_COLUMNS]


def test_load_returns_exactly_what_was_stored(market_engine, prices):
    every_digit = prices.assign(adj_close=prices["adj_close"] * np.pi)
    with market_engine.begin() as connection:
        changed = upsert_bars(connection, "yahoo", every_digit)
    with market_engine.connect() as connection:
        loaded = load_bars(connection, "yahoo", SYMBOLS, START, END)
    assert changed == len(prices)
    expected = every_digit[ALL_COLUMNS].sort_values(["symbol", "trading_date"], ignore_index=True)
    pd.testing.assert_frame_equal(loaded, expected, check_exact=True)


def test_a_missing_volume_is_stored_read_and_compared_as_missing(market_engine, prices):
    without = prices.assign(volume=prices["volume"].mask(prices.index % 2 == 0))
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", without)
        assert upsert_bars(connection, "yahoo", without) == 0
        empty = daily_prices.c.volume.is_(None)
        count = connection.scalar(select(func.count()).select_from(daily_prices).where(empty))
        assert count == without["volume"].isna().sum()
        loaded = load_bars(connection, "yahoo", SYMBOLS, START, END)
        expected = without[ALL_COLUMNS].sort_values(["symbol", "trading_date"], ignore_index=True)
        pd.testing.assert_frame_equal(loaded, expected, check_exact=True)
        assert upsert_bars(connection, "yahoo", prices) == count


def test_the_last_bar_before_a_date_may_lack_its_volume(market_engine, prices):
    last = prices["trading_date"].max()
    gone = (prices["symbol"] == SYMBOLS[0]) & (prices["trading_date"] == last)
    sparse = prices.assign(volume=prices["volume"].astype("float64").mask(gone))
    after = (last + pd.Timedelta(days=1)).date()
    with market_engine.begin() as connection:
        upsert_bars(connection, "simulated", sparse)
        found = load_last_bars(connection, "simulated", SYMBOLS, after).set_index("symbol")
        alone = load_last_bars(connection, "simulated", SYMBOLS[:1], after)
    assert found["trading_date"].eq(last).all()
    assert found["volume"].isna().to_dict() == {symbol: symbol == SYMBOLS[0] for symbol in SYMBOLS}
    assert alone["volume"].isna().all()
    assert alone["close"].notna().all()


def test_the_database_takes_no_negative_volume(market_engine, prices):
    wrong = prices.assign(volume=-1.0)
    with market_engine.begin() as connection, pytest.raises(CheckViolation, match="volume"):
        upsert_bars(connection, "yahoo", wrong)


def test_upsert_again_changes_nothing_and_keeps_the_time_of_the_first_fetch(market_engine, prices):
    fetched_at = select(daily_prices.c.fetched_at).distinct()
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", prices)
        first = connection.scalars(fetched_at).all()
    with market_engine.begin() as connection:
        assert upsert_bars(connection, "yahoo", prices) == 0
        assert connection.scalars(fetched_at).all() == first


def test_upsert_counts_and_changes_only_rows_that_differ(market_engine, prices):
    corrected = prices.copy()
    corrected.loc[5, "volume"] += 1
    corrected.loc[700, "adj_close"] *= 1 + 1e-12
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", prices)
        assert upsert_bars(connection, "yahoo", corrected) == 2


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changed=st.sets(st.integers(0, 59)),
    absent=st.sets(st.integers(0, 59)),
    emptied=st.sets(st.tuples(st.integers(0, 59), st.sampled_from(["open", "low", "volume"]))),
)
def test_any_bars_may_be_restated_missing_or_lack_values(
    changed, absent, emptied, market_engine, prices
):
    given_bars = prices.groupby("symbol").head(30).reset_index(drop=True).head(60)
    restated = given_bars.astype({"volume": "float64"})
    restated.loc[sorted(changed), "close"] += 1
    for row, name in emptied:
        restated.loc[row, name] = np.nan
    expected = changed | absent | {row for row, _ in emptied}
    with market_engine.begin() as connection:
        connection.execute(delete(daily_prices))
        upsert_bars(connection, "yahoo", given_bars.drop(index=sorted(absent)).sample(frac=1))
    first = datetime.now(UTC)
    with market_engine.begin() as connection:
        assert upsert_bars(connection, "yahoo", restated.sample(frac=1)) == len(expected)
        loaded = load_bars(connection, "yahoo", SYMBOLS, START, END)
        later = daily_prices.c.fetched_at > first
        written = connection.execute(
            select(daily_prices.c.symbol, daily_prices.c.trading_date).where(later)
        ).all()
    in_order = restated[ALL_COLUMNS].sort_values(["symbol", "trading_date"], ignore_index=True)
    pd.testing.assert_frame_equal(loaded, in_order, check_exact=True)
    keys = restated.loc[sorted(expected), ["symbol", "trading_date"]]
    assert sorted(map(tuple, written)) == sorted(
        (symbol, day.date()) for symbol, day in keys.itertuples(index=False)
    )


def test_a_connection_that_rolled_back_or_was_used_before_stores_only_the_bars_given(
    market_engine, prices
):
    gold, tata = (prices[prices["symbol"] == name] for name in ("GC=F", "TCS.NS"))
    with market_engine.connect() as connection:
        for symbol, own in (("GC=F", gold), ("TCS.NS", tata)):
            with connection.begin() as transaction:
                upsert_bars(connection, "yahoo", own)
                transaction.rollback()
            with connection.begin():
                assert upsert_bars(connection, symbol, own) == len(own)
                assert upsert_bars(connection, symbol, own.head(3)) == 0
        with connection.begin():
            stored = connection.execute(
                select(daily_prices.c.source, daily_prices.c.symbol).distinct()
            ).all()
    assert sorted(map(tuple, stored)) == [("GC=F", "GC=F"), ("TCS.NS", "TCS.NS")]


def test_prices_of_two_sources_do_not_mix(market_engine, prices):
    own = prices[prices["symbol"] == "GC=F"]
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", own)
        upsert_bars(connection, "csv:file", own.assign(close=1.0))
        yahoo = load_bars(connection, "yahoo", ["GC=F"], START, END)
    assert yahoo["close"].tolist() == own["close"].tolist()


@pytest.mark.parametrize("source", ["csv:100%s file", "csv:o'clock", 'csv:"\\x', "csv::name"])
def test_load_finds_sources_with_any_character_in_their_name(source, market_engine, prices):
    with market_engine.begin() as connection:
        upsert_bars(connection, source, prices)
        loaded = load_bars(connection, source, ["GC=F", "NONE'; --"], START, END)
    assert len(loaded) == (prices["symbol"] == "GC=F").sum()


def test_load_reads_a_symbol_that_looks_like_a_missing_value(market_engine, prices):
    own = prices[prices["symbol"] == "GC=F"].assign(symbol="NA")
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", own)
        loaded = load_bars(connection, "yahoo", ["NA"], START, END)
    assert (loaded["symbol"] == "NA").sum() == len(own)


def test_blocks_hold_whole_assets_and_are_read_again_each_time(market_engine, prices):
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", prices)
        blocks = StoredBars(connection, "yahoo", (*SYMBOLS, "NONE"), START, END, block=2)
        first, second = list(blocks), list(blocks)
        whole = load_bars(connection, "yahoo", SYMBOLS, START, END)
    held = [set(block["symbol"]) for block in first]
    assert max(map(len, held)) == 2
    assert sum(map(len, held)) == len(set.union(*held)) == len(SYMBOLS)
    for blocks_read in (first, second):
        pd.testing.assert_frame_equal(pd.concat(blocks_read, ignore_index=True), whole)


def test_load_does_not_look_past_the_end(market_engine, prices):
    end = date(2024, 6, 28)
    with market_engine.begin() as connection:
        upsert_bars(connection, "yahoo", prices)
        loaded = load_bars(connection, "yahoo", SYMBOLS, START, end)
    assert loaded["trading_date"].max() == pd.Timestamp(end)


def test_load_of_nothing_has_the_promised_columns(market_engine):
    with market_engine.connect() as connection:
        loaded = load_bars(connection, "yahoo", ["GC=F"], START, END)
    assert list(loaded.columns) == ALL_COLUMNS
    assert loaded.empty
    assert loaded["trading_date"].dtype == "datetime64[us]"


@pytest.mark.parametrize("volume", [2.0**63, np.inf])
def test_upsert_refuses_a_volume_that_the_column_cannot_hold(volume, market_engine, prices):
    with market_engine.begin() as connection, pytest.raises(ValueError, match="volume"):
        upsert_bars(connection, "yahoo", prices.assign(volume=volume))


@pytest.mark.parametrize("fault", ["doubled", "missing", "no date"])
def test_upsert_refuses_incomplete_bars_and_stores_none(fault, market_engine, prices):
    wrong = pd.concat([prices, prices.head(1)], ignore_index=True) if fault == "doubled" else prices
    if fault == "missing":
        wrong = prices.assign(close=prices["close"].mask(prices.index == 3))
    if fault == "no date":
        wrong = prices.assign(trading_date=prices["trading_date"].mask(prices.index == 3))
    with market_engine.begin() as connection, pytest.raises(ValueError, match="complete"):
        upsert_bars(connection, "yahoo", wrong)
    with market_engine.connect() as connection:
        assert load_bars(connection, "yahoo", SYMBOLS, START, END).empty


def test_register_assets_brings_a_changed_name_up_to_date(market_engine):
    gold = load_universe().asset("GC=F")
    with market_engine.begin() as connection:
        register_assets(connection, [gold])
        register_assets(connection, [replace(gold, name="Gold"), load_universe().asset("TCS.NS")])
        rows = connection.execute(select(assets.c.symbol, assets.c.name, assets.c.currency)).all()
    assert sorted(rows) == [("GC=F", "Gold", "USD"), ("TCS.NS", "Tata Consultancy Services", "INR")]


BARS = st.tuples(st.sampled_from(["GC=F", "TCS.NS"]), st.dates(date(2024, 1, 1), date(2024, 1, 6)))


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    batches=st.lists(st.lists(BARS, min_size=1, max_size=6, unique=True), min_size=1, max_size=5),
    random=st.randoms(use_true_random=False),
)
def test_any_order_and_repetition_of_batches_ends_in_the_same_table(batches, random, market_engine):
    def as_frame(batch):
        # A bar's values follow from its key, as for a source that always says the same.
        rows = [(symbol, day, *[float(day.day)] * 5, 7) for symbol, day in batch]
        frame = pd.DataFrame(rows, columns=ALL_COLUMNS)
        return frame.assign(trading_date=pd.to_datetime(frame["trading_date"]))

    shuffled = batches + random.choices(batches, k=2)
    random.shuffle(shuffled)
    with market_engine.begin() as connection:
        connection.execute(delete(daily_prices))
        changed = sum(upsert_bars(connection, "yahoo", as_frame(batch)) for batch in shuffled)
        loaded = load_bars(connection, "yahoo", SYMBOLS, date(2024, 1, 1), date(2024, 1, 31))
    expected = {(symbol, pd.Timestamp(day)) for batch in batches for symbol, day in batch}
    assert set(zip(loaded["symbol"], loaded["trading_date"], strict=True)) == expected
    assert changed == len(loaded) == len(expected)
