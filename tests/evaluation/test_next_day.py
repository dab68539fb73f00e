from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize_scalar

from roi_forecast.errors import EvaluationError
from roi_forecast.evaluation.next_day import NextDayCalibration, shrinkage_factor

VALUES = arrays(np.float64, (30, 2), elements=st.floats(-0.125, 0.125, width=32))


def test_shrinkage_is_the_factor_that_a_search_finds() -> None:
    generator = np.random.default_rng(2)
    actual = generator.normal(0, [0.01, 0.05], (200, 2))
    implied = 0.8 * actual + generator.normal(0, [0.02, 0.1], (200, 2))
    scale = np.sqrt((actual**2).mean(axis=0))

    def loss(factor: float) -> float:
        return float((((actual - factor * implied) / scale) ** 2).sum())

    expected = minimize_scalar(loss, bounds=(0, 1), method="bounded").x
    assert shrinkage_factor(implied, actual) == pytest.approx(expected, abs=1e-4)
    assert 0.05 < expected < 0.95


def test_shrinkage_is_zero_where_the_forecast_points_the_wrong_way() -> None:
    actual = np.random.default_rng(1).normal(0, 1, (50, 2))
    assert shrinkage_factor(-actual, actual) == 0.0


def test_shrinkage_never_exceeds_one() -> None:
    actual = np.random.default_rng(1).normal(0, 1, (50, 2))
    assert shrinkage_factor(actual / 5, actual) == 1.0


def test_shrinkage_of_a_forecast_of_nothing_is_zero() -> None:
    assert shrinkage_factor(np.zeros((5, 1)), np.ones((5, 1))) == 0.0


@given(VALUES, VALUES)
def test_intervals_hold_their_share_of_the_rows_they_were_fitted_on(
    implied: np.ndarray, actual: np.ndarray
) -> None:
    calibration = NextDayCalibration.fit(implied, actual)
    assert 0 <= calibration.shrinkage <= 1
    error = np.abs(actual - calibration.shrinkage * implied)
    assert ((error <= calibration.half_width_80).mean(axis=0) >= 0.80).all()
    assert ((error <= calibration.half_width_95).mean(axis=0) >= 0.95).all()
    assert (calibration.half_width_95 >= calibration.half_width_80).all()


def test_half_width_is_the_residual_of_the_conformal_rank() -> None:
    actual = np.arange(1.0, 100.0).reshape(-1, 1)
    calibration = NextDayCalibration.fit(np.zeros_like(actual), actual)
    # ceil(100 * 0.80) = 80 and ceil(100 * 0.95) = 95, of the residuals 1 to 99.
    assert calibration.half_width_80.tolist() == [80.0]
    assert calibration.half_width_95.tolist() == [95.0]


def test_filled_entries_do_not_count() -> None:
    actual = np.arange(1.0, 100.0).reshape(-1, 1)
    padded = np.vstack([actual, np.full((50, 1), np.nan)])
    expected = NextDayCalibration.fit(np.zeros_like(actual), actual)
    assert NextDayCalibration.fit(np.zeros_like(padded), padded).half_width_80 == (
        expected.half_width_80
    )


def test_an_asset_without_a_counted_entry_is_refused() -> None:
    with pytest.raises(EvaluationError, match="no bar on any validation session"):
        NextDayCalibration.fit(np.zeros((3, 1)), np.full((3, 1), np.nan))


def test_json_keeps_every_digit() -> None:
    calibration = NextDayCalibration(1 / 3, np.array([0.1, 1 / 7]), np.array([0.2, 2 / 7]))
    read = NextDayCalibration.from_json(json.loads(json.dumps(calibration.to_json())))
    assert read.shrinkage == calibration.shrinkage
    np.testing.assert_array_equal(read.half_width_95, calibration.half_width_95)
