from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.errors import EvaluationError, RegistryError
from roi_forecast.features.dataset import Dataset
from roi_forecast.forecaster.expanding_scale import fit_expanding_scale
from roi_forecast.forecaster.next_day import NextDayCalibration, shrinkage_factor
from roi_forecast.forecaster.scale_inputs import scale_inputs

DATASET = synthetic_dataset(rows=400)
IMPLIED = np.random.default_rng(8).normal(0, 0.01, DATASET.log_roi.shape)


def fit(dataset: Dataset, implied: np.ndarray = IMPLIED) -> NextDayCalibration:
    validation = dataset.split.validation
    return NextDayCalibration.fit(dataset, implied[validation.start : validation.stop])


def implied_of_test(dataset: Dataset, implied: np.ndarray = IMPLIED) -> np.ndarray:
    return implied[dataset.split.test.start :]


def with_other_rows_from(dataset: Dataset, row: int) -> Dataset:
    """The same dataset with wild values from a row on."""
    generator = np.random.default_rng(3)
    changed = {}
    for name in ("log_roi", "smoothed", "true_range"):
        values = getattr(dataset, name).copy()
        values[row:] = generator.uniform(0.1, 0.4, values[row:].shape)
        changed[name] = values
    return replace(dataset, **changed)


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


@pytest.mark.parametrize("came", [0.0, 1e-17])
def test_an_asset_that_did_not_move_has_no_say_in_the_shrinkage(came: float) -> None:
    generator = np.random.default_rng(2)
    actual = generator.normal(0, 0.01, (200, 2))
    implied = 0.5 * actual + generator.normal(0, 0.004, (200, 2))
    signs = generator.choice([-1.0, 1.0], (200, 1))
    beside = shrinkage_factor(
        np.hstack([implied, 0.01 * signs]), np.hstack([actual, came * generator.random((200, 1))])
    )
    assert beside == pytest.approx(shrinkage_factor(implied, actual))


def test_shrinkage_never_exceeds_one() -> None:
    actual = np.random.default_rng(1).normal(0, 1, (50, 2))
    assert shrinkage_factor(actual / 5, actual) == 1.0


def test_shrinkage_of_a_forecast_of_nothing_is_zero() -> None:
    assert shrinkage_factor(np.zeros((5, 1)), np.ones((5, 1))) == 0.0


def test_an_interval_is_as_many_scales_wide_as_the_rows_before_were_off() -> None:
    calibration = replace(fit(DATASET), shrinkage=0.25)
    test = DATASET.split.test
    target = test.start + 30
    at_80, at_95 = calibration.intervals(
        DATASET, implied_of_test(DATASET), range(target, target + 1)
    )
    scales = calibration.scale.predict(scale_inputs(DATASET))
    for asset in range(len(DATASET.symbols)):
        scores = []
        for row in range(target):
            if DATASET.filled[row, asset] or np.isnan(scales[row, asset]):
                continue
            forecast = 0.25 * IMPLIED[row, asset] if row >= test.start else 0.0
            scores.append(abs(DATASET.log_roi[row, asset] - forecast) / scales[row, asset])
        for intervals, percent in ((at_80, 80), (at_95, 95)):
            rank = -(-(len(scores) + 1) * percent // 100)
            half = sorted(scores)[rank - 1] * scales[target, asset]
            middle = 0.25 * IMPLIED[target, asset]
            assert intervals.lower[0, asset] == pytest.approx(100 * np.expm1(middle - half))
            assert intervals.upper[0, asset] == pytest.approx(100 * np.expm1(middle + half))


def test_no_row_of_the_test_takes_part_in_what_is_fitted() -> None:
    wild = with_other_rows_from(DATASET, DATASET.split.test.start)
    assert fit(wild).to_json() == fit(DATASET).to_json()


def test_no_validation_row_takes_part_in_the_scale() -> None:
    wild = with_other_rows_from(DATASET, DATASET.split.train.stop)
    assert fit(wild).scale.to_json() == fit(DATASET).scale.to_json()
    earlier = with_other_rows_from(DATASET, DATASET.split.train.stop - 1)
    assert fit(earlier).scale.to_json() != fit(DATASET).scale.to_json()


def test_an_interval_reads_no_row_from_its_target_on() -> None:
    calibration = fit(DATASET)
    target = DATASET.split.test.start + 12
    targets = range(DATASET.split.test.start, target + 1)
    expected = calibration.intervals(DATASET, implied_of_test(DATASET), targets)
    wild = with_other_rows_from(DATASET, target)
    found = calibration.intervals(wild, implied_of_test(DATASET), targets)
    for before, after in zip(expected, found, strict=True):
        np.testing.assert_array_equal(before.lower, after.lower)
        np.testing.assert_array_equal(before.upper, after.upper)
    later = calibration.intervals(
        with_other_rows_from(DATASET, target - 1), implied_of_test(DATASET), targets
    )
    assert (later[0].upper[-1] != expected[0].upper[-1]).all()


def test_every_training_score_comes_from_a_scale_fitted_before_it() -> None:
    full = fit_expanding_scale(scale_inputs(DATASET), DATASET.log_roi, DATASET.split.train.stop)
    for row in (100, 150, 200):
        wild = with_other_rows_from(DATASET, row)
        fits = fit_expanding_scale(scale_inputs(wild), wild.log_roi, DATASET.split.train.stop)
        expected = full.predict(scale_inputs(DATASET))
        found = fits.predict(scale_inputs(wild))
        np.testing.assert_array_equal(found[: row + 1], expected[: row + 1])
        assert np.isfinite(expected[row]).all()


def test_coverage_of_unpredictable_returns_is_near_the_level() -> None:
    dataset = synthetic_dataset(rows=3000, assets=4)
    implied = np.zeros(dataset.log_roi.shape)
    test = dataset.split.test
    actual = np.where(dataset.filled, np.nan, 100 * np.expm1(dataset.log_roi))[test.start :]
    for intervals in fit(dataset, implied).intervals(
        dataset, implied_of_test(dataset, implied), test
    ):
        coverage = np.nanmean(intervals.covers(actual))
        # Four standard errors of 2160 independent entries.
        assert coverage == pytest.approx(intervals.level, abs=0.035)


def test_the_next_session_has_the_interval_that_its_row_would_have() -> None:
    calibration = fit(DATASET)
    test, last = DATASET.split.test, len(DATASET.dates) - 1
    expected = calibration.intervals(DATASET, implied_of_test(DATASET), range(last, last + 1))
    shorter = replace(
        DATASET,
        **{
            name: getattr(DATASET, name)[:last]
            for name in ("dates", "log_roi", "true_range", "filled")
        },
    )
    found = calibration.intervals(
        shorter, IMPLIED[test.start :], range(last, last + 1), DATASET.dates[last]
    )
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one.lower, other.lower)
        np.testing.assert_array_equal(one.upper, other.upper)


def test_a_target_without_an_implied_value_is_refused() -> None:
    test = DATASET.split.test
    with pytest.raises(EvaluationError, match="need their implied log ROI"):
        fit(DATASET).intervals(DATASET, IMPLIED[test.start + 1 :], test)


def test_targets_before_any_score_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"too few rows to know .*earlier start_date"):
        fit(DATASET).intervals(DATASET, IMPLIED, range(40, 41))


def test_a_validation_without_a_bar_is_refused() -> None:
    filled = DATASET.filled.copy()
    filled[DATASET.split.validation.start : DATASET.split.validation.stop] = True
    with pytest.raises(EvaluationError, match="no asset has a bar on any validation session"):
        fit(replace(DATASET, filled=filled))


def test_json_keeps_every_digit() -> None:
    calibration = replace(fit(DATASET), shrinkage=1 / 3)
    read = NextDayCalibration.from_json(json.loads(json.dumps(calibration.to_json())))
    test = DATASET.split.test
    for one, other in zip(
        calibration.intervals(DATASET, implied_of_test(DATASET), test),
        read.intervals(DATASET, implied_of_test(DATASET), test),
        strict=True,
    ):
        np.testing.assert_array_equal(one.lower, other.lower)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"shrinkage": 0.1, "half_width_80": [0.1]}, "of format 1, this code reads format 4"),
        (None, "of format None"),
        ({"format": 4, "shrinkage": 0.1}, "is damaged"),
        (
            {
                "format": 4,
                "shrinkage": 0.1,
                "unseen_from": "2024-01-01",
                "scale": [{"from": "2024-01-01", "intercept": 0.0, "slopes": [1.0]}],
            },
            "does not take",
        ),
    ],
)
def test_a_calibration_of_another_format_is_refused(content: object, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        NextDayCalibration.from_json(content)  # type: ignore[arg-type]
