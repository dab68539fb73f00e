"""Walk-forward evaluation: refit as time goes on, forecast what follows, never look ahead."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from roi_forecast.config import ModelConfig
from roi_forecast.errors import EvaluationError
from roi_forecast.evaluation.conformal import conformal_intervals
from roi_forecast.evaluation.intervals import Intervals
from roi_forecast.evaluation.next_day import counted_log_roi, shrinkage_factor
from roi_forecast.features.dataset import Dataset, Split
from roi_forecast.features.returns import implied_log_roi, known_sum, to_percent
from roi_forecast.features.scaling import FloatArray, Scaler
from roi_forecast.model.expanding_scale import REFIT_EVERY, fit_expanding_scale
from roi_forecast.model.ridge import fit_ridge
from roi_forecast.model.scale_inputs import scale_inputs

logger = logging.getLogger(__name__)

MOST_NEURAL_FOLDS = 8

Forecaster = Callable[[Dataset, range], FloatArray]
"""Fits on a dataset's training and validation rows and returns the scaled smoothed log ROI of
consecutive target rows, shape (targets, assets)."""


@dataclass(frozen=True)
class Fold:
    """One refit and the rows it forecast.

    Attributes:
        number: Counted from 0.
        targets: Rows of the whole dataset.
        first_date: First target date.
        last_date: Last target date.
        shrinkage: Fitted on the fold's validation rows.
        known_mean: Mean log ROI of the fold's training rows, shape (assets,).
    """

    number: int
    targets: range
    first_date: date
    last_date: date
    shrinkage: float
    known_mean: FloatArray


@dataclass(frozen=True)
class WalkForward:
    """Forecasts of every target row, none of them made with anything from that row on.

    Attributes:
        symbols: The assets, in column order.
        folds: In time order; their targets follow each other without a gap.
        dates: Target dates, shape (targets,), datetime64[D].
        actual_pct: Plain ROI in percent, shape (targets, assets), NaN where the asset had no bar.
        implied: Implied log ROI before shrinking, shape (targets, assets).
        published: The same after shrinking, shape (targets, assets).
        known_mean_pct: Forecast of the mean known to each fold, in percent, shape (targets,
            assets).
        scales: Scale forecasts, shape (targets, assets), log ROI.
        intervals: Bounds in percent, at 80 and 95 %, shape (targets, assets).
    """

    symbols: tuple[str, ...]
    folds: tuple[Fold, ...]
    dates: np.ndarray
    actual_pct: FloatArray
    implied: FloatArray
    published: FloatArray
    known_mean_pct: FloatArray
    scales: FloatArray
    intervals: tuple[Intervals, ...]


def ridge_forecaster(dataset: Dataset, targets: range) -> FloatArray:
    """Forecast by pooled ridge regression with the default penalty."""
    ridge = fit_ridge(dataset, ModelConfig().ridge_penalty)
    return ridge.predict(dataset.scaled, dataset.scaled_log_roi, targets)


def walk_forward(
    dataset: Dataset,
    first_date: date,
    *,
    forecaster: Forecaster = ridge_forecaster,
    refit_every: int = REFIT_EVERY,
    window: int | None = None,
    validation_share: float = 0.15,
    most_folds: int | None = None,
) -> WalkForward:
    """Walk through the rows from a date on, refitting every so many sessions.

    Each fold fits scaler, forecaster and shrinkage on rows that end a smoothing span before its
    first target, and the scale on the rows before its first target. The conformal quantiles move on
    with every row, as they do when forecasts are published.

    Args:
        dataset: The rows; its own split and scaler are not used.
        first_date: The first target is the first row on or after it.
        forecaster: Of the smoothed log ROI. A neural one is slow: pass MOST_NEURAL_FOLDS as
            `most_folds`.
        refit_every: Sessions in a fold.
        window: Most rows before a fold's first target to fit on (rolling); None takes all
            (expanding).
        validation_share: Share of the windows before a fold that the shrinkage is fitted on.
        most_folds: Where more folds would be needed, each takes more sessions instead.

    Raises:
        EvaluationError: There are too few rows before the first date, or none after it.
    """
    rows = len(dataset.dates)
    start = int(np.searchsorted(dataset.dates, np.datetime64(first_date)))
    if start == rows:
        raise EvaluationError(
            f"no row on or after {first_date}: the data end at {dataset.dates[-1]}; "
            "name an earlier first date"
        )
    if most_folds is not None:
        refit_every = max(refit_every, -(-(rows - start) // most_folds))
    parts = [
        range(first, min(first + refit_every, rows)) for first in range(start, rows, refit_every)
    ]
    folds, implied = [], []
    for number, targets in enumerate(parts):
        fold, forecast = _run_fold(dataset, number, targets, forecaster, window, validation_share)
        folds.append(fold)
        implied.append(forecast)
        logger.info(
            "fold %d of %d: %s to %s, shrinkage %.3f",
            number + 1,
            len(parts),
            fold.first_date,
            fold.last_date,
            fold.shrinkage,
        )
    lengths = [len(fold.targets) for fold in folds]
    everything = np.concatenate(implied)
    published = everything * np.repeat([fold.shrinkage for fold in folds], lengths)[:, np.newaxis]
    targets = range(start, rows)
    scales, intervals = _intervals(dataset, targets, published, refit_every, window)
    return WalkForward(
        symbols=dataset.symbols,
        folds=tuple(folds),
        dates=dataset.dates[start:],
        actual_pct=to_percent(counted_log_roi(dataset)[start:]),
        implied=everything,
        published=published,
        known_mean_pct=to_percent(np.repeat([fold.known_mean for fold in folds], lengths, axis=0)),
        scales=scales,
        intervals=intervals,
    )


def intervals_of_scale(
    dataset: Dataset, scales: FloatArray, targets: range, published: FloatArray
) -> tuple[Intervals, ...]:
    """Return the intervals that a scale forecast leads to, at 80 and 95 %.

    Before the targets the errors of the zero forecast count, then those of what was published.

    Args:
        dataset: The rows.
        scales: Scale forecasts of all rows, shape (rows, assets), NaN where there is none.
        targets: The last rows of the dataset.
        published: Published log ROI of the targets, shape (targets, assets).

    Returns:
        Bounds in percent, shape (targets, assets).

    Raises:
        EvaluationError: There are too few errors before the first target.
    """
    center = np.zeros(scales.shape)
    center[targets.start : targets.stop] = published
    errors = np.abs(counted_log_roi(dataset) - center)
    return conformal_intervals(errors, scales, published, targets)


def _intervals(
    dataset: Dataset, targets: range, published: FloatArray, refit_every: int, window: int | None
) -> tuple[FloatArray, tuple[Intervals, ...]]:
    last_fit = targets.start + (len(targets) - 1) // refit_every * refit_every
    inputs = scale_inputs(dataset)
    fits = fit_expanding_scale(
        inputs,
        counted_log_roi(dataset),
        dataset.dates,
        last_fit,
        refit_every=refit_every,
        longest=window,
    )
    scales = fits.predict(inputs, dataset.dates)
    bounds = intervals_of_scale(dataset, scales, targets, published)
    return scales[targets.start :], bounds


def _run_fold(
    dataset: Dataset,
    number: int,
    targets: range,
    forecaster: Forecaster,
    window: int | None,
    validation_share: float,
) -> tuple[Fold, FloatArray]:
    fold_dataset = _fold_dataset(dataset, targets, window, validation_share)
    validation = fold_dataset.split.validation
    came = counted_log_roi(fold_dataset)
    known = [
        _implied(fold_dataset, forecaster(fold_dataset, part), part)
        for part in (validation, fold_dataset.split.test)
    ]
    fold = Fold(
        number,
        targets,
        dataset.dates[targets.start].item(),
        dataset.dates[targets.stop - 1].item(),
        shrinkage_factor(known[0], came[validation.start : validation.stop]),
        fold_dataset.scaler.log_roi_mean,
    )
    return fold, known[1]


def _fold_dataset(
    dataset: Dataset, targets: range, window: int | None, validation_share: float
) -> Dataset:
    """Return the rows up to the fold's last target, split and scaled for the fold alone."""
    first = 0 if window is None else max(0, targets.start - window)
    rows = slice(first, targets.stop)
    start, gap = targets.start - first, dataset.smoothing
    validation_start = start - round((start - dataset.seq_len) * validation_share)
    split = Split(
        train=range(dataset.seq_len, validation_start - gap),
        validation=range(validation_start, start - gap),
        test=range(start, targets.stop - first),
    )
    if not split.train or not split.validation:
        raise EvaluationError(
            f"{start} rows before {dataset.dates[targets.start]} leave no training or validation "
            f"windows of {dataset.seq_len} rows; take earlier prices or a later first date"
        )
    smoothed, log_roi = dataset.smoothed[rows], dataset.log_roi[rows]
    fitted = slice(0, split.train.stop)
    scaler = Scaler.fit(smoothed[fitted], log_roi[fitted], dataset.scaler.kind)
    return replace(
        dataset,
        dates=dataset.dates[rows],
        prices=dataset.prices[rows],
        log_roi=log_roi,
        smoothed=smoothed,
        scaled=scaler.transform(smoothed).astype(np.float32),
        scaled_log_roi=scaler.transform_log_roi(log_roi).astype(np.float32),
        filled=dataset.filled[rows],
        true_range=dataset.true_range[rows],
        scaler=scaler,
        split=split,
    )


def _implied(dataset: Dataset, scaled: FloatArray, targets: range) -> FloatArray:
    known = known_sum(dataset.log_roi, targets, dataset.smoothing)
    return implied_log_roi(dataset.scaler.inverse(scaled), known, dataset.smoothing)
