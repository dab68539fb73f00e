"""Scores of forecasts next to the actual values, as rows of the table `evaluations`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.evaluation.metrics import OF_ROI, OF_SMOOTHED, Metric, Scored, of_intervals
from roi_forecast.evaluation.skill import r2_gain, skill_figures
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import log_roi_ahead, to_percent
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.scale.market_rows import MarketRows

NEXT_DAY = "next_day_pct"
GAP = "gap_pct"
OPEN_TO_CLOSE = "open_to_close_pct"
"""Parts of the next session's ROI: from the close before to its opening, and from there on."""
SEEN = ("train", "validation")
"""Splits that training sees: the rows it fits, and those by which it stops."""
R2_GAIN_OVER_LINEAR = "r2_gain_over_linear"
"""What the network adds to the next-day R2 against zero of the linear part."""


class ScoredRows(MarketRows, Protocol):
    """What happened: rows of a dataset or of a version's preprocessing; shapes as there."""

    @property
    def gap(self) -> FloatArray:
        """Opening gap, log ROI; NaN where there is no usable open."""


class Score(NamedTuple):
    """One figure, as a row of the table `evaluations`.

    Attributes:
        predictor: `model`, `linear` (its part in closed form), `no_skill`, `persistence` or
            `zero`; on common rows also `champion`.
        target: `smoothed_scaled` (of a backtest `smoothed_pct`), `next_day_pct`, its parts
            `gap_pct` and `open_to_close_pct`, `horizon_<horizon>_pct` or, on the rows and assets
            that candidate and champion share, `next_day_common`.
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


def actual_parts_pct(rows: ScoredRows, origins: range) -> tuple[FloatArray, FloatArray]:
    """Return opening gap and the ROI from opening to close in percent, shape (origins, assets).

    NaN where the asset had no bar or the bar no usable open.
    """
    known = slice(origins.start, origins.stop)
    gap = np.where(rows.filled[known], np.nan, rows.gap[known])
    return to_percent(gap), to_percent(rows.log_roi[known] - gap)


def score_forecasts(
    forecasts: Forecasts, rows: ScoredRows, predictor: str, split: str
) -> Iterator[Score]:
    """Score the published ROI of every horizon, and the parts of the next session's.

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
        yield from score_roi(
            Scored(actual_roi_pct(rows, origins, horizon), forecasts.roi_pct[number], bounds),
            forecasts.symbols,
            predictor,
            NEXT_DAY if horizon == 1 else f"horizon_{horizon}_pct",
            split,
            rows.dates[[origins.start + horizon - 1, origins.stop - 1]],
            horizon,
        )
    if forecasts.gap is None or forecasts.open_to_close is None:
        return
    for target, actual, forecast in zip(
        (GAP, OPEN_TO_CLOSE),
        actual_parts_pct(rows, origins),
        (forecasts.gap, forecasts.open_to_close),
        strict=True,
    ):
        # An asset without opens has no forecast of the parts, either.
        actual = np.where(np.isfinite(forecast), actual, np.nan)
        yield from score_roi(
            Scored(actual, to_percent(forecast)),
            forecasts.symbols,
            predictor,
            target,
            split,
            rows.dates[origins.start : origins.stop],
        )


def score_network(
    model: Forecasts, linear: Forecasts, rows: ScoredRows, split: str
) -> Iterator[Score]:
    """Score what the published network adds to the linear part of the next session, with bounds.

    Args:
        model: Published forecasts.
        linear: Those of the linear part alone, of the same origins.
        rows: What happened; no row after the last origin is read.
        split: Name of the rows.
    """
    scored = Scored(actual_roi_pct(rows, model.origins, 1), model.roi_pct[0])
    gain = r2_gain(scored, linear.roi_pct[0])
    first, last = rows.dates[[model.origins.start, model.origins.stop - 1]].tolist()
    counted = int(scored.rows.sum())
    bounds = {"": gain.value, "_lower_95": gain.lower_95, "_upper_95": gain.upper_95}
    for bound, value in bounds.items():
        metric = f"{R2_GAIN_OVER_LINEAR}{bound}"
        yield Score("model", NEXT_DAY, None, split, first, last, counted, metric, value)


def score_roi(
    scored: Scored,
    symbols: Sequence[str],
    predictor: str,
    target: str,
    split: str,
    dates: npt.NDArray[np.datetime64],
    horizon: int = 1,
) -> Iterator[Score]:
    """Score an ROI in percent, for each asset and for all; of all also how sure that is.

    Args:
        scored: The forecasts.
        symbols: The assets, in column order.
        predictor: Name of what forecast.
        target: Name of the target.
        split: Name of the rows.
        dates: Target dates, of which the first and the last are stored.
        horizon: Reference sessions from the as-of to the target date.
    """
    metrics = (*OF_ROI, *of_intervals(scored.intervals))
    yield from score_target(scored, metrics, symbols, predictor, target, split, dates, horizon)
    period = (split, dates[0].item(), dates[-1].item(), int(scored.rows.sum()))
    for metric, value in skill_figures(scored, horizon):
        yield Score(predictor, target, None, *period, metric, value, horizon)


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
    """Give one row for all assets and one for each, of each metric; arguments as above.

    Rows that training has seen are scored for all assets together alone: how well they are fitted
    shows in that, and a row for each asset would double the table.
    """
    first, last, counts = dates[0].item(), dates[-1].item(), scored.rows
    for metric in metrics:
        figures: list[tuple[str | None, int, float]] = [
            (None, int(counts.sum()), metric.together(scored))
        ]
        if split not in SEEN:
            own = metric.by_asset(scored).tolist()
            figures += zip(symbols, counts.tolist(), own, strict=True)
        for symbol, rows, value in figures:
            yield Score(
                predictor, target, symbol, split, first, last, rows, metric.name, value, horizon
            )
