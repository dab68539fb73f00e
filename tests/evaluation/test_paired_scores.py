from __future__ import annotations

import numpy as np
import pytest

from roi_forecast.evaluation.metrics import Scored
from roi_forecast.evaluation.paired_scores import paired_scores
from roi_forecast.forecaster.intervals import Intervals

GENERATOR = np.random.default_rng(7)
SCALES = np.array([0.5, 1.0, 8.0])
SIGNAL = GENERATOR.normal(0, 0.3, (200, 3)) * SCALES
ACTUAL = SIGNAL + GENERATOR.normal(0, 1.0, SIGNAL.shape) * SCALES
SYMBOLS = ("A", "B", "C")


def scored(forecast: np.ndarray, factor: float = 1.0, actual: np.ndarray = ACTUAL) -> Scored:
    halves = {0.8: 1.28, 0.95: 1.96}
    intervals = tuple(
        Intervals(level, forecast - half * factor * SCALES, forecast + half * factor * SCALES)
        for level, half in halves.items()
    )
    return Scored(actual, forecast, intervals)


def winkler(actual: float, lower: float, upper: float, level: float) -> float:
    outside = max(lower - actual, actual - upper, 0.0)
    return upper - lower + 2 / (1 - level) * outside


def test_gains_are_those_of_every_asset_alike() -> None:
    candidate, champion = scored(SIGNAL), scored(np.zeros(SIGNAL.shape), 1.5)
    found = paired_scores(candidate, champion, SYMBOLS)
    losses = [
        1 - ((ACTUAL[:, asset] - SIGNAL[:, asset]) ** 2).sum() / (ACTUAL[:, asset] ** 2).sum()
        for asset in range(3)
    ]
    assert [ours for ours, _ in found.asset_r2.values()] == pytest.approx(losses)
    assert [theirs for _, theirs in found.asset_r2.values()] == [0, 0, 0]
    assert found.candidate_r2 == pytest.approx(np.mean(losses))
    assert found.r2_gain.mean == pytest.approx(np.mean(losses))
    shares = []
    for asset in range(3):
        for level in range(2):
            means = [
                np.mean(
                    [
                        winkler(
                            ACTUAL[row, asset],
                            each.intervals[level].lower[row, asset],
                            each.intervals[level].upper[row, asset],
                            each.intervals[level].level,
                        )
                        for row in range(len(ACTUAL))
                    ]
                )
                for each in (candidate, champion)
            ]
            shares.append(1 - means[0] / means[1])
    assert found.interval_gain.mean == pytest.approx(np.mean(shares))
    assert found.r2_gain.lower_95 > 0
    assert found.interval_gain.lower_95 > 0


def test_the_other_way_round_the_candidate_is_surely_worse() -> None:
    found = paired_scores(scored(np.zeros(SIGNAL.shape), 1.5), scored(SIGNAL), SYMBOLS)
    assert found.r2_gain.upper_95 < 0
    assert found.interval_gain.upper_95 < 0


def test_equal_forecasts_gain_exactly_nothing() -> None:
    found = paired_scores(scored(SIGNAL), scored(SIGNAL), SYMBOLS)
    for gain in (found.r2_gain, found.interval_gain):
        assert (gain.mean, gain.lower_95, gain.upper_95) == (0, 0, 0)


def test_an_asset_that_does_not_move_decides_nothing() -> None:
    still = ACTUAL.copy()
    still[:, 1] = 0.0
    found = paired_scores(scored(SIGNAL, actual=still), scored(2 * SIGNAL, actual=still), SYMBOLS)
    others = [0, 2]
    gains = [found.asset_r2[SYMBOLS[asset]] for asset in others]
    assert np.isnan(found.asset_r2["B"]).all()
    assert found.r2_gain.mean == pytest.approx(np.mean([ours - theirs for ours, theirs in gains]))
