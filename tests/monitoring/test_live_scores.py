from __future__ import annotations

import numpy as np
import pytest

from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.bootstrap import bootstrap_mean
from roi_forecast.monitoring.live_scores import score_outcomes
from roi_forecast.monitoring.outcomes import Outcomes

SESSIONS = 60
GENERATOR = np.random.default_rng(6)
ACTUAL = GENERATOR.normal(0, 1.5, (SESSIONS, 3))
PREDICTED = 0.2 * ACTUAL + GENERATOR.normal(0, 0.3, ACTUAL.shape)


def outcomes(actual: np.ndarray, predicted: np.ndarray, persistence: np.ndarray) -> Outcomes:
    wide = np.full(actual.shape, 1e3)
    dates = np.datetime64("2024-01-01") + np.arange(SESSIONS)
    gaps = {"gap_roi_pct": 0.4 * predicted, "realised_gap_pct": 0.3 * actual}
    parts = {
        **gaps,
        "open_to_close_roi_pct": predicted - gaps["gap_roi_pct"],
        "realised_open_to_close_pct": actual - gaps["realised_gap_pct"],
    }
    missing = np.zeros(actual.shape)
    return Outcomes(
        1,
        dates,
        actual,
        predicted,
        persistence,
        -wide,
        wide,
        -wide,
        wide,
        **parts,
        missing_context=missing,
    )


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
    growth, repeated = rate * rounding
    together = score_outcomes(
        outcomes(
            with_column(ACTUAL, growth),
            with_column(PREDICTED, np.full(SESSIONS, 0.3)),
            with_column(before, repeated),
        )
    ).estimates
    for name in ("value", "lower_95", "upper_95"):
        found = getattr(together["r2_against_persistence"], name)
        assert found == pytest.approx(getattr(alone["r2_against_persistence"], name))
    if rate == 0.0:
        assert together["r2_against_zero"] == alone["r2_against_zero"]


def test_gains_are_undefined_if_nothing_moves() -> None:
    still = np.zeros(ACTUAL.shape)
    found = score_outcomes(outcomes(still, PREDICTED, still)).estimates
    for name in ("r2_against_zero", "r2_against_persistence", "directional_accuracy"):
        assert np.isnan(list(vars(found[name]).values())).all()


def test_live_forecasts_are_scored_with_every_metric_of_test_rows() -> None:
    found = score_outcomes(outcomes(ACTUAL, PREDICTED, np.roll(ACTUAL, 1, axis=0))).estimates
    named = {metric.name for metric in metrics.OF_ROI}
    assert named | {"coverage_80", "interval_score_80", "coverage_95"} <= set(found)
    for name in named:
        estimate = found[name]
        assert estimate.lower_95 <= estimate.value <= estimate.upper_95, name
    errors = PREDICTED - ACTUAL
    assert found["mae"].value == pytest.approx(np.abs(errors).mean())
    assert found["rmse"].value == pytest.approx(np.sqrt((errors**2).mean()))


def test_the_gain_over_zero_is_that_of_paired_differences() -> None:
    found = score_outcomes(outcomes(ACTUAL, PREDICTED, ACTUAL * 3)).estimates["r2_against_zero"]
    losses = ((PREDICTED - ACTUAL) ** 2 - ACTUAL**2) / (ACTUAL**2).mean(axis=0)
    expected = bootstrap_mean(losses, block_sessions=10, widened=True)
    assert found.value == pytest.approx(-expected.mean)
    assert found.lower_95 == pytest.approx(-expected.upper_95)
    assert found.upper_95 == pytest.approx(-expected.lower_95)


def test_parts_are_scored_where_both_sides_are_known() -> None:
    found = outcomes(ACTUAL, PREDICTED, ACTUAL * 3)
    found.gap_roi_pct[:, 1] = np.nan
    found.realised_gap_pct[5, 0] = np.nan
    scores = score_outcomes(found)
    assert set(scores.parts) == {"gap_pct", "open_to_close_pct"}
    actual, forecast = 0.3 * ACTUAL[:, [0, 2]], 0.4 * PREDICTED[:, [0, 2]]
    actual[5, 0] = np.nan
    losses = ((forecast - actual) ** 2 - actual**2) / np.nanmean(actual**2, axis=0)
    gain = scores.parts["gap_pct"]["r2_against_zero"]
    assert gain.value == pytest.approx(-np.nanmean(losses))
    assert gain.lower_95 < gain.value < gain.upper_95
    assert ("gap_pct", "r2_against_zero_lower_95", gain.lower_95) in list(scores.figures())


def test_forecasts_without_parts_have_no_scores_of_them() -> None:
    found = outcomes(ACTUAL, PREDICTED, ACTUAL * 3)
    found.gap_roi_pct[:] = found.open_to_close_roi_pct[:] = np.nan
    assert score_outcomes(found).parts == {}


def test_forecasts_made_without_some_context_are_counted_once_each() -> None:
    found = outcomes(ACTUAL, PREDICTED, ACTUAL * 3)
    found.missing_context[3, 1], found.missing_context[7, 0], found.missing_context[8, 2] = (
        2,
        1,
        np.nan,
    )
    assert score_outcomes(found).missing_context == 2
