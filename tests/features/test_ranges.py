from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from roi_forecast.features.rows import PriceRows, align_rows

from .prices import AS_OF, ASSETS, START, SYMBOLS, simulated_bars, with_wild_future


def align(bars: pd.DataFrame, as_of: date = AS_OF) -> PriceRows:
    return align_rows(bars, ASSETS, START, as_of, 0.1)


def row_of(rows: PriceRows, day: date) -> int:
    return int(np.flatnonzero(rows.dates == np.datetime64(day))[0])


def bar(bars: pd.DataFrame, symbol: str, day: date) -> pd.Series:
    found = bars[(bars["symbol"] == symbol) & (bars["trading_date"] == pd.Timestamp(day))]
    return found.iloc[0]


def test_true_range_is_the_widest_of_the_three_distances() -> None:
    bars = simulated_bars()
    rows = align(bars)
    day = date(2023, 6, 14)
    for symbol in SYMBOLS:
        found = bar(bars, symbol, day)
        factor = found.adj_close / found.close
        high, low = found.high * factor, found.low * factor
        before = bar(bars, symbol, date(2023, 6, 13)).adj_close
        widest = max(high - low, abs(high - before), abs(low - before))
        ranges = rows.true_range[row_of(rows, day), rows.symbols.index(symbol)]
        assert ranges == pytest.approx(widest / before)


def test_a_split_or_dividend_leaves_no_jump() -> None:
    bars = simulated_bars()
    halved = bars.copy()
    early = halved["trading_date"] < pd.Timestamp(2023, 6, 14)
    # Traded prices halve; the adjusted ones before the event are scaled down to them.
    halved.loc[~early, ["open", "high", "low", "close", "adj_close"]] *= 0.5
    halved.loc[early, "adj_close"] *= 0.5
    np.testing.assert_allclose(align(halved).true_range[1:], align(bars).true_range[1:])


def test_a_row_without_a_bar_has_no_range() -> None:
    bars = simulated_bars()
    day = pd.Timestamp(2023, 6, 14)
    gone = bars[~((bars["symbol"] == "TCS.NS") & (bars["trading_date"] == day))]
    rows = align(gone)
    missing = np.isnan(rows.true_range[1:])
    assert missing[row_of(rows, day.date()) - 1].tolist() == [False, True, False, False]
    assert np.isnan(rows.true_range[0]).all()


def test_a_session_between_two_rows_counts_to_the_next_row() -> None:
    # Gold trades on 2023-01-26, a holiday of the NSE, and that day's high is the highest.
    bars = simulated_bars()
    between = (bars["symbol"] == "GC=F") & (bars["trading_date"] == pd.Timestamp(2023, 1, 26))
    bars.loc[between, "high"] *= 2
    rows = align(bars)
    before = bar(bars, "GC=F", date(2023, 1, 25)).adj_close
    high = bar(bars, "GC=F", date(2023, 1, 26)).high
    assert rows.true_range[row_of(rows, date(2023, 1, 27)), 3] > (high - before) / before * 0.99


@pytest.mark.parametrize("column", ["high", "low", "close"])
def test_a_bar_with_a_price_that_cannot_be_one_has_no_range(column: str) -> None:
    bars = simulated_bars()
    day = pd.Timestamp(2023, 6, 14)
    bars.loc[(bars["symbol"] == "TCS.NS") & (bars["trading_date"] == day), column] = 0.0
    rows = align(bars)
    assert np.isnan(rows.true_range[row_of(rows, day.date()), 1])


@pytest.mark.parametrize("column", ["high", "low"])
def test_a_row_of_which_one_bar_lacks_a_price_has_no_range(column: str) -> None:
    # The bar of 2023-01-26, a holiday of the NSE, is part of gold's next row.
    bars = simulated_bars()
    complete = align(bars).true_range
    between = (bars["symbol"] == "GC=F") & (bars["trading_date"] == pd.Timestamp(2023, 1, 26))
    bars.loc[between, column] = np.nan
    rows = align(bars)
    row = row_of(rows, date(2023, 1, 27))
    assert np.isnan(rows.true_range[row, 3])
    rows.true_range[row, 3] = complete[row, 3]
    np.testing.assert_array_equal(rows.true_range, complete)


@pytest.mark.parametrize("missing", [["open"], ["high"], ["low"], ["volume"], ["open", "low"]])
def test_what_one_asset_lacks_changes_nothing_but_what_rests_on_it(missing: list[str]) -> None:
    bars = simulated_bars().astype({"volume": "float64"})
    complete = align(bars)
    bars.loc[bars["symbol"] == "TCS.NS", missing] = np.nan
    rows = align(bars)
    rests_on = {"open": "gap", "high": "true_range", "low": "true_range", "volume": "volume"}
    gone = {rests_on[column] for column in missing}
    for name in ("prices", "filled", "true_range", "gap", "volume"):
        expected = getattr(complete, name).copy()
        if name in gone:
            expected[:, 1] = np.nan
        np.testing.assert_array_equal(getattr(rows, name), expected)


def test_ranges_after_the_as_of_date_change_nothing() -> None:
    as_of = date(2023, 10, 31)
    bars = simulated_bars()
    wild = bars.copy()
    later = wild["trading_date"] > pd.Timestamp(as_of)
    wild.loc[later, ["open", "high", "low", "close", "adj_close"]] *= 1e6
    known = bars[bars["trading_date"] <= pd.Timestamp(as_of)]
    np.testing.assert_array_equal(align(wild, as_of).true_range, align(known, as_of).true_range)


def test_gap_and_the_rest_of_the_session_add_up_to_its_log_roi() -> None:
    bars = simulated_bars()
    rows = align(bars)
    day = date(2023, 6, 14)
    for symbol in SYMBOLS:
        found = bar(bars, symbol, day)
        before = bar(bars, symbol, date(2023, 6, 13)).adj_close
        gap = rows.gap[row_of(rows, day), rows.symbols.index(symbol)]
        assert gap == pytest.approx(np.log(found.open * found.adj_close / found.close / before))
        rest = np.log(found.close / found.open)
        assert gap + rest == pytest.approx(np.log(found.adj_close / before))
        assert rows.volume[row_of(rows, day), rows.symbols.index(symbol)] == found.volume
    assert np.isnan(rows.gap[0]).all()
    assert not np.isnan(rows.volume[0]).any()


def test_a_session_between_two_rows_is_part_of_the_next_gap() -> None:
    # Gold trades on 2023-01-26, a holiday of the NSE.
    bars = simulated_bars()
    rows = align(bars)
    before = bar(bars, "GC=F", date(2023, 1, 25)).adj_close
    found = bar(bars, "GC=F", date(2023, 1, 27))
    expected = np.log(found.open * found.adj_close / found.close / before)
    assert rows.gap[row_of(rows, date(2023, 1, 27)), 3] == pytest.approx(expected)


def test_a_dividend_or_split_leaves_no_gap() -> None:
    bars = simulated_bars()
    halved = bars.copy()
    early = halved["trading_date"] < pd.Timestamp(2023, 6, 14)
    halved.loc[~early, ["open", "high", "low", "close", "adj_close"]] *= 0.5
    halved.loc[early, "adj_close"] *= 0.5
    np.testing.assert_allclose(align(halved).gap[1:], align(bars).gap[1:], atol=1e-12)


def test_a_row_without_a_bar_has_neither_gap_nor_volume() -> None:
    bars = simulated_bars()
    day = pd.Timestamp(2023, 6, 14)
    rows = align(bars[~((bars["symbol"] == "TCS.NS") & (bars["trading_date"] == day))])
    for values in (rows.gap, rows.volume):
        assert np.isnan(values[row_of(rows, day.date())]).tolist() == [False, True, False, False]


@pytest.mark.parametrize("value", [0.0, np.nan, -1.0, np.inf])
def test_an_open_or_a_volume_that_cannot_be_one_is_none(value: float) -> None:
    bars = simulated_bars().astype({"volume": "float64"})
    day = pd.Timestamp(2023, 6, 14)
    of_day = bars["trading_date"] == day
    bars.loc[of_day & (bars["symbol"] == "TCS.NS"), "open"] = value
    bars.loc[of_day & (bars["symbol"] == "INFY.NS"), "volume"] = value
    rows = align(bars)
    row = row_of(rows, day.date())
    assert np.isnan(rows.gap[row]).tolist() == [False, True, False, False]
    assert np.isnan(rows.volume[row]).tolist() == [False, False, True, False]
    assert not rows.filled[row].any()


def test_a_halted_asset_has_neither_gap_nor_volume() -> None:
    bars = simulated_bars()
    still = (bars["symbol"] == "TCS.NS") & bars["trading_date"].between("2023-06-01", "2023-06-30")
    bars.loc[still, ["open", "high", "low", "close", "adj_close"]] = 100.0
    rows = align(bars)
    row = row_of(rows, date(2023, 6, 28))
    assert rows.filled[row, 1]
    assert np.isnan([rows.gap[row, 1], rows.volume[row, 1]]).all()


def test_gaps_and_volumes_after_a_date_change_no_row_up_to_it() -> None:
    bars = simulated_bars()
    rows, wild = align(bars), align(with_wild_future(bars, date(2023, 11, 1)))
    known = row_of(rows, date(2023, 10, 31)) + 1
    for name in ("gap", "volume"):
        np.testing.assert_array_equal(getattr(wild, name)[:known], getattr(rows, name)[:known])
