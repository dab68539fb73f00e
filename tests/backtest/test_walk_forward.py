from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from network.synthetic_dataset import synthetic_dataset, with_wild_rows_from
from roi_forecast.backtest.fold_scores import fold_scores
from roi_forecast.backtest.next_day_skill import next_day_skill
from roi_forecast.backtest.walk_forward import WalkForward, ridge_forecaster, walk_forward
from roi_forecast.errors import EvaluationError
from roi_forecast.evaluation import metrics
from roi_forecast.features.dataset import Dataset

DATASET = synthetic_dataset(rows=400)
FIRST = 250
FIRST_DATE: date = DATASET.dates[FIRST].item()


@pytest.fixture(scope="module")
def result() -> WalkForward:
    return walk_forward(DATASET, FIRST_DATE)


def test_folds_cover_every_row_from_the_first_date_on(result: WalkForward) -> None:
    assert [fold.targets for fold in result.folds[:2]] == [range(250, 271), range(271, 292)]
    assert [row for fold in result.folds for row in fold.targets] == list(range(250, 400))
    assert result.folds[0].first_date == FIRST_DATE
    assert result.folds[-1].last_date == DATASET.dates[-1].item()


@pytest.mark.parametrize("row", [250, 262, 271, 330])
def test_no_forecast_reads_its_own_row_or_a_later_one(result: WalkForward, row: int) -> None:
    wild = walk_forward(with_wild_rows_from(DATASET, row), FIRST_DATE)
    known = slice(0, row - FIRST + 1)
    np.testing.assert_array_equal(wild.implied[known], result.implied[known])
    np.testing.assert_array_equal(wild.published[known], result.published[known])
    np.testing.assert_array_equal(wild.scales[known], result.scales[known])
    for before, after in zip(result.intervals, wild.intervals, strict=True):
        np.testing.assert_array_equal(before.lower[known], after.lower[known])
        np.testing.assert_array_equal(before.upper[known], after.upper[known])
    assert not np.array_equal(wild.scales[row - FIRST + 1], result.scales[row - FIRST + 1])


def test_a_fold_is_the_ridge_regression_of_the_rows_before_it(result: WalkForward) -> None:
    fold = result.folds[2]
    start, seq_len, span = fold.targets.start, DATASET.seq_len, DATASET.smoothing
    validation = start - round((start - seq_len) * 0.15)
    fitted = DATASET.smoothed[: validation - span]
    low, spread = fitted.min(axis=0), np.ptp(fitted, axis=0)
    scaled = (DATASET.smoothed - low) / spread
    mean = scaled[: validation - span].mean(axis=0)
    plain = (DATASET.log_roi - DATASET.log_roi[: validation - span].mean(axis=0)) / spread
    design, target = [], []

    def lags(row: int, asset: int) -> np.ndarray:
        own = scaled[row - seq_len : row, asset] - mean[asset]
        return np.concatenate([own, plain[row - seq_len : row, asset]])

    for asset in range(len(DATASET.symbols)):
        for row in range(seq_len, validation - span):
            if not DATASET.filled[row, asset]:
                design.append(lags(row, asset))
                target.append(scaled[row, asset] - mean[asset])
    oracle = Ridge(alpha=1.0, fit_intercept=False).fit(design, target)
    for asset in range(len(DATASET.symbols)):
        forecast = oracle.predict([lags(start, asset)])[0] + mean[asset]
        smoothed = forecast * spread[asset] + low[asset]
        implied = span * smoothed - DATASET.log_roi[start - span + 1 : start, asset].sum()
        assert result.implied[start - FIRST, asset] == pytest.approx(implied, abs=1e-6)


def test_published_is_the_implied_value_times_the_folds_shrinkage(result: WalkForward) -> None:
    for fold in result.folds:
        rows = slice(fold.targets.start - FIRST, fold.targets.stop - FIRST)
        np.testing.assert_array_equal(result.published[rows], fold.shrinkage * result.implied[rows])
        assert 0 <= fold.shrinkage <= 1


def test_shrinkage_is_fitted_on_the_validation_rows_of_its_fold() -> None:
    truth = DATASET.smoothed

    def half_right(dataset: Dataset, targets: range) -> np.ndarray:
        """Imply twice what comes on validation rows, and nothing of it later."""
        rows = slice(targets.start, targets.stop)
        newest = DATASET.log_roi[rows] / DATASET.smoothing
        wanted = truth[rows] + (newest if targets == dataset.split.validation else -newest)
        return dataset.scaler.transform(wanted)

    found = walk_forward(DATASET, FIRST_DATE, forecaster=half_right)
    assert [fold.shrinkage for fold in found.folds] == pytest.approx([0.5] * len(found.folds))


def test_a_rolling_window_forgets_what_lies_before_it() -> None:
    old = DATASET.log_roi.copy()
    old[:40] += 0.5
    changed = replace(DATASET, log_roi=old)
    rolling = walk_forward(DATASET, FIRST_DATE, window=120)
    rolling_changed = walk_forward(changed, FIRST_DATE, window=120)
    np.testing.assert_array_equal(rolling.implied, rolling_changed.implied)
    np.testing.assert_array_equal(rolling.scales, rolling_changed.scales)
    assert not np.array_equal(
        walk_forward(DATASET, FIRST_DATE).scales, walk_forward(changed, FIRST_DATE).scales
    )


def test_a_forecaster_is_asked_once_a_fold_for_validation_and_targets() -> None:
    asked: list[tuple[Dataset, range]] = []

    def noting(dataset: Dataset, targets: range) -> np.ndarray:
        asked.append((dataset, targets))
        return ridge_forecaster(dataset, targets)

    found = walk_forward(DATASET, FIRST_DATE, forecaster=noting, max_folds=2)
    assert [fold.targets for fold in found.folds] == [range(250, 325), range(325, 400)]
    assert len(asked) == 4
    for number, (dataset, targets) in enumerate(asked):
        part = dataset.split.test if number % 2 else dataset.split.validation
        assert targets == part
        assert len(dataset.dates) == found.folds[number // 2].targets.stop


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


def test_scores_of_the_folds_add_up_to_those_of_all(result: WalkForward) -> None:
    scores = list(fold_scores(result, "ridge"))
    numbers = [fold.number for fold in result.folds]
    assert {number for number, _ in scores} == {*numbers, None}
    keys = [(number, score.target, score.symbol, score.metric) for number, score in scores]
    assert len(set(keys)) == len(keys)
    for metric in ("coverage_80", "interval_score_95"):
        for symbol in (None, DATASET.symbols[1]):
            chosen = [
                (number, score)
                for number, score in scores
                if (score.metric, score.symbol) == (metric, symbol)
            ]
            (whole,) = (score for number, score in chosen if number is None)
            parts = [score for number, score in chosen if number is not None]
            assert sum(part.rows for part in parts) == whole.rows
            total = sum(part.rows * part.value for part in parts)
            assert total / whole.rows == pytest.approx(whole.value)
    found = {
        (score.target, score.metric): score.value
        for number, score in scores
        if number is None and score.symbol is None
    }
    published = 100 * np.expm1(result.published)
    smoothed = 100 * np.expm1(result.smoothed)
    actual_pct = 100 * np.expm1(result.actual_smoothed)
    for key, metric, actual, forecast in (
        (("next_day_pct", "mae"), metrics.mean_absolute_error, result.actual_pct, published),
        (("smoothed_pct", "mae"), metrics.mean_absolute_error, actual_pct, smoothed),
        (("smoothed_pct", "r2"), metrics.r2, actual_pct, smoothed),
    ):
        assert found[key] == pytest.approx(metric.overall(actual, forecast)), key
    skill = next_day_skill(result.scored, result.known_mean_pct)
    assert found["next_day_pct", "r2_against_mean"] == skill.r2_against_mean
    assert found["next_day_pct", "rank_correlation_t"] == skill.rank_correlation_t
    direction = skill.directional_accuracy
    assert found["next_day_pct", "directional_accuracy"] == pytest.approx(direction.mean)
    assert found["next_day_pct", "directional_accuracy_upper_95"] == direction.upper_95
    shrunk = [score.value for _, score in scores if score.metric == "shrinkage"]
    assert shrunk == [fold.shrinkage for fold in result.folds]


def test_the_smoothed_forecast_is_the_one_that_implies_the_next_day(result: WalkForward) -> None:
    for row in (250, 275, 399):
        known = DATASET.log_roi[row - DATASET.smoothing + 1 : row].sum(axis=0)
        implied = DATASET.smoothing * result.smoothed[row - FIRST] - known
        np.testing.assert_allclose(result.implied[row - FIRST], implied, atol=1e-12)
    filled = DATASET.filled[FIRST:]
    np.testing.assert_array_equal(np.isnan(result.actual_smoothed), filled)
    np.testing.assert_array_equal(
        result.actual_smoothed[~filled], DATASET.smoothed[FIRST:][~filled]
    )
