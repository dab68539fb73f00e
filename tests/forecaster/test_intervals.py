from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from roi_forecast.forecaster.intervals import Intervals


def pinball(actual: float, quantile: float, share: float) -> float:
    return max(share * (actual - quantile), (share - 1) * (actual - quantile))


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_score_is_the_sum_of_two_pinball_losses(level: float) -> None:
    # Bracher et al. 2021, equation 3: the score is 2 / alpha times the two quantiles' losses.
    generator = np.random.default_rng(6)
    actual = generator.normal(0, 2, (50, 2))
    lower, upper = -generator.random((2, 50, 2)), generator.random((50, 2))
    lower = lower[0]
    found = Intervals(level, lower, upper).score(actual)
    alpha = 1 - level
    for place in np.ndindex(found.shape):
        losses = pinball(actual[place], lower[place], alpha / 2)
        losses += pinball(actual[place], upper[place], 1 - alpha / 2)
        assert found[place] == pytest.approx(2 / alpha * losses)


def test_the_true_quantiles_have_the_best_score() -> None:
    actual = np.random.default_rng(7).normal(0, 1, (20000, 1))
    half = norm.ppf(0.9)
    scores = [
        Intervals(0.8, np.full_like(actual, -width), np.full_like(actual, width)).score(actual)
        for width in (half, 0.8 * half, 1.25 * half)
    ]
    best, *others = (score.mean() for score in scores)
    assert best < min(others)


def test_bounds_belong_to_the_interval_and_missing_values_count_nowhere() -> None:
    actual = np.array([[-1.0], [1.0], [1.1], [np.nan]])
    intervals = Intervals(0.8, np.full((4, 1), -1.0), np.full((4, 1), 1.0))
    np.testing.assert_array_equal(intervals.covers(actual)[:, 0], [1.0, 1.0, 0.0, np.nan])
    np.testing.assert_allclose(intervals.score(actual)[:, 0], [2.0, 2.0, 3.0, np.nan])
