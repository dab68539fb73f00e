from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from forecaster.untrained import Formula, correcting
from network.synthetic_dataset import synthetic_dataset, with_wild_rows_from
from roi_forecast.config import MultiStep
from roi_forecast.errors import EvaluationError, RegistryError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import known_sum, log_roi_ahead, to_percent
from roi_forecast.forecaster.calibration import METHODS, Calibration, first_needed_row
from roi_forecast.forecaster.online_factor import online_factors
from roi_forecast.forecaster.recursive import WindowForecaster
from roi_forecast.forecaster.shrinkage import factors_ahead, supported_factor
from roi_forecast.forecaster.through_time import ThroughTime
from roi_forecast.linear.fit import LAGS
from roi_forecast.scale.inputs import scale_inputs
from roi_forecast.scale.through_time import fit_expanding_scale

HALF_LIFE = 120.0
DATASET = synthetic_dataset(rows=400, context=2, lead=0.4)
THROUGH_TIME = ThroughTime.fit(DATASET, HALF_LIFE)
TEST = DATASET.split.test
VALIDATION = DATASET.split.validation


def fit(dataset: Dataset = DATASET, network: WindowForecaster | None = correcting) -> Calibration:
    through_time = THROUGH_TIME if dataset is DATASET else ThroughTime.fit(dataset, HALF_LIFE)
    return Calibration.fit(dataset, through_time.linear, through_time.scale, network)


def linear_of(dataset: Dataset) -> np.ndarray:
    """The published linear part of all rows, NaN of the first ones."""
    linear = (
        THROUGH_TIME.linear if dataset is DATASET else ThroughTime.fit(dataset, HALF_LIFE).linear
    )
    published = linear.predict(dataset, range(LAGS, len(dataset.dates))).published
    return np.concatenate([np.full((LAGS, len(dataset.symbols)), np.nan), published])


LINEAR = linear_of(DATASET)


def forecast(
    calibration: Calibration,
    method: MultiStep,
    dataset: Dataset,
    origins: range = TEST,
    horizons: int = 8,
    network: WindowForecaster | None = correcting,
) -> np.ndarray:
    return calibration.forecast(
        method,
        network,
        Preprocessing.of_dataset(dataset),
        dataset,
        linear_of(dataset)[origins.start : origins.stop],
        origins,
        horizons,
    )


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return fit()


def test_the_lead_is_published_before_and_after_the_test_begins() -> None:
    """Else no test of this file would tell the linear part from nothing."""
    for part in (VALIDATION, TEST):
        assert np.abs(LINEAR[part.start : part.stop]).mean() > 0.001


def test_no_row_of_the_test_takes_part_in_what_is_fitted(calibration: Calibration) -> None:
    wild = fit(with_wild_rows_from(DATASET, TEST.start)).to_json()
    own = calibration.to_json()
    for name in ("network", "ahead", "direct", "unseen_from"):
        assert wild[name] == own[name]
    for anchor, fits in own["scale"].items():
        known = [each for each in fits if each["from"] <= own["unseen_from"]]
        assert wild["scale"][anchor][: len(known)] == known
        assert known


def test_validation_rows_take_part_in_the_factors_alone(calibration: Calibration) -> None:
    wild = with_wild_rows_from(DATASET, VALIDATION.start)
    # The linear part and the scale go through time and are given, not fitted here.
    linear, scale = THROUGH_TIME.linear, THROUGH_TIME.scale
    found = Calibration.fit(wild, linear, scale, correcting).to_json()
    own = calibration.to_json()
    assert found["direct"] == own["direct"]
    assert found["scale"] == own["scale"]
    assert found["network"] != own["network"]
    assert found["ahead"] != own["ahead"]


@pytest.mark.parametrize("method", METHODS)
def test_a_network_that_adds_nothing_publishes_the_linear_part_to_the_last_digit(
    method: MultiStep,
) -> None:
    silent = Formula(lambda windows, baseline: baseline)
    calibration = fit(network=silent)
    assert calibration.network == 0.0
    assert not calibration.ahead["recursive"].any()
    # Even all of it has no direction of its own where the linear part is zero.
    zero = np.zeros((len(TEST), len(DATASET.symbols)))
    for linear in (LINEAR[TEST.start :], zero):
        found = calibration.forecast(
            method, silent, Preprocessing.of_dataset(DATASET), DATASET, linear, TEST, 8
        )
        np.testing.assert_array_equal(found[0], linear)
        published = replace(calibration, network=1.0).publish("recursive", linear, found)
        np.testing.assert_array_equal(published[0], linear)


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
    published = calibration.publish(method, LINEAR[TEST.start :], expected)
    of_wild = calibration.publish(method, linear_of(wild)[TEST.start :], found)
    np.testing.assert_array_equal(of_wild[:, known], published[:, known])
    before = calibration.intervals(DATASET, LINEAR, published, TEST)
    after = calibration.intervals(wild, linear_of(wild), of_wild, TEST)
    for horizon in range(8):
        for one, other in zip(before[horizon], after[horizon], strict=True):
            np.testing.assert_array_equal(one.lower[known], other.lower[known])
            np.testing.assert_array_equal(one.upper[known], other.upper[known])


@pytest.mark.parametrize("method", METHODS)
def test_horizon_1_is_the_next_day_in_both_ways(
    calibration: Calibration, method: MultiStep
) -> None:
    cumulated = forecast(calibration, method, DATASET)
    span, scaler = DATASET.smoothing, DATASET.scaler
    known = known_sum(DATASET.log_roi, TEST, span)
    linear = LINEAR[TEST.start :]
    windows = np.stack([DATASET.inputs[row - DATASET.seq_len : row] for row in TEST])
    scaled = correcting.forecast_windows(windows, scaler.transform((known + linear) / span))
    np.testing.assert_allclose(cumulated[0], span * scaler.inverse(scaled) - known, atol=1e-8)
    published = calibration.publish(method, linear, cumulated)
    alone = calibration.intervals(DATASET, LINEAR, published[:1], TEST)[0]
    found = calibration.intervals(DATASET, LINEAR, published, TEST)[0]
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(one.upper, other.upper)


@pytest.mark.parametrize("method", METHODS)
def test_factors_are_those_that_validation_rows_support(
    calibration: Calibration, method: MultiStep
) -> None:
    cumulated = forecast(calibration, method, DATASET, VALIDATION, 30)
    rows = slice(VALIDATION.start, VALIDATION.stop)
    actual = np.where(DATASET.filled, np.nan, DATASET.log_roi)[rows]
    added = cumulated[0] - LINEAR[rows]
    assert calibration.network == supported_factor(added, actual - LINEAR[rows])
    np.testing.assert_array_equal(
        calibration.ahead[method], factors_ahead(cumulated, DATASET, VALIDATION, TEST.start)
    )


def test_a_network_that_knows_what_the_linear_part_misses_is_published() -> None:
    def knowing(windows: np.ndarray, baseline: np.ndarray) -> np.ndarray:
        """Add half of what comes next on validation rows."""
        if len(windows) != len(VALIDATION):
            return baseline
        span, rows = DATASET.smoothing, slice(VALIDATION.start, VALIDATION.stop)
        missed = DATASET.log_roi[rows] - LINEAR[rows]
        found: np.ndarray = baseline + 0.5 * missed / span * DATASET.scaler.slope
        return found

    assert fit(network=Formula(knowing)).network == pytest.approx(1.0)


def test_a_network_of_noise_is_hardly_published(calibration: Calibration) -> None:
    assert 0 <= calibration.network < 0.3


@pytest.mark.parametrize("method", METHODS)
def test_what_is_published_is_the_linear_part_and_shares_of_what_is_added(
    calibration: Calibration, method: MultiStep
) -> None:
    generator = np.random.default_rng(3)
    factors = {name: generator.random(30) for name in METHODS}
    changed = replace(calibration, network=0.3, ahead=factors)
    linear, cumulated = generator.normal(size=(5, 3)), generator.normal(size=(4, 5, 3))
    found = changed.publish(method, linear, cumulated)
    for horizon in range(1, 5):
        for origin in range(5):
            for asset in range(3):
                near = cumulated[0, origin, asset]
                next_day = linear[origin, asset] + 0.3 * (near - linear[origin, asset])
                later = cumulated[horizon - 1, origin, asset] - near
                expected = next_day + factors[method][horizon - 1] * later
                assert found[horizon - 1, origin, asset] == pytest.approx(expected)


@pytest.mark.parametrize("method", METHODS)
def test_without_a_network_the_next_day_is_the_linear_part(method: MultiStep) -> None:
    alone = fit(network=None)
    cumulated = forecast(alone, method, DATASET, network=None)
    linear = LINEAR[TEST.start :]
    assert alone.network == 0
    np.testing.assert_array_equal(alone.publish(method, linear, cumulated)[0], linear)
    if method == "recursive":
        np.testing.assert_array_equal(cumulated, np.tile(linear, (8, 1, 1)))


@pytest.mark.parametrize("method", METHODS)
def test_coverage_of_unpredictable_returns_is_near_the_level(method: MultiStep) -> None:
    dataset = synthetic_dataset(rows=2000, assets=4)
    calibration = fit(dataset)
    test = dataset.split.test
    linear = linear_of(dataset)
    cumulated = calibration.forecast(
        method,
        correcting,
        Preprocessing.of_dataset(dataset),
        dataset,
        linear[test.start :],
        test,
        5,
    )
    published = calibration.publish(method, linear[test.start :], cumulated)
    found = calibration.intervals(dataset, linear, published, test)
    actual = to_percent(log_roi_ahead(dataset.log_roi, dataset.filled, 5))[test.start :]
    for intervals in found[4]:
        # A fifth of 1450 entries are independent: four standard errors at 80 % are 0.094.
        assert np.nanmean(intervals.covers(actual)) == pytest.approx(intervals.level, abs=0.09)


def test_the_row_after_the_last_has_the_interval_that_its_row_would_have(
    calibration: Calibration,
) -> None:
    last = len(DATASET.dates) - 1
    published = forecast(calibration, "direct", DATASET)
    expected = calibration.intervals(DATASET, LINEAR, published, range(last, last + 1))
    names = ("dates", "log_roi", "true_range", "volume", "filled")
    shorter = replace(DATASET, **{name: getattr(DATASET, name)[:last] for name in names})
    found = calibration.intervals(
        shorter, LINEAR, published, range(last, last + 1), DATASET.dates[last]
    )
    for horizon in range(8):
        for one, other in zip(expected[horizon], found[horizon], strict=True):
            np.testing.assert_array_equal(one.lower, other.lower)


def test_a_target_without_a_forecast_is_refused(calibration: Calibration) -> None:
    published = forecast(calibration, "direct", DATASET)
    with pytest.raises(EvaluationError, match="need their forecasts"):
        calibration.intervals(DATASET, LINEAR, published[:, 1:], TEST)


def test_json_keeps_every_digit_and_every_horizon(calibration: Calibration) -> None:
    read = Calibration.from_json(json.loads(json.dumps(calibration.to_json())))
    for method in METHODS:
        expected = forecast(calibration, method, DATASET, range(390, 400), 30)
        found = forecast(read, method, DATASET, range(390, 400), 30)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(
            read.publish(method, LINEAR[390:400], found),
            calibration.publish(method, LINEAR[390:400], expected),
        )
    whole = forecast(read, "direct", DATASET, TEST, 30)
    for one, other in zip(
        read.intervals(DATASET, LINEAR, whole, range(399, 400))[29],
        calibration.intervals(DATASET, LINEAR, whole, range(399, 400))[29],
        strict=True,
    ):
        np.testing.assert_array_equal(one.upper, other.upper)
    assert read.unseen_from == DATASET.dates[TEST.start].item()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 3}, "of format 3, this code reads format 6"),
        ({"network": None}, "is damaged"),
        ({"network": [0.1, 0.2]}, "is damaged"),
        ({"ahead": None}, "is damaged"),
        ({"ahead": {"direct": [0.1]}}, "is damaged"),
        ({"ahead": {"direct": [0.1], "recursive": [0.1]}}, "do not reach to horizon 30"),
        ({"unseen_from": "soon"}, "is damaged"),
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
    """Off is the linear part on rows that the network saw, and what is published from then on."""
    published = np.random.default_rng(8).normal(0, 0.01, DATASET.log_roi.shape)
    row = TEST.start + 30
    found = calibration.intervals(
        DATASET, LINEAR, published[np.newaxis, TEST.start :], range(row, row + 1)
    )
    scales = calibration.scale.by_anchor[1].predict(scale_inputs(DATASET))
    scores = np.full((row, 3), np.nan)
    for before in range(row):
        for asset in range(3):
            judged = published if before >= TEST.start else LINEAR
            if not DATASET.filled[before, asset]:
                error = abs(DATASET.log_roi[before, asset] - judged[before, asset])
                scores[before, asset] = error / scales[before, asset]
    # The last fifth of the rows and all those before them.
    assert np.isfinite(scores[: TEST.start]).any()
    for intervals, percent in zip(found[0], (80, 95), strict=True):
        quantiles = []
        for asset in range(3):
            known = sorted(scores[np.isfinite(scores[:, asset]), asset])
            quantiles.append(known[-(-(len(known) + 1) * percent // 100) - 1])
        (factor,) = online_factors(
            scores, np.array([[quantiles]]), np.array([row]), [percent / 100]
        )[0]
        for asset in range(3):
            half = factor * quantiles[asset] * scales[row, asset]
            middle = published[row, asset]
            assert intervals.lower[0, asset] == pytest.approx(100 * np.expm1(middle - half))
            assert intervals.upper[0, asset] == pytest.approx(100 * np.expm1(middle + half))


def test_errors_of_the_network_on_rows_that_it_saw_do_not_count(calibration: Calibration) -> None:
    """Forecasts of rows before `unseen_from` may be given, as those of rows that it judged are."""
    targets = range(TEST.start + 30, TEST.stop)
    whole = np.random.default_rng(8).normal(0, 0.01, (4, *DATASET.log_roi.shape))
    expected = calibration.intervals(DATASET, LINEAR, whole[:, TEST.start :], targets)
    whole[:, : TEST.start] = 9.0
    found = calibration.intervals(DATASET, LINEAR, whole, targets)
    for one, other in zip(found[3], expected[3], strict=True):
        np.testing.assert_array_equal(one.upper, other.upper)


def test_rows_before_the_first_needed_one_change_no_interval() -> None:
    dataset = synthetic_dataset(rows=900)
    through_time = ThroughTime.fit(dataset, HALF_LIFE)
    calibration = Calibration.fit(dataset, through_time.linear, through_time.scale, None)
    targets, linear = range(880, 900), linear_of(dataset)
    first = first_needed_row(targets, 5)
    assert first == 880 - 4 - 500 - 66
    published = np.tile(linear[720:], (5, 1, 1))
    expected = calibration.intervals(dataset, linear, published, targets)
    changed = {}
    for name in ("log_roi", "true_range", "volume"):
        values = getattr(dataset, name).copy()
        values[:first] = 0.5
        changed[name] = values
    wild_linear = linear.copy()
    wild_linear[:first] = 0.5
    found = calibration.intervals(replace(dataset, **changed), wild_linear, published, targets)
    for before, after in zip(expected, found, strict=True):
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one.lower, other.lower)


def test_every_training_score_comes_from_a_scale_fitted_before_it() -> None:
    stop = DATASET.split.train.stop
    full = fit_expanding_scale(scale_inputs(DATASET), DATASET.log_roi, needed_from=stop)
    expected = full.predict(scale_inputs(DATASET))
    for row in (100, 150, 200):
        wild = with_wild_rows_from(DATASET, row)
        fits = fit_expanding_scale(scale_inputs(wild), wild.log_roi, needed_from=stop)
        found = fits.predict(scale_inputs(wild))
        np.testing.assert_array_equal(found[: row + 1], expected[: row + 1])
        assert np.isfinite(expected[row]).all()


def test_targets_before_any_score_are_refused(calibration: Calibration) -> None:
    published = np.zeros((1, *DATASET.log_roi.shape))
    with pytest.raises(EvaluationError, match=r"too few rows to know .*earlier start_date"):
        calibration.intervals(DATASET, LINEAR, published, range(40, 41))


def test_a_validation_without_a_bar_is_refused() -> None:
    filled = DATASET.filled.copy()
    filled[VALIDATION.start : VALIDATION.stop] = True
    with pytest.raises(EvaluationError, match="no asset has a bar on any validation session"):
        fit(replace(DATASET, filled=filled))


def test_a_forecast_that_is_shrunk_to_nothing_is_a_plain_zero(calibration: Calibration) -> None:
    nothing = replace(calibration, network=0.0, ahead={method: np.zeros(30) for method in METHODS})
    published = nothing.publish("direct", -np.zeros((3, 3)), -np.ones((2, 3, 3)))
    assert not published.any()
    assert not np.signbit(published).any()
