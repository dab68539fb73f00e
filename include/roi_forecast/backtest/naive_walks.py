"""What needs no fitting, walked through the same rows: the peers that stand next to every backtest.

None of these forecasts is shrunk. Their intervals are made as those of any other predictor, with
the same scale and conformal quantiles of their own errors; where those of a fitted predictor would
take the errors of the zero forecast, so do those of the no-skill forecast.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.backtest.walk_forward import WalkForward, intervals_of_scale
from roi_forecast.evaluation.baselines import next_session_forecasts, no_skill, persistence
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import known_sum
from roi_forecast.forecaster.forecasts import Forecasts

NAIVE_PREDICTORS = ("zero", "persistence", "no_skill")


def naive_walks(dataset: Dataset, walk: WalkForward) -> dict[str, WalkForward]:
    """Return the walk-forwards of the naive predictors over the folds of another one.

    `zero` forecasts that no price moves; `persistence` the last smoothed and the last plain log
    ROI; `no_skill` the mean of the fold's training rows, so that its smoothed forecast is that
    of an oracle for which returns cannot be predicted.

    Args:
        dataset: The rows that were walked through.
        walk: Gives folds, dates, scales and actual values.
    """
    targets = walk.targets
    lengths = [len(fold.targets) for fold in walk.folds]
    mean = np.repeat([fold.known_mean for fold in walk.folds], lengths, axis=0)
    known = known_sum(dataset.log_roi, targets, dataset.smoothing)
    nothing = np.zeros(mean.shape)
    earlier = np.full((targets.start, len(dataset.symbols)), np.nan)
    earlier[1:] = dataset.log_roi[: targets.start - 1]
    return {
        "zero": _walk(
            dataset,
            walk,
            next_session_forecasts(dataset, targets, known / dataset.smoothing, nothing),
        ),
        "persistence": _walk(dataset, walk, persistence(dataset, targets), before=earlier),
        "no_skill": _walk(dataset, walk, no_skill(dataset, targets, mean)),
    }


def _walk(
    dataset: Dataset, walk: WalkForward, forecasts: Forecasts, before: FloatArray | None = None
) -> WalkForward:
    intervals = intervals_of_scale(
        dataset, walk.row_scales, walk.targets, forecasts.log_roi[0], before
    )
    return replace(
        walk,
        folds=tuple(replace(fold, shrinkage=1.0) for fold in walk.folds),
        forecasts=replace(forecasts, intervals=(intervals,)),
    )
