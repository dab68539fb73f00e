"""Walk-forward evaluation: refit as time passes, forecast what follows, never look ahead.

Each fold forecasts with the same code as a daily run, at the same horizons.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.backtest.folds import Fold, fold_dataset, plan_folds
from roi_forecast.config import ModelConfig, MultiStep
from roi_forecast.evaluation.metrics import Scored
from roi_forecast.evaluation.scores import ScoredRows, actual_roi_pct
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import to_percent
from roi_forecast.forecaster.conformal import conformal_intervals
from roi_forecast.forecaster.forecaster import Forecaster
from roi_forecast.forecaster.forecasts import Forecasts, joined
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.forecaster.shrinkage import counted_log_roi
from roi_forecast.forecaster.through_time import ThroughTime
from roi_forecast.network.predictor import Predictor
from roi_forecast.scale.inputs import scale_inputs

logger = logging.getLogger(__name__)

REFIT_EVERY = 21
"""Sessions in a fold."""

FitNetwork = Callable[[Dataset], Predictor]
"""Fits a network on a dataset's training and validation rows."""


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
        forecasts: Of the targets, at all horizons.
        known_mean_pct: Forecast of the mean known to each fold, in percent, shape (targets,
            assets).
        row_scales: Scale forecasts of all rows of the dataset, shape (rows, assets), log ROI; NaN
            where there is none.
    """

    symbols: tuple[str, ...]
    folds: tuple[Fold, ...]
    dates: np.ndarray
    rows: ScoredRows
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
        return Scored(self.actual_pct, published, self.intervals)

    @property
    def smoothed(self) -> FloatArray:
        """Forecast of the smoothed log ROI, unscaled, shape (targets, assets)."""
        return np.asarray(self.forecasts.smoothed[0], dtype=np.float64)

    @property
    def published(self) -> FloatArray:
        """Published log ROI, shape (targets, assets)."""
        return np.asarray(self.forecasts.log_roi[0], dtype=np.float64)

    @property
    def intervals(self) -> tuple[Intervals, ...]:
        """Bounds in percent, at 80 and 95 %, shape (targets, assets)."""
        return self.forecasts.intervals[0]

    @property
    def scales(self) -> FloatArray:
        """Scale forecasts of the targets, shape (targets, assets), log ROI."""
        return self.row_scales[self.targets.start : self.targets.stop]


def walk_forward(
    dataset: Dataset,
    first_date: date,
    *,
    fit_network: FitNetwork | None = None,
    horizons: Sequence[int] = (1,),
    method: MultiStep = "recursive",
    half_life: float | None = None,
    refit_every: int = REFIT_EVERY,
    window: int | None = None,
    validation_share: float = 0.15,
    max_folds: int | None = None,
    predictor: str = "linear",
) -> WalkForward:
    """Walk through the rows from a date on, refitting every so many sessions.

    The linear part and the scale are fitted through time, as always. Each fold fits scaler, network
    and the factors of what it adds on rows that end a smoothing span before its first target.

    Args:
        dataset: The rows; its own split and scaler are not used.
        first_date: The first target is the first row on or after it.
        fit_network: None: the linear part alone. A network is slow: limit it by `max_folds`.
        horizons: Ascending, the first being 1.
        method: How those beyond the first are forecast.
        half_life: Of the linear part, in sessions; None takes the default.
        refit_every: Sessions in a fold.
        window: Most rows before a fold's first target to fit the network on (rolling); None takes
            all (expanding).
        validation_share: Share of the windows before a fold that validates.
        max_folds: Where more folds would be needed, each takes more sessions instead.
        predictor: What the forecaster is called in the log.

    Raises:
        EvaluationError: There are too few rows before the first date, or none after it.
    """
    parts = plan_folds(dataset, first_date, refit_every, max_folds)
    targets = range(parts[0].start, parts[-1].stop)
    # Too few rows before the first target are found before a slow network begins.
    fold_dataset(dataset, parts[0], window, validation_share)
    through_time = ThroughTime.fit(dataset, half_life or ModelConfig().half_life)
    row_scales = through_time.scale.by_anchor[1].predict(scale_inputs(dataset))
    folds, forecasts = [], []
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
        own = fold_dataset(dataset, part, window, validation_share)
        network = None if fit_network is None else fit_network(own)
        forecaster = Forecaster.fit(own, network, through_time)
        forecast = forecaster.forecast(own, own.split.test, horizons, method)
        forecasts.append(forecast.moved_to(part))
        published = through_time.linear.predict(dataset, part).factor
        folds.append(
            Fold(
                number,
                part,
                dataset.dates[part.start].item(),
                dataset.dates[part.stop - 1].item(),
                float(published.mean()),
                forecaster.calibration.network,
                own.scaler.log_roi_mean,
            )
        )
    lengths = [len(fold.targets) for fold in folds]
    rows = slice(targets.start, targets.stop)
    return WalkForward(
        symbols=dataset.symbols,
        folds=tuple(folds),
        dates=dataset.dates[rows],
        rows=dataset,
        actual_smoothed=np.where(dataset.filled[rows], np.nan, dataset.smoothed[rows]),
        forecasts=joined(forecasts),
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
