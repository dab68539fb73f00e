from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roi_forecast.forecaster import conformal
from roi_forecast.forecaster.conformal import (
    MIN_SCORES,
    TRAILING,
    conformal_quantiles,
    pooled_quantiles,
    trailing_half_widths,
    window_order_statistics,
)
from roi_forecast.forecaster.online_factor import online_factors

SCORES = arrays(
    np.float64, st.tuples(st.integers(40, 80), st.just(3)), elements=st.floats(0, 9, width=32)
)


def newest(scores: np.ndarray, level: float) -> np.ndarray:
    """The quantiles of the row after the last, shape (assets,)."""
    return conformal_quantiles(scores, np.array([len(scores)]), [level])[0, 0]


def direct(scores: np.ndarray, level: str) -> float:
    """The score of the conformal rank, by its definition."""
    known = sorted(score for score in scores.ravel() if not np.isnan(score))
    rank = min(-(-(len(known) + 1) * Fraction(level) // 1), len(known))
    return known[int(rank) - 1]


@given(SCORES, st.sampled_from(["0.8", "0.95"]), st.randoms(use_true_random=False))
def test_quantile_is_the_score_of_the_conformal_rank(
    scores: np.ndarray, level: str, random: object
) -> None:
    for asset in range(3):
        missing = random.sample(range(len(scores)), 10)  # type: ignore[attr-defined]
        scores[missing, asset] = np.nan
    found = newest(scores, float(level))
    for asset in range(3):
        assert found[asset] == direct(scores[:, asset], level)


@given(SCORES, st.sampled_from([1, 7, 30]), st.randoms(use_true_random=False))
def test_quantiles_of_many_rows_are_those_of_each_by_itself(
    scores: np.ndarray, trailing: int, random: object
) -> None:
    scores[random.sample(range(len(scores)), 10), 1] = np.nan  # type: ignore[attr-defined]
    stops = np.arange(3, len(scores) + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conformal, "TRAILING", trailing)
        patch.setattr(conformal, "MIN_SCORES", 3)
        found = conformal_quantiles(scores, stops, [0.8, 0.95])
        together = pooled_quantiles(scores, stops, [0.8, 0.95])
    for place, stop in enumerate(stops):
        recent = scores[max(0, stop - trailing) : stop]
        counts = np.isfinite(recent).sum(axis=0)
        for number, level in enumerate(["0.8", "0.95"]):
            of_all = direct(recent, level) if counts.sum() else np.nan
            np.testing.assert_equal(together[number, place], of_all)
            for asset in range(3):
                shared = of_all if counts.sum() >= 3 else np.nan
                own = direct(recent[:, asset], level) if counts[asset] >= 3 else shared
                np.testing.assert_equal(found[number, place, asset], own)


def test_each_asset_has_its_own_quantile() -> None:
    scores = np.random.default_rng(1).random((300, 2)) * np.array([1.0, 10.0])
    small, large = newest(scores, 0.8)
    assert large > 5 * small


def test_only_the_newest_rows_count() -> None:
    old = np.full((50, 1), 1e6)
    recent = np.linspace(0, 1, TRAILING).reshape(-1, 1)
    assert newest(np.vstack([old, recent]), 0.95) == newest(recent, 0.95)


def test_an_asset_with_too_few_scores_takes_those_of_all() -> None:
    scores = np.random.default_rng(2).random((200, 3))
    scores[MIN_SCORES - 1 :, 1] = np.nan
    found = newest(scores, 0.8)
    together = scores[np.isfinite(scores)].reshape(-1, 1)
    assert found[1] == newest(together[-TRAILING:], 0.8)
    assert found[0] == newest(scores[:, [0]], 0.8)[0]


@pytest.mark.parametrize("rows", [0, 6])
def test_too_few_scores_of_all_assets_give_none(rows: int) -> None:
    assert np.isnan(newest(np.ones((rows, 3)), 0.8)).all()


def test_half_width_of_a_row_rests_on_earlier_scores_alone() -> None:
    generator = np.random.default_rng(4)
    scores, scales = generator.random((100, 2)), generator.random((101, 2))
    expected = trailing_half_widths(scores, scales, range(60, 101), [0.8])[0]
    quantiles = newest(scores, 0.8)
    factor = online_factors(scores, quantiles[np.newaxis, np.newaxis], np.array([100]), [0.8])
    np.testing.assert_array_equal(expected[-1], factor[0, 0] * quantiles * scales[100])
    scores[80:] = 1e9
    found = trailing_half_widths(scores, scales, range(60, 101), [0.8])[0]
    np.testing.assert_array_equal(found[:21], expected[:21])


@given(st.integers(0, 2**32 - 1), st.integers(1, 70), st.integers(1, 40))
def test_a_place_of_a_window_is_that_of_the_window_sorted(
    seed: int, length: int, windows: int
) -> None:
    generator = np.random.default_rng(seed)
    # Few different values, so that many are equal, and some are missing.
    series = generator.integers(0, 9, (3, length)).astype(np.float64)
    series[generator.random(series.shape) < 0.2] = np.nan
    starts = generator.integers(0, length, windows)
    stops = np.array([generator.integers(start + 1, length + 1) for start in starts])
    places = generator.integers(0, (stops - starts)[:, np.newaxis], (3, windows, 2))
    found = window_order_statistics(series, starts, stops, places)
    for line in range(3):
        for number, (start, stop) in enumerate(zip(starts, stops, strict=True)):
            expected = np.sort(series[line, start:stop])[places[line, number]]
            np.testing.assert_array_equal(found[line, number], expected)


def test_an_empty_window_has_no_value() -> None:
    series = np.arange(8.0).reshape(2, 4)
    for starts in ([2], [2, 1]):
        at = np.array(starts)
        found = window_order_statistics(series, at, at, np.zeros((2, len(at), 1), np.intp))
        assert np.isnan(found).all()


def test_what_lies_outside_of_a_window_does_not_matter() -> None:
    generator = np.random.default_rng(5)
    series = generator.random((2, 40))
    windows = np.array([3, 5]), np.array([20, 25])
    places = generator.integers(0, 17, (2, 2, 3))
    expected = window_order_statistics(series, *windows, places)
    series[:, 25:], series[:, :3] = 1e9, -1e9
    np.testing.assert_array_equal(window_order_statistics(series, *windows, places), expected)
