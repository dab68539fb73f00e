from __future__ import annotations

import itertools
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from roi_forecast.errors import DatasetError
from roi_forecast.features.rows import align_rows, load_rows
from roi_forecast.market.store import upsert_bars

from .prices import AS_OF, ASSETS, START, SYMBOLS, simulated_bars, with_wild_future


def _drop(bars: pd.DataFrame, symbol: str, days: list[date]) -> pd.DataFrame:
    dates = [pd.Timestamp(day) for day in days]
    return bars[~((bars["symbol"] == symbol) & bars["trading_date"].isin(dates))]


def _price(bars: pd.DataFrame, symbol: str, day: date) -> float:
    row = bars[(bars["symbol"] == symbol) & (bars["trading_date"] == pd.Timestamp(day))]
    return float(row["adj_close"].iloc[0])


def test_rows_are_the_sessions_of_the_exchange_of_most_assets() -> None:
    rows = align_rows(simulated_bars(), ASSETS, START, AS_OF, 0.1)
    republic_day = np.datetime64("2023-01-26")  # NSE closed, COMEX open
    independence_day = np.datetime64("2023-07-04")  # COMEX closed, NSE open
    assert republic_day not in rows.dates
    assert independence_day in rows.dates
    assert rows.dates[-1] == np.datetime64(AS_OF)
    assert rows.symbols == SYMBOLS
    assert rows.filled[rows.dates == np.datetime64("2023-12-25"), 3].size == 0


def test_a_missing_bar_carries_the_last_price_and_is_marked() -> None:
    day, before = date(2023, 6, 14), date(2023, 6, 13)
    bars = simulated_bars()
    rows = align_rows(_drop(bars, "TCS.NS", [day]), ASSETS, START, AS_OF, 0.1)
    row = int(np.flatnonzero(rows.dates == np.datetime64(day))[0])
    assert rows.prices[row, 1] == _price(bars, "TCS.NS", before)
    assert rows.filled[row].tolist() == [False, True, False, False]
    assert not rows.filled[row - 1].any()


def test_the_return_of_a_holiday_of_the_row_calendar_falls_on_the_next_row() -> None:
    bars = simulated_bars()
    rows = align_rows(bars, ASSETS, START, AS_OF, 0.1)
    row = int(np.flatnonzero(rows.dates == np.datetime64("2023-01-27"))[0])
    gold = rows.prices[row, 3] / rows.prices[row - 1, 3]
    expected = _price(bars, "GC=F", date(2023, 1, 27)) / _price(bars, "GC=F", date(2023, 1, 25))
    assert gold == pytest.approx(expected)


def test_a_price_of_a_date_that_is_no_row_is_carried_too() -> None:
    # The metal trades on the NSE's holiday and misses the session after it.
    bars = _drop(simulated_bars(), "GC=F", [date(2023, 1, 27)])
    rows = align_rows(bars, ASSETS, START, AS_OF, 0.1)
    row = int(np.flatnonzero(rows.dates == np.datetime64("2023-01-27"))[0])
    assert rows.prices[row, 3] == _price(bars, "GC=F", date(2023, 1, 26))
    assert rows.filled[row, 3]


def test_rows_start_where_every_asset_has_a_price_and_nothing_is_filled_backwards() -> None:
    bars = simulated_bars()
    late = date(2023, 1, 16)
    cut = bars[(bars["symbol"] != "INFY.NS") | (bars["trading_date"] >= pd.Timestamp(late))]
    rows = align_rows(cut, ASSETS, START, AS_OF, 0.1)
    assert rows.dates[0] == np.datetime64(late)
    assert rows.symbols == SYMBOLS


def test_an_asset_that_starts_too_late_is_left_out_and_named() -> None:
    bars = simulated_bars()
    late = pd.Timestamp(date(2023, 9, 1))
    cut = bars[(bars["symbol"] != "INFY.NS") | (bars["trading_date"] >= late)]
    rows = align_rows(cut, ASSETS, START, AS_OF, 0.1)
    assert rows.symbols == ("RELIANCE.NS", "TCS.NS", "GC=F")
    assert "2023-09-01" in rows.left_out["INFY.NS"]
    assert rows.dates[0] < np.datetime64("2023-01-10")


def test_an_asset_without_any_price_is_left_out_and_named() -> None:
    bars = simulated_bars()
    rows = align_rows(bars[bars["symbol"] != "GC=F"], ASSETS, START, AS_OF, 0.1)
    assert rows.left_out == {"GC=F": "it has no price in the period"}


@pytest.mark.parametrize("value", [0.0, -5.0, np.nan, np.inf])
def test_a_price_that_cannot_be_one_counts_as_missing(value: float) -> None:
    bars = simulated_bars()
    day = date(2023, 6, 14)
    wrong = (bars["symbol"] == "TCS.NS") & (bars["trading_date"] == pd.Timestamp(day))
    bars.loc[wrong, "adj_close"] = value
    rows = align_rows(bars, ASSETS, START, AS_OF, 0.1)
    row = int(np.flatnonzero(rows.dates == np.datetime64(day))[0])
    assert rows.filled[row, 1]
    assert rows.prices[row, 1] == rows.prices[row - 1, 1]


def test_prices_that_end_before_the_as_of_date_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"end at 2023-12-28, before the as-of date 2023-12-29"):
        align_rows(simulated_bars(date(2023, 12, 28)), ASSETS, START, AS_OF, 0.1)


def test_no_prices_at_all_are_refused() -> None:
    with pytest.raises(DatasetError, match="no prices for RELIANCE"):
        align_rows(simulated_bars().iloc[:0], ASSETS, START, AS_OF, 0.1)


def test_prices_after_the_as_of_date_change_nothing() -> None:
    as_of = date(2023, 10, 31)
    full = simulated_bars()
    known = full[full["trading_date"] <= pd.Timestamp(as_of)]
    expected = align_rows(known, ASSETS, START, as_of, 0.1)
    found = align_rows(with_wild_future(full, date(2023, 11, 1)), ASSETS, START, as_of, 0.1)
    np.testing.assert_array_equal(found.dates, expected.dates)
    np.testing.assert_array_equal(found.prices, expected.prices)
    np.testing.assert_array_equal(found.filled, expected.filled)


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_bars_does_not_matter(random: object) -> None:
    bars = simulated_bars(date(2023, 3, 31))
    order = list(range(len(bars)))
    random.shuffle(order)  # type: ignore[attr-defined]
    as_of = date(2023, 3, 31)
    expected = align_rows(bars, ASSETS, START, as_of, 0.1)
    found = align_rows(bars.iloc[order], ASSETS, START, as_of, 0.1)
    np.testing.assert_array_equal(found.prices, expected.prices)


@settings(max_examples=20)
@given(
    st.permutations(SYMBOLS),
    st.sets(st.integers(1, len(SYMBOLS) - 1)),
    st.sets(st.integers(0, 900), max_size=300),
)
def test_rows_of_blocks_of_assets_are_those_of_all_bars_at_once(
    order: list[str], ends: set[int], gone: set[int]
) -> None:
    bars = simulated_bars()
    bars = bars.drop(index=bars.index[sorted(gone)])
    bounds = [0, *sorted(ends), len(order)]
    blocks = [
        bars[bars["symbol"].isin(order[start:stop])] for start, stop in itertools.pairwise(bounds)
    ]
    expected = align_rows(bars, ASSETS, START, AS_OF, 0.1)
    found = align_rows(blocks, ASSETS, START, AS_OF, 0.1)
    assert found.symbols == expected.symbols
    assert found.left_out == expected.left_out
    for name in ("dates", "prices", "filled", "true_range"):
        one, other = getattr(found, name), getattr(expected, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    begin=st.integers(1, 200),
    halts=st.lists(
        st.tuples(st.sampled_from(SYMBOLS), st.integers(2, 240), st.integers(1, 120)), max_size=4
    ),
)
def test_a_row_does_not_depend_on_how_many_are_loaded_before_it(
    market_engine: Engine, begin: int, halts: list[tuple[str, int, int]]
) -> None:
    bars = simulated_bars()
    dates = bars["trading_date"].drop_duplicates().sort_values().dt.date.tolist()
    for symbol, first, length in halts:
        # The last day stays: an asset that trades no more counts as one that stands still.
        bars = _drop(bars, symbol, dates[first : min(first + length, len(dates) - 1)])
    with market_engine.connect() as connection:
        upsert_bars(connection, "simulated", bars.assign(open=bars["close"], volume=1))
        whole, part = (
            load_rows(connection, "simulated", ASSETS, start, AS_OF, 1.0, carries_in=True)
            for start in (START, dates[begin])
        )
        connection.rollback()
    count = len(part.dates)
    assert part.dates[0] >= np.datetime64(dates[begin])
    assert part.symbols == whole.symbols
    np.testing.assert_array_equal(part.dates, whole.dates[-count:])
    assert count == len(whole.dates) - np.searchsorted(whole.dates, np.datetime64(dates[begin]))
    np.testing.assert_array_equal(part.prices, whole.prices[-count:])
    np.testing.assert_array_equal(part.filled, whole.filled[-count:])
    # The first row has none: what it was before is not known.
    np.testing.assert_array_equal(part.true_range[1:], whole.true_range[1 - count :])
