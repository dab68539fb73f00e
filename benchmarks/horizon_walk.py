"""A walk-forward of forecasts several sessions ahead, and the intervals to compare with."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from garch_peers import garch_ahead

from roi_forecast.array_types import FloatArray
from roi_forecast.backtest.walk_forward import WalkForward, walk_forward
from roi_forecast.config import MultiStep
from roi_forecast.evaluation.scores import actual_roi_pct
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import to_percent
from roi_forecast.forecaster.calibration import METHODS
from roi_forecast.forecaster.conformal import LEVELS
from roi_forecast.forecaster.intervals import Intervals

HorizonIntervals = Mapping[int, tuple[Intervals, ...]]
"""By horizon, the bounds at each level, in percent, shape (origins, assets)."""


@dataclass(frozen=True)
class HorizonWalk:
    """Forecasts from every row of a walk-forward, none made with anything from that row on.

    Attributes:
        horizons: Sessions from the last known row to the target row, ascending.
        walks: The walk-forward by either method.
        garch: Intervals of GARCH(1,1) with Student's t, by simulated paths.
        root_of_time: The shipped half-width of the next session times the root of the horizon,
            around the direct forecasts.
    """

    horizons: tuple[int, ...]
    walks: Mapping[MultiStep, WalkForward]
    garch: HorizonIntervals
    root_of_time: HorizonIntervals

    @property
    def dates(self) -> np.ndarray:
        """First session that is forecast, shape (origins,), datetime64[D]."""
        return self.walks["direct"].dates

    def actual_pct(self, horizon: int) -> FloatArray:
        """Return the ROI in percent, shape (origins, assets).

        NaN where the asset had no bar on the target date, or the data end before.
        """
        walk = self.walks["direct"]
        return actual_roi_pct(walk.rows, walk.targets, horizon)

    def log_roi(self, method: MultiStep, horizon: int) -> FloatArray:
        """Return the published forecasts, shape (origins, assets)."""
        forecasts: FloatArray = self.walks[method].forecasts.log_roi[self._place(horizon)]
        return forecasts

    def intervals(self, method: MultiStep, horizon: int) -> tuple[Intervals, ...]:
        """Return the shipped intervals, one for each level."""
        return self.walks[method].forecasts.intervals[self._place(horizon)]

    def _place(self, horizon: int) -> int:
        return self.horizons.index(horizon)


def walk_horizons(dataset: Dataset, first_date: date, horizons: Sequence[int]) -> HorizonWalk:
    """Walk through the rows from a date on with the linear part, by either method.

    Args:
        dataset: The rows; its own split and scaler are not used.
        first_date: The first origin is the first row on or after it.
        horizons: Ascending, the first being 1.

    Raises:
        EvaluationError: There are too few rows before the first date, or none after it.
    """
    walks = {
        method: walk_forward(
            dataset, first_date, horizons=horizons, method=method, predictor=f"linear, {method}"
        )
        for method in METHODS
    }
    direct = walks["direct"]
    logging.info("horizons: paths of GARCH")
    return HorizonWalk(
        tuple(horizons),
        walks,
        garch_intervals(dataset, direct, horizons),
        _root_of_time(direct, horizons),
    )


def garch_intervals(
    dataset: Dataset, walk: WalkForward, horizons: Sequence[int]
) -> HorizonIntervals:
    """Return the intervals of GARCH(1,1), refitted for the same folds as a walk-forward."""
    starts = [fold.targets.start for fold in walk.folds]
    rows = slice(walk.targets.start, walk.targets.stop)
    bounds = to_percent(garch_ahead(dataset, starts, horizons)[..., rows, :])
    return {
        horizon: tuple(
            Intervals(level, lower, upper)
            for level, (lower, upper) in zip(LEVELS, own, strict=True)
        )
        for horizon, own in zip(horizons, bounds, strict=True)
    }


def _root_of_time(walk: WalkForward, horizons: Sequence[int]) -> HorizonIntervals:
    result = {}
    for horizon, middle in zip(horizons, walk.forecasts.log_roi, strict=True):
        bounds = []
        for each in walk.intervals:
            logs = np.log1p(each.upper / 100) - np.log1p(each.lower / 100)
            half = np.sqrt(horizon) * logs / 2
            bounds.append(
                Intervals(each.level, to_percent(middle - half), to_percent(middle + half))
            )
        result[horizon] = tuple(bounds)
    return result
