from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from roi_forecast.evaluation import metrics

GENERATOR = np.random.default_rng(11)
ACTUAL = GENERATOR.normal(0, 1, (40, 3))
PREDICTED = ACTUAL * 0.6 + GENERATOR.normal(0, 0.5, (40, 3))


@pytest.mark.parametrize(
    ("metric", "oracle"),
    [
        (metrics.mean_absolute_error, mean_absolute_error),
        (metrics.root_mean_squared_error, root_mean_squared_error),
        (metrics.r2, r2_score),
    ],
)
def test_metrics_equal_those_of_scikit_learn(metric: metrics.Metric, oracle: object) -> None:
    expected = [oracle(ACTUAL[:, asset], PREDICTED[:, asset]) for asset in range(3)]  # type: ignore[operator]
    np.testing.assert_allclose(metric(ACTUAL, PREDICTED), expected)


def test_overall_r2_is_the_unweighted_mean_of_the_assets() -> None:
    expected = np.mean([r2_score(ACTUAL[:, asset], PREDICTED[:, asset]) for asset in range(3)])
    assert metrics.r2.overall(ACTUAL, PREDICTED) == pytest.approx(expected)


def test_overall_rmse_is_the_root_of_the_mean_square() -> None:
    expected = root_mean_squared_error(ACTUAL.ravel(), PREDICTED.ravel())
    found = metrics.root_mean_squared_error.overall(ACTUAL, PREDICTED)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    "metric", [metrics.mean_absolute_error, metrics.r2, metrics.directional_accuracy]
)
def test_a_filled_target_counts_nowhere(metric: metrics.Metric) -> None:
    masked, wild = ACTUAL.copy(), PREDICTED.copy()
    masked[5:9, 1] = np.nan
    wild[5:9, 1] = 1e9
    kept = np.delete(np.arange(40), range(5, 9))
    expected = metric(ACTUAL[kept][:, [1]], PREDICTED[kept][:, [1]])[0]
    assert metric(masked, wild)[1] == pytest.approx(expected)


@pytest.mark.parametrize("metric", [metrics.mean_absolute_error, metrics.r2])
def test_a_nan_forecast_of_a_counted_entry_makes_the_figure_nan(metric: metrics.Metric) -> None:
    broken = PREDICTED.copy()
    broken[3, 0] = np.nan
    assert math.isnan(metric(ACTUAL, broken)[0])
    assert math.isnan(metric.overall(ACTUAL, broken))


def test_r2_of_an_asset_that_never_varies_is_left_out_of_the_mean() -> None:
    actual, predicted = ACTUAL.copy(), PREDICTED.copy()
    actual[:, 2] = 0.5
    assert math.isnan(metrics.r2(actual, predicted)[2])
    expected = np.mean([r2_score(actual[:, asset], predicted[:, asset]) for asset in range(2)])
    assert metrics.r2.overall(actual, predicted) == pytest.approx(expected)


def test_overall_is_nan_without_any_counted_entry() -> None:
    assert math.isnan(metrics.r2.overall(np.full((4, 2), np.nan), np.zeros((4, 2))))


def test_r2_against_zero_is_zero_for_the_zero_forecast() -> None:
    np.testing.assert_allclose(metrics.r2_against_zero(ACTUAL, np.zeros_like(ACTUAL)), 0)


def test_directional_accuracy_leaves_out_zeros() -> None:
    actual = np.array([[1.0], [-1.0], [2.0], [0.0], [3.0]])
    predicted = np.array([[0.1], [0.1], [0.1], [0.1], [0.0]])
    assert metrics.directional_accuracy(actual, predicted)[0] == pytest.approx(2 / 3)


def test_directional_accuracy_of_prices_that_never_moved_is_not_defined() -> None:
    found = metrics.directional_accuracy(np.zeros((5, 1)), np.ones((5, 1)))
    assert math.isnan(found[0])


UNITS = st.floats(1e-9, 1e9).flatmap(lambda size: st.sampled_from([size, -size]))


@settings(max_examples=60)
@given(UNITS, st.floats(-10, 10))
def test_no_unit_and_no_zero_point_changes_r2(unit: float, zero: float) -> None:
    found = metrics.r2(unit * (ACTUAL + zero), unit * (PREDICTED + zero))
    np.testing.assert_allclose(found, metrics.r2(ACTUAL, PREDICTED), rtol=1e-9)
    against_zero = metrics.r2_against_zero(unit * ACTUAL, unit * PREDICTED)
    np.testing.assert_allclose(against_zero, metrics.r2_against_zero(ACTUAL, PREDICTED), rtol=1e-9)


@settings(max_examples=60)
@given(UNITS, st.integers(0, 1000))
def test_r2_of_values_that_vary_by_rounding_alone_is_not_defined(value: float, seed: int) -> None:
    steps = np.random.default_rng(seed).integers(-9, 10, ACTUAL.shape)
    actual = value * (1 + steps * np.finfo(np.float64).eps)
    assert np.isnan(metrics.r2(actual, PREDICTED)).all()
    assert math.isnan(metrics.r2.overall(actual, PREDICTED))


def test_a_suspended_asset_is_left_out_of_the_overall_r2() -> None:
    actual = ACTUAL.copy()
    # Scaled zeros, as a price gives that stands still on all test rows.
    actual[:, 2] = (0.0 - 0.0123) * 31.7
    expected = metrics.r2.overall(ACTUAL[:, :2], PREDICTED[:, :2])
    assert metrics.r2.overall(actual, PREDICTED) == pytest.approx(expected)


def test_r2_against_zero_where_nothing_moved_is_not_defined() -> None:
    actual = ACTUAL.copy()
    actual[:, 1] = 0.0
    assert np.isnan(metrics.r2_against_zero(actual, PREDICTED)).tolist() == [False, True, False]


def test_a_forecast_without_bounds_is_not_left_out() -> None:
    wild = PREDICTED.copy()
    wild[:, 1] = 1e200
    with np.errstate(over="ignore"):
        assert metrics.r2.overall(ACTUAL, wild) == -np.inf


@settings(max_examples=40)
@given(UNITS)
def test_an_opponent_that_is_always_right_leaves_nothing_to_compare_with(unit: float) -> None:
    actual = unit * ACTUAL
    opponent = actual * (1 + 4 * np.finfo(np.float64).eps)
    opponent[:, 0] = unit
    found = metrics.r2_against("r2", opponent)(actual, unit * PREDICTED)
    assert np.isfinite(found).tolist() == [True, False, False]
