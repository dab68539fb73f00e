from __future__ import annotations

import numpy as np
import pytest

from roi_forecast.monitoring.live_scores import score_outcomes
from roi_forecast.monitoring.outcomes import Outcomes

SESSIONS = 60
GENERATOR = np.random.default_rng(6)
ACTUAL = GENERATOR.normal(0, 1.5, (SESSIONS, 3))
PREDICTED = 0.2 * ACTUAL + GENERATOR.normal(0, 0.3, ACTUAL.shape)


def outcomes(actual: np.ndarray, predicted: np.ndarray, persistence: np.ndarray) -> Outcomes:
    inside = np.ones(actual.shape)
    dates = np.datetime64("2024-01-01") + np.arange(SESSIONS)
    return Outcomes(1, dates, actual, predicted, persistence, inside, inside)


def with_column(values: np.ndarray, column: np.ndarray) -> np.ndarray:
    return np.hstack([values, column[:, np.newaxis]])


@pytest.mark.parametrize("rate", [0.0, 0.01])
def test_an_asset_that_the_opponent_forecasts_exactly_does_not_count_in_the_gain_over_it(
    rate: float,
) -> None:
    before = np.roll(ACTUAL, 1, axis=0)
    alone = score_outcomes(outcomes(ACTUAL, PREDICTED, before)).estimates
    # Steady growth, or none: persistence is right but for rounding, zero where nothing moved.
    rounding = 1 + GENERATOR.integers(-9, 10, (2, SESSIONS)) * 2.0**-52
    came, repeated = rate * rounding
    beside = score_outcomes(
        outcomes(
            with_column(ACTUAL, came),
            with_column(PREDICTED, np.full(SESSIONS, 0.3)),
            with_column(before, repeated),
        )
    ).estimates
    for name in ("value", "lower_95", "upper_95"):
        found = getattr(beside["r2_against_persistence"], name)
        assert found == pytest.approx(getattr(alone["r2_against_persistence"], name))
    if rate == 0.0:
        assert beside["r2_against_zero"] == alone["r2_against_zero"]


def test_gains_are_undefined_if_nothing_moves() -> None:
    still = np.zeros(ACTUAL.shape)
    found = score_outcomes(outcomes(still, PREDICTED, still)).estimates
    for name in ("r2_against_zero", "r2_against_persistence", "directional_accuracy"):
        assert np.isnan(list(vars(found[name]).values())).all()
