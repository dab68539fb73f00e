from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roi_forecast.evaluation.conformal import (
    FEWEST,
    TRAILING,
    conformal_quantiles,
    trailing_half_widths,
)

SCORES = arrays(
    np.float64, st.tuples(st.integers(40, 80), st.just(3)), elements=st.floats(0, 9, width=32)
)


@given(SCORES, st.sampled_from(["0.8", "0.95"]), st.randoms(use_true_random=False))
def test_quantile_is_the_score_of_the_conformal_rank(
    scores: np.ndarray, level: str, random: object
) -> None:
    for asset in range(3):
        missing = random.sample(range(len(scores)), 10)  # type: ignore[attr-defined]
        scores[missing, asset] = np.nan
    found = conformal_quantiles(scores, float(level))
    for asset in range(3):
        own = sorted(score for score in scores[:, asset] if not np.isnan(score))
        rank = min(-(-(len(own) + 1) * Fraction(level) // 1), len(own))
        assert found[asset] == own[int(rank) - 1]


def test_each_asset_has_its_own_quantile() -> None:
    scores = np.random.default_rng(1).random((300, 2)) * np.array([1.0, 10.0])
    small, large = conformal_quantiles(scores, 0.8)
    assert large > 5 * small


def test_only_the_newest_rows_count() -> None:
    old = np.full((50, 1), 1e6)
    recent = np.linspace(0, 1, TRAILING).reshape(-1, 1)
    assert conformal_quantiles(np.vstack([old, recent]), 0.95) == conformal_quantiles(recent, 0.95)


def test_an_asset_with_too_few_scores_takes_those_of_all() -> None:
    scores = np.random.default_rng(2).random((200, 3))
    scores[FEWEST - 1 :, 1] = np.nan
    found = conformal_quantiles(scores, 0.8)
    together = scores[np.isfinite(scores)].reshape(-1, 1)
    assert found[1] == conformal_quantiles(together[-TRAILING:], 0.8)
    assert found[0] == conformal_quantiles(scores[:, [0]], 0.8)[0]


@pytest.mark.parametrize("rows", [0, 6])
def test_too_few_scores_of_all_assets_give_none(rows: int) -> None:
    assert np.isnan(conformal_quantiles(np.ones((rows, 3)), 0.8)).all()


def test_half_width_of_a_row_rests_on_earlier_scores_alone() -> None:
    generator = np.random.default_rng(4)
    scores, scales = generator.random((100, 2)), generator.random((101, 2))
    expected = trailing_half_widths(scores, scales, range(60, 101), 0.8)
    np.testing.assert_array_equal(expected[-1], conformal_quantiles(scores, 0.8) * scales[100])
    scores[80:] = 1e9
    found = trailing_half_widths(scores, scales, range(60, 101), 0.8)
    np.testing.assert_array_equal(found[:21], expected[:21])
