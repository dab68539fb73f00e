from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.config import MultiStep
from roi_forecast.errors import EvaluationError, RegistryError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import log_roi_ahead, to_percent
from roi_forecast.forecaster.horizons import METHODS, HorizonCalibration, horizon_shrinkage
from roi_forecast.forecaster.next_day import NextDayCalibration, shrinkage_factor
from roi_forecast.forecaster.recursive import forecast_recursively
from roi_forecast.network.ridge import fit_ridge

DATASET = synthetic_dataset(rows=400)
RIDGE = fit_ridge(DATASET, 1.0)
TEST = DATASET.split.test


def fit(dataset: Dataset = DATASET) -> HorizonCalibration:
    ridge = fit_ridge(dataset, 1.0)
    preprocessing = Preprocessing.of_dataset(dataset)
    implied = forecast_recursively(
        ridge.forecast_windows, preprocessing, dataset, dataset.split.validation, 1
    )[0]
    next_day = NextDayCalibration.fit(dataset, implied)
    return HorizonCalibration.fit(dataset, next_day, ridge.forecast_windows, 1.0)


def forecast(
    calibration: HorizonCalibration,
    method: MultiStep,
    dataset: Dataset,
    origins: range = TEST,
    horizons: int = 8,
) -> np.ndarray:
    preprocessing = Preprocessing.of_dataset(dataset)
    return calibration.forecast(
        method, RIDGE.forecast_windows, preprocessing, dataset, origins, horizons
    )


def with_wild_rows_from(row: int) -> Dataset:
    generator = np.random.default_rng(3)
    changed = {}
    for name in ("log_roi", "smoothed", "true_range", "scaled", "scaled_log_roi"):
        values = getattr(DATASET, name).copy()
        values[row:] = generator.uniform(0.1, 0.4, values[row:].shape)
        changed[name] = values
    filled = DATASET.filled.copy()
    filled[row:] ^= True
    return replace(DATASET, filled=filled, **changed)


@pytest.fixture(scope="module")
def calibration() -> HorizonCalibration:
    return fit()


def test_no_row_of_the_test_takes_part_in_what_is_fitted(calibration: HorizonCalibration) -> None:
    assert fit(with_wild_rows_from(TEST.start)).to_json() == calibration.to_json()


def test_validation_rows_take_part_in_the_shrinkage_alone(calibration: HorizonCalibration) -> None:
    wild = fit(with_wild_rows_from(DATASET.split.validation.start)).to_json()
    own = calibration.to_json()
    assert wild["horizons"]["scale"] == own["horizons"]["scale"]
    assert wild["horizons"]["direct"] == own["horizons"]["direct"]
    assert wild["horizons"]["shrinkage"] != own["horizons"]["shrinkage"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("row", [TEST.start + 3, TEST.start + 40])
def test_a_planted_future_value_changes_no_forecast_and_no_interval_before_it(
    calibration: HorizonCalibration, method: MultiStep, row: int
) -> None:
    wild = with_wild_rows_from(row)
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
    calibration: HorizonCalibration, method: MultiStep
) -> None:
    cumulated = forecast(calibration, method, DATASET)
    scaled = RIDGE.predict(DATASET.scaled, DATASET.scaled_log_roi, TEST)
    span = DATASET.smoothing
    known = np.stack([DATASET.log_roi[row - span + 1 : row].sum(axis=0) for row in TEST])
    implied = span * DATASET.scaler.inverse(scaled) - known
    np.testing.assert_allclose(cumulated[0], implied, atol=1e-8)
    factor = calibration.next_day.shrinkage
    np.testing.assert_array_equal(calibration.publish(method, cumulated)[0], factor * cumulated[0])
    expected = calibration.next_day.intervals(DATASET, cumulated[0], TEST)
    found = calibration.intervals(method, DATASET, cumulated, TEST)[0]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.upper, other.upper)


def test_shrinkage_is_the_best_factor_of_moves_that_ended_before_the_test() -> None:
    generator = np.random.default_rng(6)
    validation, stop = DATASET.split.validation, TEST.start
    moves = np.stack(
        [log_roi_ahead(DATASET.log_roi, DATASET.filled, horizon) for horizon in (1, 2, 3, 4)]
    )
    rows = slice(validation.start, validation.stop)
    cumulated = np.nan_to_num(moves[:, rows]) + generator.normal(0, 0.02, (4, len(validation), 3))
    found = horizon_shrinkage(cumulated, DATASET, validation, stop)
    for horizon in (1, 2, 3, 4):
        came = moves[horizon - 1, rows].copy()
        for place, row in enumerate(validation):
            if row + horizon - 1 >= stop:
                came[place] = np.nan
        share = np.isfinite(came).any(axis=1).sum() / horizon
        expected = shrinkage_factor(cumulated[horizon - 1], came) * share / (share + 1)
        assert found[horizon - 1] == pytest.approx(expected)
        assert 0.1 < found[horizon - 1] < 0.9


def test_a_horizon_longer_than_the_validation_is_shrunk_to_zero() -> None:
    validation = range(TEST.start - 5, TEST.start - 1)
    cumulated = np.ones((8, 4, 3))
    found = horizon_shrinkage(cumulated, DATASET, validation, TEST.start)
    np.testing.assert_array_equal(found[5:], 0.0)


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
    calibration: HorizonCalibration,
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


def test_a_target_without_a_forecast_is_refused(calibration: HorizonCalibration) -> None:
    cumulated = forecast(calibration, "direct", DATASET)
    with pytest.raises(EvaluationError, match="need their forecasts"):
        calibration.intervals("direct", DATASET, cumulated[:, 1:], TEST)


def test_json_keeps_every_digit_and_every_horizon(calibration: HorizonCalibration) -> None:
    read = HorizonCalibration.from_json(json.loads(json.dumps(calibration.to_json())))
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
        ({"format": 3}, "of format 3, this code reads format 4"),
        ({"horizons": None}, "is damaged"),
        ({"horizons": {"shrinkage": {"direct": [0.1]}}}, "is damaged"),
        (
            {"horizons": {"shrinkage": {"direct": [0.1], "recursive": [0.1]}}},
            "does not reach to horizon 30",
        ),
    ],
)
def test_a_calibration_of_another_format_is_refused(
    calibration: HorizonCalibration, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(RegistryError, match=message):
        HorizonCalibration.from_json({**calibration.to_json(), **change})
