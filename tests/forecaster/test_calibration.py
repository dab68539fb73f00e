from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset, with_wild_rows_from
from roi_forecast.config import MultiStep
from roi_forecast.errors import EvaluationError, RegistryError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import log_roi_ahead, to_percent
from roi_forecast.forecaster.calibration import METHODS, Calibration
from roi_forecast.forecaster.expanding_scale import fit_expanding_scale
from roi_forecast.forecaster.scale_inputs import scale_inputs
from roi_forecast.forecaster.shrinkage import shrinkage_factor
from roi_forecast.network.ridge import fit_ridge

DATASET = synthetic_dataset(rows=400)
RIDGE = fit_ridge(DATASET, 1.0)
TEST = DATASET.split.test


def fit(dataset: Dataset = DATASET) -> Calibration:
    return Calibration.fit(dataset, fit_ridge(dataset, 1.0).forecast_windows, 1.0)


def forecast(
    calibration: Calibration,
    method: MultiStep,
    dataset: Dataset,
    origins: range = TEST,
    horizons: int = 8,
) -> np.ndarray:
    preprocessing = Preprocessing.of_dataset(dataset)
    return calibration.forecast(
        method, RIDGE.forecast_windows, preprocessing, dataset, origins, horizons
    )


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return fit()


def test_no_row_of_the_test_takes_part_in_what_is_fitted(calibration: Calibration) -> None:
    assert fit(with_wild_rows_from(DATASET, TEST.start)).to_json() == calibration.to_json()


def test_validation_rows_take_part_in_the_shrinkage_alone(calibration: Calibration) -> None:
    wild = fit(with_wild_rows_from(DATASET, DATASET.split.validation.start)).to_json()
    own = calibration.to_json()
    assert wild["scale"] == own["scale"]
    assert wild["direct"] == own["direct"]
    assert wild["shrinkage"] != own["shrinkage"]


def test_training_rows_take_part_in_the_scale(calibration: Calibration) -> None:
    earlier = fit(with_wild_rows_from(DATASET, DATASET.split.train.stop - 1)).to_json()
    assert earlier["scale"] != calibration.to_json()["scale"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("row", [TEST.start + 3, TEST.start + 40])
def test_a_planted_future_value_changes_no_forecast_and_no_interval_before_it(
    calibration: Calibration, method: MultiStep, row: int
) -> None:
    wild = with_wild_rows_from(DATASET, row)
    expected = forecast(calibration, method, DATASET)
    found = forecast(calibration, method, wild)
    known = slice(0, row - TEST.start + 1)
    np.testing.assert_array_equal(found[:, known], expected[:, known])
    assert not np.array_equal(found[:, known.stop], expected[:, known.stop])
    before = calibration.intervals(method, DATASET, expected, TEST)
    after = calibration.intervals(method, wild, found, TEST)
    for horizon in range(8):
        for one, other in zip(before[horizon], after[horizon], strict=True):
            np.testing.assert_array_equal(one.lower[known], other.lower[known])
            np.testing.assert_array_equal(one.upper[known], other.upper[known])


@pytest.mark.parametrize("method", METHODS)
def test_horizon_1_is_the_next_day_in_both_ways(
    calibration: Calibration, method: MultiStep
) -> None:
    cumulated = forecast(calibration, method, DATASET)
    scaled = RIDGE.predict(DATASET.scaled, DATASET.scaled_log_roi, TEST)
    span = DATASET.smoothing
    known = np.stack([DATASET.log_roi[row - span + 1 : row].sum(axis=0) for row in TEST])
    implied = span * DATASET.scaler.inverse(scaled) - known
    np.testing.assert_allclose(cumulated[0], implied, atol=1e-8)
    validation = DATASET.split.validation
    actual = np.where(DATASET.filled, np.nan, DATASET.log_roi)[validation.start : validation.stop]
    factor = shrinkage_factor(forecast(calibration, method, DATASET, validation, 1)[0], actual)
    np.testing.assert_allclose(calibration.publish(method, cumulated)[0], factor * cumulated[0])
    alone = calibration.intervals(method, DATASET, cumulated[:1], TEST)[0]
    found = calibration.intervals(method, DATASET, cumulated, TEST)[0]
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(one.upper, other.upper)


@pytest.mark.parametrize("method", METHODS)
def test_coverage_of_unpredictable_returns_is_near_the_level(method: MultiStep) -> None:
    dataset = synthetic_dataset(rows=2500, assets=4)
    calibration = fit(dataset)
    test = dataset.split.test
    cumulated = calibration.forecast(
        method,
        fit_ridge(dataset, 1.0).forecast_windows,
        Preprocessing.of_dataset(dataset),
        dataset,
        test,
        5,
    )
    found = calibration.intervals(method, dataset, cumulated, test)
    actual = to_percent(log_roi_ahead(dataset.log_roi, dataset.filled, 5))[test.start :]
    for intervals in found[4]:
        # A fifth of 1800 entries are independent: four standard errors at 80 % are 0.084.
        assert np.nanmean(intervals.covers(actual)) == pytest.approx(intervals.level, abs=0.08)


def test_the_row_after_the_last_has_the_interval_that_its_row_would_have(
    calibration: Calibration,
) -> None:
    last = len(DATASET.dates) - 1
    cumulated = forecast(calibration, "direct", DATASET)
    expected = calibration.intervals("direct", DATASET, cumulated, range(last, last + 1))
    names = ("dates", "log_roi", "true_range", "filled")
    shorter = replace(DATASET, **{name: getattr(DATASET, name)[:last] for name in names})
    found = calibration.intervals(
        "direct", shorter, cumulated, range(last, last + 1), DATASET.dates[last]
    )
    for horizon in range(8):
        for one, other in zip(expected[horizon], found[horizon], strict=True):
            np.testing.assert_array_equal(one.lower, other.lower)


def test_a_target_without_a_forecast_is_refused(calibration: Calibration) -> None:
    cumulated = forecast(calibration, "direct", DATASET)
    with pytest.raises(EvaluationError, match="need their forecasts"):
        calibration.intervals("direct", DATASET, cumulated[:, 1:], TEST)


def test_json_keeps_every_digit_and_every_horizon(calibration: Calibration) -> None:
    read = Calibration.from_json(json.loads(json.dumps(calibration.to_json())))
    for method in METHODS:
        expected = forecast(calibration, method, DATASET, range(395, 401), 30)
        found = forecast(read, method, DATASET, range(395, 401), 30)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(
            read.publish(method, found), calibration.publish(method, expected)
        )
    whole = forecast(read, "direct", DATASET, TEST, 30)
    for one, other in zip(
        read.intervals("direct", DATASET, whole, range(399, 400))[29],
        calibration.intervals("direct", DATASET, whole, range(399, 400))[29],
        strict=True,
    ):
        np.testing.assert_array_equal(one.upper, other.upper)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 3}, "of format 3, this code reads format 5"),
        ({"shrinkage": None}, "is damaged"),
        ({"shrinkage": {"direct": [0.1]}}, "is damaged"),
        ({"shrinkage": {"direct": [0.1], "recursive": [0.1]}}, "does not reach to horizon 30"),
        (
            {"scale": {"1": [{"from": "2024-01-01", "intercept": 0.0, "slopes": [1.0]}]}},
            "does not take",
        ),
    ],
)
def test_a_calibration_of_another_format_is_refused(
    calibration: Calibration, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(RegistryError, match=message):
        Calibration.from_json({**calibration.to_json(), **change})


@pytest.mark.parametrize("content", [None, {}, [], {"half_width_80": [0.1]}])
def test_what_is_no_calibration_is_refused(content: object) -> None:
    with pytest.raises(RegistryError, match="of format"):
        Calibration.from_json(content)


def test_an_interval_is_as_many_scales_wide_as_the_rows_before_were_off(
    calibration: Calibration,
) -> None:
    factors = {method: np.full(30, 0.25) for method in METHODS}
    changed = replace(calibration, shrinkage=factors)
    implied = np.random.default_rng(8).normal(0, 0.01, DATASET.log_roi.shape)
    target = TEST.start + 30
    ((at_80, at_95),) = changed.intervals(
        "direct", DATASET, implied[np.newaxis, TEST.start :], range(target, target + 1)
    )
    scales = calibration.scale.by_anchor[1].predict(scale_inputs(DATASET))
    for asset in range(len(DATASET.symbols)):
        scores = []
        for row in range(target):
            if DATASET.filled[row, asset] or np.isnan(scales[row, asset]):
                continue
            forecast = 0.25 * implied[row, asset] if row >= TEST.start else 0.0
            scores.append(abs(DATASET.log_roi[row, asset] - forecast) / scales[row, asset])
        for intervals, percent in ((at_80, 80), (at_95, 95)):
            rank = -(-(len(scores) + 1) * percent // 100)
            half = sorted(scores)[rank - 1] * scales[target, asset]
            middle = 0.25 * implied[target, asset]
            assert intervals.lower[0, asset] == pytest.approx(100 * np.expm1(middle - half))
            assert intervals.upper[0, asset] == pytest.approx(100 * np.expm1(middle + half))


def test_every_training_score_comes_from_a_scale_fitted_before_it() -> None:
    stop = DATASET.split.train.stop
    full = fit_expanding_scale(scale_inputs(DATASET), DATASET.log_roi, stop)
    expected = full.predict(scale_inputs(DATASET))
    for row in (100, 150, 200):
        wild = with_wild_rows_from(DATASET, row)
        fits = fit_expanding_scale(scale_inputs(wild), wild.log_roi, stop)
        found = fits.predict(scale_inputs(wild))
        np.testing.assert_array_equal(found[: row + 1], expected[: row + 1])
        assert np.isfinite(expected[row]).all()


def test_targets_before_any_score_are_refused(calibration: Calibration) -> None:
    cumulated = np.zeros((1, *DATASET.log_roi.shape))
    with pytest.raises(EvaluationError, match=r"too few rows to know .*earlier start_date"):
        calibration.intervals("direct", DATASET, cumulated, range(40, 41))


def test_a_validation_without_a_bar_is_refused() -> None:
    filled = DATASET.filled.copy()
    filled[DATASET.split.validation.start : DATASET.split.validation.stop] = True
    with pytest.raises(EvaluationError, match="no asset has a bar on any validation session"):
        fit(replace(DATASET, filled=filled))


def test_a_forecast_that_is_shrunk_to_nothing_is_a_plain_zero(calibration: Calibration) -> None:
    nothing = replace(calibration, shrinkage={method: np.zeros(30) for method in METHODS})
    published = nothing.publish("direct", -np.ones((2, 3, 3)))
    assert not published.any()
    assert not np.signbit(published).any()
