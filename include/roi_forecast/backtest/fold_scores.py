"""The scores of a walk-forward fold by fold, as rows of the table `evaluations`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from roi_forecast.backtest.walk_forward import WalkForward
from roi_forecast.evaluation.scores import (
    NEXT_DAY,
    Score,
    actual_roi_pct,
    score_forecasts,
    score_smoothed,
)
from roi_forecast.features.returns import to_percent

BACKTEST = "backtest"
"""The split of these scores: rows after everything that was fitted."""
SMOOTHED = "smoothed_pct"


def fold_scores(result: WalkForward, predictor: str) -> Iterator[tuple[int | None, Score]]:
    """Score each fold, and all folds together under the fold number None.

    Args:
        result: The walk-forward.
        predictor: Name of what forecast, for the column of the same name.

    Yields:
        The fold's number and a score, for every asset and for all: of the smoothed ROI, target
        `smoothed_pct`, of the published next-day ROI, target `next_day_pct`, and of its parts. For
        all assets together also how sure a figure is, and each fold's shrinkage.
    """
    for fold in result.folds:
        for score in _scores(result, predictor, fold.targets):
            yield fold.number, score
        counted = np.isfinite(actual_roi_pct(result.rows, fold.targets, 1)).sum()
        period = (BACKTEST, fold.first_date, fold.last_date, int(counted))
        yield fold.number, Score(predictor, NEXT_DAY, None, *period, "shrinkage", fold.shrinkage)
    for score in _scores(result, predictor, result.targets):
        yield None, score


def _scores(result: WalkForward, predictor: str, targets: range) -> Iterator[Score]:
    rows = slice(targets.start - result.targets.start, targets.stop - result.targets.start)
    yield from score_smoothed(
        to_percent(result.actual_smoothed[rows]),
        to_percent(result.smoothed[rows]),
        result.symbols,
        predictor,
        SMOOTHED,
        BACKTEST,
        result.dates[rows],
    )
    yield from score_forecasts(result.forecasts.between(targets), result.rows, predictor, BACKTEST)
