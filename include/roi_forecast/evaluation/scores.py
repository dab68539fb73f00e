"""All figures of a candidate and its baselines, over each part of the split."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from roi_forecast.array_types import FloatArray, IndexArray
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.baselines import noise_limit, persistence, training_mean
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import implied_log_roi, known_sum, to_percent
from roi_forecast.forecaster.next_day import (
    NextDayCalibration,
    counted_log_roi,
    shrinkage_factor,
)
from roi_forecast.network.ridge import Ridge

SPLITS = ("train", "validation", "test")

_SMOOTHED_METRICS: Mapping[str, metrics.Metric] = {
    "mae": metrics.mean_absolute_error,
    "rmse": metrics.root_mean_squared_error,
    "r2": metrics.r2,
}
_NEXT_DAY_METRICS: Mapping[str, metrics.Metric] = {
    **_SMOOTHED_METRICS,
    "r2_against_zero": metrics.r2_against_zero,
}


@dataclass(frozen=True)
class Score:
    """One figure, as a row of the table `evaluations`.

    Attributes:
        predictor: `model`, `champion`, `persistence`, `training_mean`, `ridge` or `noise_limit`; of
            a backtest also `network` and `zero`.
        target: `smoothed_scaled`, `next_day_pct`, `horizon_<horizon>_pct`, of a backtest
            `smoothed_pct` or, on the rows and assets that candidate and champion share,
            `smoothed_common` (unscaled).
        symbol: The asset, or None for all together.
        split: `train`, `validation`, `test` or `backtest`.
        first_date: First target date.
        last_date: Last target date.
        rows: Counted target entries.
        metric: Name of the figure.
        value: The figure; NaN where it is not defined.
        horizon: Reference sessions from the as-of to the target date.
    """

    predictor: str
    target: str
    symbol: str | None
    split: str
    first_date: date
    last_date: date
    rows: int
    metric: str
    value: float
    horizon: int = 1


_UNDEFINED_BECAUSE = {
    "r2": "what came does not vary",
    "r2_against_zero": "no price moved",
    "directional_accuracy": "no price moved, or no direction was forecast",
}


@dataclass(frozen=True)
class CandidateScores:
    """The scores of a candidate and how its next-day forecasts are to be published."""

    scores: tuple[Score, ...]
    calibration: NextDayCalibration

    def value(self, predictor: str, target: str, metric: str, split: str = "test") -> float:
        """Return an overall figure on the rows of one part."""
        wanted = (predictor, target, None, split, metric)
        return next(
            score.value
            for score in self.scores
            if (score.predictor, score.target, score.symbol, score.split, score.metric) == wanted
        )

    def left_out(self, predictor: str, target: str, metric: str) -> dict[str, str]:
        """Return the assets that an overall figure on the test rows leaves out, with reasons."""
        return {
            score.symbol: (
                _UNDEFINED_BECAUSE.get(metric, "it is not defined")
                if score.rows
                else "none of its rows counts: no bar, or halted"
            )
            for score in self.scores
            if (score.predictor, score.target, score.split) == (predictor, target, "test")
            and score.metric == metric
            and score.symbol is not None
            and math.isnan(score.value)
        }


def score_candidate(
    dataset: Dataset, predictions: Mapping[str, FloatArray], ridge: Ridge
) -> CandidateScores:
    """Score a candidate beside persistence, the training mean, ridge and the noise limit.

    Args:
        dataset: What the candidate was trained on.
        predictions: Its scaled smoothed log ROI for each part of the split, shape (targets,
            assets).
        ridge: The ridge regression of the same training rows.

    Raises:
        EvaluationError: The next-day forecast cannot be calibrated on the rows before the test.
        TrainingError: The scale of the intervals cannot be fitted on the training rows.
    """
    validation = dataset.split.validation
    calibration = NextDayCalibration.fit(
        dataset, _implied(dataset, predictions["validation"], validation)
    )
    came = _actual_log_roi(dataset, validation)
    ridge_forecast = ridge.predict(dataset.scaled, dataset.scaled_log_roi, validation)
    ridge_shrinkage = shrinkage_factor(_implied(dataset, ridge_forecast, validation), came)
    scores: list[Score] = []
    for split in SPLITS:
        targets: range = getattr(dataset.split, split)
        smoothed = {
            "model": predictions[split],
            "persistence": persistence(dataset, targets),
            "training_mean": training_mean(dataset, targets),
            "ridge": ridge.predict(dataset.scaled, dataset.scaled_log_roi, targets),
            "noise_limit": noise_limit(dataset, targets),
        }
        mean = np.tile(dataset.scaler.log_roi_mean, (len(targets), 1))
        implied = {
            "model": _implied(dataset, smoothed["model"], targets),
            "persistence": dataset.log_roi[targets.start - 1 : targets.stop - 1],
            "training_mean": mean,
            "ridge": _implied(dataset, smoothed["ridge"], targets),
            "noise_limit": mean,
        }
        shrinkage = {"model": calibration.shrinkage, "ridge": ridge_shrinkage}
        for predictor, forecast in smoothed.items():
            scores += _score_smoothed(dataset, split, predictor, forecast)
            factor = shrinkage.get(predictor, 1.0)
            scores += _score_next_day(dataset, split, predictor, implied[predictor], factor)
    scores += _score_intervals(
        dataset, _implied(dataset, predictions["test"], dataset.split.test), calibration
    )
    return CandidateScores(tuple(scores), calibration)


def as_scores(
    dataset: Dataset,
    split: str,
    predictor: str,
    target: str,
    metric_name: str,
    values: FloatArray,
    rows: IndexArray,
    together: float,
) -> Iterator[Score]:
    """Turn the values of one metric, shape (assets,), into one row an asset and one for all."""
    targets: range = getattr(dataset.split, split)
    first, last = dataset.dates[targets.start].item(), dataset.dates[targets.stop - 1].item()
    entries: list[tuple[str | None, int, float]] = [(None, int(rows.sum()), together)]
    entries += [
        (symbol, int(count), float(value))
        for symbol, count, value in zip(dataset.symbols, rows, values, strict=True)
    ]
    for symbol, count, value in entries:
        yield Score(predictor, target, symbol, split, first, last, count, metric_name, value)


def counted_smoothed(dataset: Dataset, targets: range) -> FloatArray:
    """Return the scaled smoothed log ROI, shape (targets, assets), NaN where there was no bar."""
    rows = slice(targets.start, targets.stop)
    return np.where(dataset.filled[rows], np.nan, dataset.scaler.transform(dataset.smoothed[rows]))


def _actual_log_roi(dataset: Dataset, targets: range) -> FloatArray:
    return counted_log_roi(dataset)[targets.start : targets.stop]


def _implied(dataset: Dataset, scaled: FloatArray, targets: range) -> FloatArray:
    known = known_sum(dataset.log_roi, targets, dataset.smoothing)
    return implied_log_roi(dataset.scaler.inverse(scaled), known, dataset.smoothing)


def _score_smoothed(
    dataset: Dataset, split: str, predictor: str, forecast: FloatArray
) -> Iterator[Score]:
    targets: range = getattr(dataset.split, split)
    actual = counted_smoothed(dataset, targets)
    counts = metrics.counted_rows(actual)
    for name, metric in _SMOOTHED_METRICS.items():
        values = metric(actual, forecast)
        together = metrics.overall(metric, actual, forecast)
        yield from as_scores(
            dataset, split, predictor, "smoothed_scaled", name, values, counts, together
        )


def _score_next_day(
    dataset: Dataset, split: str, predictor: str, implied: FloatArray, shrinkage: float
) -> Iterator[Score]:
    targets: range = getattr(dataset.split, split)
    actual = to_percent(_actual_log_roi(dataset, targets))
    published = to_percent(shrinkage * implied)
    counts = metrics.counted_rows(actual)
    # Shrinking changes no sign, but a factor of 0 would hide the direction: it is left out here.
    figures = [(name, metric, published) for name, metric in _NEXT_DAY_METRICS.items()]
    figures.append(("directional_accuracy", metrics.directional_accuracy, implied))
    for name, metric, forecast in figures:
        values = metric(actual, forecast)
        together = metrics.overall(metric, actual, forecast)
        yield from as_scores(
            dataset, split, predictor, "next_day_pct", name, values, counts, together
        )


def _score_intervals(
    dataset: Dataset, implied: FloatArray, calibration: NextDayCalibration
) -> Iterator[Score]:
    targets = dataset.split.test
    actual = to_percent(_actual_log_roi(dataset, targets))
    counts = metrics.counted_rows(actual)
    for intervals in calibration.intervals(dataset, implied, targets):
        percent = round(100 * intervals.level)
        for name, entries in (
            (f"coverage_{percent}", intervals.covers(actual)),
            (f"interval_score_{percent}", intervals.score(actual)),
        ):
            yield from as_scores(
                dataset,
                "test",
                "model",
                "next_day_pct",
                name,
                metrics.mean_of_counted(entries),
                counts,
                float(metrics.mean_of_counted(entries.reshape(-1, 1))[0]),
            )
