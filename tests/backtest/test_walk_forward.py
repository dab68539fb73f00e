from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pytest

from forecaster.untrained import Formula, correcting
from network.synthetic_dataset import synthetic_dataset, with_wild_rows_from
from roi_forecast.backtest.walk_forward import WalkForward, walk_forward
from roi_forecast.config import ModelConfig
from roi_forecast.errors import EvaluationError
from roi_forecast.features.dataset import Dataset, split_targets
from roi_forecast.forecaster.forecaster import Forecaster
from roi_forecast.forecaster.through_time import ThroughTime
from roi_forecast.linear.through_time import Linear

DATASET = synthetic_dataset(rows=400, context=2, lead=0.4)
FIRST = 250
FIRST_DATE: date = DATASET.dates[FIRST].item()
HORIZONS = (1, 5)


@dataclass(frozen=True)
class Untrained(Formula):
    """What stands for a trained network."""

    forecast_windows: Callable[[np.ndarray, np.ndarray], np.ndarray] = correcting.forecast_windows
    networks: tuple[None] = (None,)


@pytest.fixture(scope="module")
def result() -> WalkForward:
    return walk_forward(DATASET, FIRST_DATE, horizons=HORIZONS)


@pytest.fixture(scope="module")
def with_network() -> WalkForward:
    return walk_forward(
        DATASET, FIRST_DATE, horizons=HORIZONS, fit_network=lambda dataset: Untrained()
    )


def test_folds_cover_every_row_from_the_first_date_on(result: WalkForward) -> None:
    assert [fold.targets for fold in result.folds[:2]] == [range(250, 271), range(271, 292)]
    assert [row for fold in result.folds for row in fold.targets] == list(range(250, 400))
    assert result.folds[0].first_date == FIRST_DATE
    assert result.folds[-1].last_date == DATASET.dates[-1].item()
    assert result.forecasts.origins == range(250, 400)
    assert result.forecasts.horizons == HORIZONS


@pytest.mark.parametrize("row", [250, 262, 271, 330])
@pytest.mark.parametrize("network", [False, True])
def test_no_forecast_reads_its_own_row_or_a_later_one(
    result: WalkForward, with_network: WalkForward, row: int, network: bool
) -> None:
    expected = with_network if network else result
    wild = walk_forward(
        with_wild_rows_from(DATASET, row),
        FIRST_DATE,
        horizons=HORIZONS,
        fit_network=(lambda dataset: Untrained()) if network else None,
    )
    known = slice(0, row - FIRST + 1)
    for name in ("log_roi", "smoothed"):
        found, own = getattr(wild.forecasts, name), getattr(expected.forecasts, name)
        np.testing.assert_array_equal(found[:, known], own[:, known])
    for name in ("gap", "open_to_close", "context_missing"):
        found, own = getattr(wild.forecasts, name), getattr(expected.forecasts, name)
        np.testing.assert_array_equal(found[known], own[known])
    np.testing.assert_array_equal(wild.scales[known], expected.scales[known])
    for before, after in zip(expected.forecasts.intervals, wild.forecasts.intervals, strict=True):
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one.lower[known], other.lower[known])
            np.testing.assert_array_equal(one.upper[known], other.upper[known])
    assert not np.array_equal(wild.scales[row - FIRST + 1], expected.scales[row - FIRST + 1])


@pytest.mark.parametrize("row", [250, 275, 320])
def test_a_walk_forecasts_what_a_daily_run_with_the_rows_before_does(
    result: WalkForward, row: int
) -> None:
    split = split_targets(row, DATASET.seq_len, DATASET.smoothing, 0.2, 0.15)
    known = DATASET.of_rows(slice(0, row), split, "known")
    through_time = ThroughTime.fit(known, ModelConfig().half_life)
    daily = Forecaster.fit(known, None, through_time).forecast(
        known, range(row, row + 1), HORIZONS, "recursive", next_date=DATASET.dates[row]
    )
    walked = result.forecasts.between(range(row, row + 1))
    for name in ("log_roi", "smoothed", "gap", "open_to_close"):
        np.testing.assert_allclose(getattr(walked, name), getattr(daily, name), atol=1e-12)
    for one, other in zip(walked.intervals, daily.intervals, strict=True):
        for mine, its in zip(one, other, strict=True):
            np.testing.assert_allclose(mine.upper - mine.lower, its.upper - its.lower, rtol=1e-9)
    assert walked.log_roi.any()


def test_shrinkage_is_the_mean_share_of_the_linear_part_that_a_fold_published(
    result: WalkForward,
) -> None:
    linear = Linear.fit(DATASET, ModelConfig().half_life)
    for fold in result.folds:
        assert fold.shrinkage == pytest.approx(linear.predict(DATASET, fold.targets).factor.mean())
        assert fold.network == 0
    assert result.folds[-1].shrinkage > 0.5


def test_what_a_network_adds_is_published_as_far_as_the_validation_rows_of_its_fold_support() -> (
    None
):
    linear = Linear.fit(DATASET, ModelConfig().half_life)

    def half_right(dataset: Dataset) -> Untrained:
        """Add twice what the linear part misses on validation rows, the reverse of it later."""

        def forecast(windows: np.ndarray, baseline: np.ndarray) -> np.ndarray:
            part, sign = dataset.split.validation, 2
            if len(windows) != len(part):
                part, sign = dataset.split.test, -1
            missed = (
                dataset.log_roi[part.start : part.stop] - linear.predict(dataset, part).published
            )
            found: np.ndarray = baseline + sign * missed / dataset.smoothing * dataset.scaler.slope
            return found

        return Untrained(forecast)

    found = walk_forward(DATASET, FIRST_DATE, fit_network=half_right)
    assert [fold.network for fold in found.folds] == pytest.approx([0.5] * len(found.folds))
    published = linear.predict(DATASET, range(FIRST, 400)).published
    expected = published - 0.5 * (DATASET.log_roi[FIRST:] - published)
    np.testing.assert_allclose(found.published, expected, atol=1e-9)


def test_a_rolling_window_forgets_what_lies_before_it() -> None:
    old = DATASET.log_roi.copy()
    old[:40] += 0.5
    changed = replace(DATASET, log_roi=old)

    def given(dataset: Dataset, window: int | None) -> list[Dataset]:
        """What the networks of the folds are fitted on."""
        seen: list[Dataset] = []

        def note(fold: Dataset) -> Untrained:
            seen.append(fold)
            return Untrained()

        walk_forward(dataset, FIRST_DATE, window=window, max_folds=1, fit_network=note)
        return seen

    for before, after in zip(given(DATASET, 120), given(changed, 120), strict=True):
        assert before.scaler.to_json() == after.scaler.to_json()
        assert before.split.test.start == 120
        for name in ("inputs", "log_roi", "filled", "gap", "context"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    for before, after in zip(given(DATASET, None), given(changed, None), strict=True):
        assert before.scaler.to_json() != after.scaler.to_json()


def test_a_network_is_fitted_once_a_fold_on_rows_that_end_with_its_targets() -> None:
    asked: list[Dataset] = []

    def noting(dataset: Dataset) -> Untrained:
        asked.append(dataset)
        return Untrained()

    found = walk_forward(DATASET, FIRST_DATE, fit_network=noting, max_folds=2)
    assert [fold.targets for fold in found.folds] == [range(250, 325), range(325, 400)]
    assert len(asked) == 2
    for dataset, fold in zip(asked, found.folds, strict=True):
        assert dataset.split.test == fold.targets
        assert len(dataset.dates) == fold.targets.stop
        assert dataset.split.validation.stop == fold.targets.start - DATASET.smoothing
        np.testing.assert_array_equal(dataset.context, DATASET.context[: fold.targets.stop])


def test_half_life_reaches_the_linear_part(result: WalkForward) -> None:
    short = walk_forward(DATASET, FIRST_DATE, half_life=30)
    expected = Linear.fit(DATASET, 30).predict(DATASET, range(FIRST, 400)).published
    np.testing.assert_allclose(short.published, expected, atol=1e-12)
    assert not np.allclose(short.published, result.published)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: walk_forward(DATASET, date(2030, 1, 1)), "no row on or after 2030-01-01"),
        (
            lambda: walk_forward(DATASET, DATASET.dates[12].item()),
            "leave no training or validation windows",
        ),
    ],
)
def test_dates_without_enough_rows_are_refused(
    change: Callable[[], WalkForward], message: str
) -> None:
    with pytest.raises(EvaluationError, match=message):
        change()


def test_the_smoothed_forecast_is_the_known_days_and_what_is_published(
    with_network: WalkForward,
) -> None:
    span = DATASET.smoothing
    for row in (250, 275, 399):
        known = DATASET.log_roi[row - span + 1 : row].sum(axis=0)
        expected = (known + with_network.published[row - FIRST]) / span
        np.testing.assert_allclose(with_network.smoothed[row - FIRST], expected, atol=1e-12)
    filled = DATASET.filled[FIRST:]
    np.testing.assert_array_equal(np.isnan(with_network.actual_smoothed), filled)
    np.testing.assert_array_equal(
        with_network.actual_smoothed[~filled], DATASET.smoothed[FIRST:][~filled]
    )
