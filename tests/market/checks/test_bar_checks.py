from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roi_forecast.market.checks.bar_checks import (
    MAX_VOLUME,
    empty_invalid_volumes,
    find_jumps,
    split_doubted,
)


def make_bars(closes, **columns) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"trading_date": pd.bdate_range("2024-01-01", periods=len(closes)), "volume": 1}
    )
    for name in ("open", "high", "low", "close", "adj_close"):
        frame[name] = np.asarray(closes, dtype=float)
    return frame.assign(**columns)


def steady(bars: int, start: float = 100.0, volatility: float = 0.01) -> np.ndarray:
    moves = np.random.default_rng(0).normal(0, volatility, bars)
    return start * np.exp(np.cumsum(moves))


@pytest.mark.parametrize("factor", [10.0, 0.1, 100.0, 0.01])
@pytest.mark.parametrize("position", [0, 1, 40, 78, 79])
def test_find_jumps_finds_one_bar_in_another_unit_and_only_that(factor, position):
    closes = steady(80)
    closes[position] *= factor
    jumps, _ = find_jumps(closes)
    assert np.flatnonzero(jumps).tolist() == [position]


def test_find_jumps_never_believes_an_unadjusted_ten_for_one_split():
    closes = steady(80)
    closes[60:] /= 10
    jumps, moves = find_jumps(closes)
    assert np.flatnonzero(jumps).tolist() == list(range(60, 80))
    assert moves[60] == pytest.approx(math.log(closes[60] / closes[59]))


def test_find_jumps_believes_a_crash_once_two_bars_confirm_it():
    closes = steady(80)
    closes[60:] *= 0.45
    assert np.flatnonzero(find_jumps(closes[:61])[0]).tolist() == [60]
    assert np.flatnonzero(find_jumps(closes[:62])[0]).tolist() == [60, 61]
    assert not find_jumps(closes[:63])[0].any()


def test_find_jumps_allows_a_wild_asset_what_it_does_not_allow_a_calm_one():
    wild, calm = steady(80, volatility=0.08), steady(80)
    assert not find_jumps(np.append(wild, wild[-1] * 1.7))[0].any()
    assert find_jumps(np.append(calm, calm[-1] * 1.7))[0][-1]


def test_find_jumps_judges_the_first_bar_by_what_is_stored_before_it():
    assert find_jumps(np.array([1000.0]), [100.0, 101.0, 99.0])[0].tolist() == [True]
    assert find_jumps(np.array([100.5]), [100.0, 101.0, 99.0])[0].tolist() == [False]


def test_find_jumps_accepts_a_series_that_hardly_ever_moves():
    closes = np.full(80, 950.0)
    closes[50:] = 990.0
    assert not find_jumps(closes)[0].any()


@settings(max_examples=60)
@given(st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=60))
def test_find_jumps_never_doubts_moves_below_the_smallest_jump(moves):
    assert not find_jumps(100 * np.exp(np.cumsum(moves)))[0].any()


@pytest.mark.parametrize(
    ("columns", "check_name"),
    [
        ({"close": [100.0, np.nan, 100.0]}, "missing_price"),
        ({"adj_close": [100.0, np.nan, 100.0]}, "missing_price"),
        ({"open": [100.0, 0.0, 100.0]}, "non_positive_price"),
        ({"open": [100.0, -math.inf, 100.0]}, "non_positive_price"),
        ({"high": [100.0, math.inf, 100.0]}, "impossible_price"),
        ({"high": [100.0, 1e300, 100.0]}, "impossible_price"),
        ({"low": [100.0, 1e-300, 100.0]}, "impossible_price"),
        ({"high": [100.0, 90.0, 100.0]}, "inconsistent_range"),
        ({"low": [100.0, 110.0, 100.0]}, "inconsistent_range"),
        ({"low": [100.0, 110.0, 100.0], "high": np.nan}, "inconsistent_range"),
        ({"high": [100.0, 90.0, 100.0], "low": np.nan, "open": np.nan}, "inconsistent_range"),
    ],
)
def test_split_doubted_names_the_bar_the_check_and_the_prices(columns, check_name):
    bars = make_bars([100.0, 100.0, 100.0], **columns)
    believed, doubted = split_doubted("GC=F", bars, [])
    assert believed["trading_date"].tolist() == [bars["trading_date"][0], bars["trading_date"][2]]
    assert [(r.check_name, r.severity, r.passed) for r in doubted] == [
        (check_name, "drop_bar", False)
    ]
    assert doubted[0].message.startswith("GC=F 2024-01-02: ")
    assert "adj_close " in doubted[0].message


@pytest.mark.parametrize("empty", [["open"], ["high"], ["low"], ["open", "high", "low", "volume"]])
def test_a_bar_with_a_close_is_believed_whatever_else_it_lacks(empty):
    bars = make_bars([100.0, 101.0, 100.0])
    bars.loc[1, empty] = np.nan
    believed, doubted = split_doubted("GC=F", bars, [])
    assert doubted == []
    pd.testing.assert_frame_equal(believed, bars)


def test_split_doubted_tolerates_a_settlement_just_outside_the_range():
    bars = make_bars([100.0, 100.0, 100.0], low=99.0, high=99.8)
    believed, doubted = split_doubted("GC=F", bars, [])
    assert len(believed) == 3
    assert doubted == []


PRICES = st.one_of(
    st.sampled_from([math.nan, 100.0]),
    st.floats(),
    st.sampled_from([0.0, -1.0, 1e300, -1e300, 1e-300, math.inf]),
)


@settings(max_examples=200)
@given(st.lists(st.tuples(*[PRICES] * 5, st.floats()), min_size=1, max_size=8))
@pytest.mark.filterwarnings("error")
def test_whatever_numbers_a_source_gives_only_possible_ones_remain(rows):
    columns = ["open", "high", "low", "close", "adj_close", "volume"]
    bars = pd.DataFrame(rows, columns=columns, dtype="float64")
    bars.insert(0, "trading_date", pd.bdate_range("2024-01-01", periods=len(rows)))
    believed, doubted = split_doubted("GC=F", bars, [])
    believed, emptied = empty_invalid_volumes("GC=F", believed)
    assert len(believed) + len(doubted) == len(rows)
    prices = believed[columns[:5]]
    assert (prices.isna() | (prices >= 1e-12) & (prices <= 1e15)).all(axis=None)
    assert believed[["close", "adj_close"]].notna().all(axis=None)
    assert (believed["volume"].isna() | believed["volume"].between(0, 2**53)).all()
    assert all(not result.passed and "\n" not in result.message for result in doubted + emptied)


@pytest.mark.parametrize("wrong", [-1.0, math.inf, -math.inf, 1e20, MAX_VOLUME * 2.0])
def test_a_volume_that_cannot_be_is_empty_and_named_and_its_bar_stays(wrong):
    bars = make_bars([100.0] * 4, volume=[1.0, wrong, np.nan, wrong])
    kept, results = empty_invalid_volumes("GC=F", bars)
    assert kept["volume"].tolist()[0] == 1.0
    assert kept["volume"].isna().tolist() == [False, True, True, True]
    assert kept["close"].tolist() == [100.0] * 4
    assert [(r.check_name, r.severity) for r in results] == [("invalid_volume", "warn")]
    assert results[0].message.startswith("GC=F: 2 volumes are not between 0 and")
    assert f"{wrong:g} on 2024-01-02" in results[0].message


def test_volumes_that_can_be_raise_no_question():
    bars = make_bars([100.0] * 3, volume=[0.0, 2.0**53, np.nan])
    kept, results = empty_invalid_volumes("GC=F", bars)
    assert results == []
    pd.testing.assert_frame_equal(kept, bars)
