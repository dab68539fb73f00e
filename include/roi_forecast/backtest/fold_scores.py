"""The scores of a walk-forward fold by fold, as rows of the table `evaluations`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from roi_forecast.backtest.next_day_skill import next_day_skill
from roi_forecast.backtest.walk_forward import WalkForward
from roi_forecast.evaluation.scores import NEXT_DAY, Score, score_forecasts, score_smoothed
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
        `smoothed_pct`, and of the published next-day ROI, target `next_day_pct`. For all assets
        together also the shrinkage of the fold and, over all folds, the next-day skill with its
        uncertainty.

    Raises:
        EvaluationError: There are fewer sessions than a block of the bootstrap has.
    """
    for fold in result.folds:
        for score in _scores(result, predictor, fold.targets):
            yield fold.number, score
        together = _together(result, predictor, fold.targets, "shrinkage", fold.shrinkage)
        yield fold.number, together
    for score in _scores(result, predictor, result.targets):
        yield None, score
    for name, value in _skill(result).items():
        yield None, _together(result, predictor, result.targets, name, value)


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


def _skill(result: WalkForward) -> dict[str, float]:
    skill = next_day_skill(result.scored, result.known_mean_pct)
    return {
        "r2_against_mean": skill.r2_against_mean,
        "rank_correlation": skill.rank_correlation,
        "rank_correlation_t": skill.rank_correlation_t,
        "directional_accuracy_lower_95": skill.directional_accuracy.lower_95,
        "directional_accuracy_upper_95": skill.directional_accuracy.upper_95,
    }


def _together(
    result: WalkForward, predictor: str, targets: range, metric: str, value: float
) -> Score:
    rows = slice(targets.start - result.targets.start, targets.stop - result.targets.start)
    counted, dates = int(np.isfinite(result.actual_pct[rows]).sum()), result.dates[rows]
    period = (BACKTEST, dates[0].item(), dates[-1].item(), counted)
    return Score(predictor, NEXT_DAY, None, *period, metric, value)
