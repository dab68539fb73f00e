"""Walk-forward evaluation: refit as time passes, forecast what follows, never look ahead."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.backtest.folds import Fold, fold_dataset, plan_folds
from roi_forecast.config import ModelConfig
from roi_forecast.evaluation.baselines import next_session_forecasts
from roi_forecast.evaluation.metrics import Scored
from roi_forecast.evaluation.scores import actual_roi_pct
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import implied_log_roi, known_sum, to_percent
from roi_forecast.forecaster.conformal import conformal_intervals
from roi_forecast.forecaster.expanding_scale import REFIT_EVERY, fit_expanding_scale
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.forecaster.scale_inputs import MarketRows, scale_inputs
from roi_forecast.forecaster.shrinkage import counted_log_roi, shrinkage_factor
from roi_forecast.network.ridge import fit_ridge

logger = logging.getLogger(__name__)

Forecaster = Callable[[Dataset, range], FloatArray]
"""Fits on a dataset's training and validation rows and returns the scaled smoothed log ROI of
consecutive target rows, shape (targets, assets)."""


@dataclass(frozen=True)
class WalkForward:
    """Forecasts of every target row, none of them made with anything from that row on.

    Attributes:
        symbols: The assets, in column order.
        folds: In time order; their targets follow each other without a gap.
        dates: Target dates, shape (targets,), datetime64[D].
        rows: What was walked through.
        actual_smoothed: Smoothed log ROI, unscaled, shape (targets, assets), NaN where the asset
            had no bar.
        forecasts: Of the targets, one session ahead.
        known_mean_pct: Forecast of the mean known to each fold, in percent, shape (targets,
            assets).
        row_scales: Scale forecasts of all rows of the dataset, shape (rows, assets), log ROI; NaN
            where there is none.
    """

    symbols: tuple[str, ...]
    folds: tuple[Fold, ...]
    dates: np.ndarray
    rows: MarketRows
    actual_smoothed: FloatArray
    forecasts: Forecasts
    known_mean_pct: FloatArray
    row_scales: FloatArray

    @property
    def targets(self) -> range:
        """Target rows of the dataset."""
        return range(self.folds[0].targets.start, self.folds[-1].targets.stop)

    @property
    def actual_pct(self) -> FloatArray:
        """Plain ROI in percent, shape (targets, assets), NaN where the asset had no bar."""
        return actual_roi_pct(self.rows, self.targets, 1)

    @property
    def scored(self) -> Scored:
        """The published ROI of the next session next to the actual one, in percent."""
        published = to_percent(self.published)
        return Scored(self.actual_pct, published, self.implied, self.intervals)

    @property
    def smoothed(self) -> FloatArray:
        """Forecast of the smoothed log ROI, unscaled, shape (targets, assets)."""
        return np.asarray(self.forecasts.smoothed[0], dtype=np.float64)

    @property
    def implied(self) -> FloatArray:
        """Forecast of the log ROI before shrinking, shape (targets, assets)."""
        return np.asarray(self.forecasts.unshrunk[0], dtype=np.float64)

    @property
    def published(self) -> FloatArray:
        """The same after shrinking, shape (targets, assets)."""
        return np.asarray(self.forecasts.log_roi[0], dtype=np.float64)

    @property
    def intervals(self) -> tuple[Intervals, ...]:
        """Bounds in percent, at 80 and 95 %, shape (targets, assets)."""
        return self.forecasts.intervals[0]

    @property
    def scales(self) -> FloatArray:
        """Scale forecasts of the targets, shape (targets, assets), log ROI."""
        return self.row_scales[self.targets.start : self.targets.stop]


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
    max_folds: int | None = None,
    predictor: str = "ridge",
) -> WalkForward:
    """Walk through the rows from a date on, refitting every so many sessions.

    Each fold fits scaler, forecaster and shrinkage on rows that end a smoothing span before its
    first target, and the scale on the rows before its first target. The conformal quantiles move on
    with every row, as they do when forecasts are published.

    Args:
        dataset: The rows; its own split and scaler are not used.
        first_date: The first target is the first row on or after it.
        forecaster: Of the smoothed log ROI. A neural one is slow: limit it by `max_folds`.
        refit_every: Sessions in a fold.
        window: Most rows before a fold's first target to fit on (rolling); None takes all
            (expanding).
        validation_share: Share of the windows before a fold that the shrinkage is fitted on.
        max_folds: Where more folds would be needed, each takes more sessions instead.
        predictor: What the forecaster is called in the log.

    Raises:
        EvaluationError: There are too few rows before the first date, or none after it.
    """
    parts = plan_folds(dataset, first_date, refit_every, max_folds)
    targets = range(parts[0].start, parts[-1].stop)
    # Too few rows before the first target are found before a slow forecaster begins.
    fold_dataset(dataset, parts[0], window, validation_share)
    spacing = len(parts[0]) if len(parts) > 1 else refit_every
    row_scales = _row_scales(dataset, targets, spacing, window)
    conformal_intervals(
        np.abs(counted_log_roi(dataset)),
        row_scales,
        np.zeros((1, len(dataset.symbols))),
        targets[:1],
    )
    folds, smoothed, implied = [], [], []
    for number, part in enumerate(parts):
        logger.info(
            "%s: fold %d of %d, %s to %s",
            predictor,
            number + 1,
            len(parts),
            dataset.dates[part.start],
            dataset.dates[part.stop - 1],
            extra={"step": None},
        )
        fold, forecast = _run_fold(dataset, number, part, forecaster, window, validation_share)
        folds.append(fold)
        smoothed.append(forecast)
        implied.append(
            implied_log_roi(
                forecast, known_sum(dataset.log_roi, part, dataset.smoothing), dataset.smoothing
            )
        )
    lengths = [len(fold.targets) for fold in folds]
    everything = np.concatenate(implied)
    published = everything * np.repeat([fold.shrinkage for fold in folds], lengths)[:, np.newaxis]
    rows = slice(targets.start, targets.stop)
    return WalkForward(
        symbols=dataset.symbols,
        folds=tuple(folds),
        dates=dataset.dates[rows],
        rows=dataset,
        actual_smoothed=np.where(dataset.filled[rows], np.nan, dataset.smoothed[rows]),
        forecasts=replace(
            next_session_forecasts(dataset, targets, np.concatenate(smoothed), everything),
            log_roi=published[np.newaxis],
            intervals=(intervals_of_scale(dataset, row_scales, targets, published),),
        ),
        known_mean_pct=to_percent(np.repeat([fold.known_mean for fold in folds], lengths, axis=0)),
        row_scales=row_scales,
    )


def intervals_of_scale(
    dataset: Dataset,
    scales: FloatArray,
    targets: range,
    published: FloatArray,
    before: FloatArray | None = None,
) -> tuple[Intervals, ...]:
    """Return the intervals that a scale forecast leads to, at 80 and 95 %.

    Args:
        dataset: The rows.
        scales: Scale forecasts of all rows, shape (rows, assets), NaN where there is none.
        targets: The last rows of the dataset.
        published: Published log ROI of the targets, shape (targets, assets).
        before: What would have been published of the rows before the targets, shape (those rows,
            assets), NaN where nothing; None stands for the zero forecast, since a fitted one would
            look better there than it is.

    Returns:
        Bounds in percent, shape (targets, assets).

    Raises:
        EvaluationError: There are too few errors before the first target.
    """
    center = np.zeros(scales.shape)
    if before is not None:
        center[: targets.start] = before
    center[targets.start : targets.stop] = published
    errors = np.abs(counted_log_roi(dataset) - center)
    return conformal_intervals(errors, scales, published, targets)


def _row_scales(
    dataset: Dataset, targets: range, refit_every: int, window: int | None
) -> FloatArray:
    last_fit = targets.start + (len(targets) - 1) // refit_every * refit_every
    inputs = scale_inputs(dataset)
    fits = fit_expanding_scale(
        inputs,
        counted_log_roi(dataset),
        last_fit,
        refit_every=refit_every,
        longest=window,
    )
    return fits.predict(inputs)


def _run_fold(
    dataset: Dataset,
    number: int,
    targets: range,
    forecaster: Forecaster,
    window: int | None,
    validation_share: float,
) -> tuple[Fold, FloatArray]:
    """Return the fold and its forecast of the smoothed log ROI, unscaled."""
    own = fold_dataset(dataset, targets, window, validation_share)
    validation = own.split.validation
    expected = own.scaler.inverse(forecaster(own, validation))
    known = known_sum(own.log_roi, validation, own.smoothing)
    actual = counted_log_roi(own)[validation.start : validation.stop]
    fold = Fold(
        number,
        targets,
        dataset.dates[targets.start].item(),
        dataset.dates[targets.stop - 1].item(),
        shrinkage_factor(implied_log_roi(expected, known, own.smoothing), actual),
        own.scaler.log_roi_mean,
    )
    return fold, own.scaler.inverse(forecaster(own, own.split.test))
