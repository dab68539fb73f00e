"""Scores of forecasts next to the actual values, as rows of the table `evaluations`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.evaluation.metrics import OF_ROI, OF_SMOOTHED, Metric, Scored, of_intervals
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import log_roi_ahead, to_percent
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.forecaster.scale_inputs import MarketRows

NEXT_DAY = "next_day_pct"


@dataclass(frozen=True)
class Score:
    """One figure, as a row of the table `evaluations`.

    Attributes:
        predictor: `model`, `champion`, `persistence`, `training_mean`, `ridge` or `no_skill`; of
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


def counted_smoothed(dataset: Dataset, targets: range) -> FloatArray:
    """Return the scaled smoothed log ROI, shape (targets, assets), NaN where there was no bar."""
    rows = slice(targets.start, targets.stop)
    return np.where(dataset.filled[rows], np.nan, dataset.scaler.transform(dataset.smoothed[rows]))


def actual_roi_pct(rows: MarketRows, origins: range, horizon: int) -> FloatArray:
    """Return the ROI up to a horizon from each origin in percent, shape (origins, assets).

    NaN where the target row lies after the last origin, or the asset had no bar on it: no row after
    the last origin is read.
    """
    known = slice(origins.start, origins.stop)
    return to_percent(log_roi_ahead(rows.log_roi[known], rows.filled[known], horizon))


def score_forecasts(
    forecasts: Forecasts, rows: MarketRows, predictor: str, split: str
) -> Iterator[Score]:
    """Score the published ROI of every horizon with every metric, for each asset and for all.

    Args:
        forecasts: Of origins whose rows are known. A horizon that no origin reaches the end of has
            no score.
        rows: What happened; no row after the last origin is read.
        predictor: Name of what forecast.
        split: Name of the rows.
    """
    origins = forecasts.origins
    for number, horizon in enumerate(forecasts.horizons):
        if horizon > len(origins):
            continue
        bounds = forecasts.intervals[number] if forecasts.intervals else ()
        scored = Scored(
            actual_roi_pct(rows, origins, horizon),
            forecasts.roi_pct[number],
            forecasts.unshrunk[number],
            bounds,
        )
        yield from score_target(
            scored,
            (*OF_ROI, *of_intervals(bounds)),
            forecasts.symbols,
            predictor,
            NEXT_DAY if horizon == 1 else f"horizon_{horizon}_pct",
            split,
            rows.dates[[origins.start + horizon - 1, origins.stop - 1]],
            horizon,
        )


def score_smoothed(
    actual: FloatArray,
    forecast: FloatArray,
    symbols: Sequence[str],
    predictor: str,
    target: str,
    split: str,
    dates: npt.NDArray[np.datetime64],
) -> Iterator[Score]:
    """Score the smoothed ROI of the next session, for each asset and for all.

    Args:
        actual: Shape (rows, assets), in the unit of the target; NaN where an entry does not count.
        forecast: Same shape and unit.
        symbols: The assets, in column order.
        predictor: Name of what forecast.
        target: Name of the target.
        split: Name of the rows.
        dates: Target dates, of which the first and the last are stored.
    """
    scored = Scored(actual, forecast)
    yield from score_target(scored, OF_SMOOTHED, symbols, predictor, target, split, dates)


def score_target(
    scored: Scored,
    metrics: Sequence[Metric],
    symbols: Sequence[str],
    predictor: str,
    target: str,
    split: str,
    dates: npt.NDArray[np.datetime64],
    horizon: int = 1,
) -> Iterator[Score]:
    """Give one row for all assets and one for each, of each metric; arguments as above."""
    first, last, counts = dates[0].item(), dates[-1].item(), scored.rows
    for metric in metrics:
        figures: list[tuple[str | None, int, float]] = [
            (None, int(counts.sum()), metric.together(scored)),
            *zip(symbols, counts.tolist(), metric.by_asset(scored).tolist(), strict=True),
        ]
        for symbol, rows, value in figures:
            yield Score(
                predictor, target, symbol, split, first, last, rows, metric.name, value, horizon
            )
