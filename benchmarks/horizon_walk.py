"""A walk-forward of forecasts up to 30 sessions ahead, and simpler intervals to compare with."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.backtest.folds import fold_dataset, plan_folds
from roi_forecast.config import MAX_HORIZON, ModelConfig, MultiStep
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import log_roi_ahead, to_percent
from roi_forecast.forecaster.calibration import METHODS, Calibration
from roi_forecast.forecaster.expanding_scale import REFIT_EVERY, fit_expanding_scale
from roi_forecast.forecaster.horizon_intervals import HorizonErrors, horizon_intervals
from roi_forecast.forecaster.horizon_scale import fit_horizon_scale
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.forecaster.scale_inputs import scale_inputs
from roi_forecast.network.ridge import fit_ridge

_VALIDATION_SHARE = 0.15

HorizonIntervals = tuple[tuple[Intervals, ...], ...]


@dataclass(frozen=True)
class HorizonWalk:
    """Forecasts from every row of a walk-forward, none made with anything from that row on.

    Attributes:
        dates: First session that is forecast, shape (origins,), datetime64[D].
        folds: Refits.
        actual_pct: ROI in percent from the eve to the target date of each horizon, shape (horizons,
            origins, assets); NaN where the asset had no bar then, or the data end before.
        published: Shrunk forecasts by either method, shape (horizons, origins, assets), log ROI.
        factors: The folds' shrinkage by either method, shape (folds, horizons).
        intervals: Shipped intervals by either method.
        constant: The same quantiles on a scale that never changes, around the direct forecasts.
        root_of_time: The shipped half-width of the next session times the root of the horizon,
            around the direct forecasts.
    """

    dates: np.ndarray
    folds: int
    actual_pct: FloatArray
    published: Mapping[MultiStep, FloatArray]
    factors: Mapping[MultiStep, FloatArray]
    intervals: Mapping[MultiStep, HorizonIntervals]
    constant: HorizonIntervals
    root_of_time: HorizonIntervals


def walk_horizons(
    dataset: Dataset, first_date: date, *, horizons: int = MAX_HORIZON
) -> HorizonWalk:
    """Walk through the rows from a date on, refitting ridge, direct and scales as time goes on.

    Args:
        dataset: The rows; its own split and scaler are not used.
        first_date: The first origin is the first row on or after it.
        horizons: The longest one.

    Raises:
        EvaluationError: There are too few rows before the first date, or none after it.
    """
    parts = plan_folds(dataset, first_date, REFIT_EVERY, None)
    origins = range(parts[0].start, parts[-1].stop)
    published: dict[MultiStep, list[FloatArray]] = {method: [] for method in METHODS}
    factors: dict[MultiStep, list[FloatArray]] = {method: [] for method in METHODS}
    for number, part in enumerate(parts):
        logging.info("horizons: fold %d of %d", number + 1, len(parts))
        own = fold_dataset(dataset, part, None, _VALIDATION_SHARE)
        for method, (forecasts, shrinkage) in _fold_forecasts(own, horizons).items():
            published[method].append(forecasts)
            factors[method].append(shrinkage)
    ahead = np.stack(
        [
            log_roi_ahead(dataset.log_roi, dataset.filled, horizon)
            for horizon in range(1, horizons + 1)
        ]
    )
    scales = _scales(dataset, parts[-1].start, horizons)
    together = {method: np.concatenate(each, axis=1) for method, each in published.items()}
    intervals = {}
    for method, forecasts in together.items():
        logging.info("horizons: intervals of the %s forecasts", method)
        intervals[method] = _intervals(ahead, scales, forecasts, origins)
    direct = together["direct"]
    return HorizonWalk(
        dates=dataset.dates[origins.start : origins.stop],
        folds=len(parts),
        actual_pct=to_percent(ahead[:, origins.start : origins.stop]),
        published=together,
        factors={method: np.stack(each) for method, each in factors.items()},
        intervals=intervals,
        constant=_intervals(ahead, np.ones(scales.shape), direct, origins),
        root_of_time=_root_of_time(intervals["direct"][0], direct),
    )


def _fold_forecasts(own: Dataset, horizons: int) -> dict[MultiStep, tuple[FloatArray, FloatArray]]:
    """Return the fold's shrunk forecasts and its factors, by either method."""
    penalty = ModelConfig().ridge_penalty
    windows = fit_ridge(own, penalty).forecast_windows
    calibration = Calibration.fit(own, windows, penalty)
    preprocessing, test = Preprocessing.of_dataset(own), own.split.test
    result = {}
    for method in METHODS:
        ahead = calibration.forecast(method, windows, preprocessing, own, test, horizons)
        factors = calibration.shrinkage[method][:horizons]
        result[method] = (calibration.publish(method, ahead), factors)
    return result


def _scales(dataset: Dataset, last_fit: int, horizons: int) -> FloatArray:
    inputs = scale_inputs(dataset)
    counted = np.where(dataset.filled, np.nan, dataset.log_roi)
    nearest = fit_expanding_scale(inputs, counted, last_fit)
    farther = fit_horizon_scale(nearest, inputs, dataset.log_roi, dataset.filled, last_fit)
    return np.stack(list(farther.predict(inputs, horizons)))


def _intervals(
    ahead: FloatArray, scales: FloatArray, forecasts: FloatArray, origins: range
) -> HorizonIntervals:
    # Before the first fold the errors of the zero forecast count, as before a version's test.
    center = np.zeros(ahead.shape)
    center[:, origins.start : origins.stop] = forecasts
    scores = np.abs(ahead - center) / scales
    own = scales[:, origins.start : origins.stop]
    return horizon_intervals(map(HorizonErrors, scores, own, forecasts), origins)


def _root_of_time(nearest: tuple[Intervals, ...], forecasts: FloatArray) -> HorizonIntervals:
    result = []
    for horizon, middle in enumerate(forecasts, start=1):
        bounds = []
        for each in nearest:
            logs = np.log1p(each.upper / 100) - np.log1p(each.lower / 100)
            half = np.sqrt(horizon) * logs / 2
            bounds.append(
                Intervals(each.level, to_percent(middle - half), to_percent(middle + half))
            )
        result.append(tuple(bounds))
    return tuple(result)
