"""What a daily run forecasts of its test rows, to be held against the walk-forward's."""

from __future__ import annotations

import numpy as np

from roi_forecast.backtest.walk_forward import WalkForward
from roi_forecast.config import ModelConfig
from roi_forecast.features.dataset import Dataset
from roi_forecast.forecaster.forecaster import Forecaster
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.forecaster.through_time import ThroughTime


def daily_run(dataset: Dataset, walked: range) -> Forecasts:
    """Fit as a daily run does, once, and forecast the test rows; without a network.

    Args:
        dataset: Split as in a daily run.
        walked: Rows that a walk-forward forecast: test rows among them are forecast here.

    Raises:
        EvaluationError: There are too few errors before the test for an interval.
    """
    through_time = ThroughTime.fit(dataset, ModelConfig().half_life)
    forecaster = Forecaster.fit(dataset, None, through_time)
    test = dataset.split.test
    origins = range(max(test.start, walked.start), min(test.stop, walked.stop))
    return forecaster.forecast(dataset, origins, (1,), "recursive")


def walked_in(walk: WalkForward, rows: range) -> tuple[tuple[Intervals, ...], np.ndarray]:
    """Return a walk-forward's intervals and the actual ROI in percent of some of its rows."""
    chosen = slice(rows.start - walk.targets.start, rows.stop - walk.targets.start)
    intervals = tuple(
        Intervals(each.level, each.lower[chosen], each.upper[chosen]) for each in walk.intervals
    )
    return intervals, walk.actual_pct[chosen]
