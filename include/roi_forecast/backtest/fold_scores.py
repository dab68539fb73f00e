"""The scores of a walk-forward fold by fold, as rows of the table `evaluations`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.backtest.folds import Fold
from roi_forecast.backtest.next_day_skill import direction_hits, next_day_skill
from roi_forecast.backtest.walk_forward import WalkForward
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.scores import Score
from roi_forecast.features.returns import to_percent

BACKTEST = "backtest"
"""The split of these scores: rows that came after everything that was fitted."""
SMOOTHED, NEXT_DAY = "smoothed_pct", "next_day_pct"


def fold_scores(result: WalkForward, predictor: str) -> Iterator[tuple[int | None, Score]]:
    """Score each fold, and all folds together under the fold number None.

    Args:
        result: The walk-forward.
        predictor: Name of what forecast, for the column of the same name.

    Yields:
        The fold's number and a score, for every asset and for all. Of the target `smoothed_pct`:
        MAE and R2. Of the target `next_day_pct`, which is about the published ROI: MAE, R2 against
        zero, directional accuracy, coverage and interval score at each level. For all assets
        together also the shrinkage of the fold and, over all folds, the next-day skill with its
        uncertainty.

    Raises:
        EvaluationError: There are fewer sessions than a block of the bootstrap has.
    """
    for fold in result.folds:
        start = result.targets.start
        rows = slice(fold.targets.start - start, fold.targets.stop - start)
        for score in _scores(result, predictor, rows, fold, fold):
            yield fold.number, score
        yield (
            fold.number,
            _together(result, predictor, rows, fold, fold, "shrinkage", fold.shrinkage),
        )
    first, last = result.folds[0], result.folds[-1]
    for score in _scores(result, predictor, slice(None), first, last):
        yield None, score
    for name, value in _skill(result).items():
        yield None, _together(result, predictor, slice(None), first, last, name, value)


def _scores(
    result: WalkForward, predictor: str, rows: slice, first: Fold, last: Fold
) -> Iterator[Score]:
    actual, published = result.actual_pct[rows], to_percent(result.published[rows])
    came, smoothed = to_percent(result.actual_smoothed[rows]), to_percent(result.smoothed[rows])
    counts = metrics.counted_rows(actual)
    figures: list[tuple[str, str, FloatArray, float]] = [
        (target, name, metric(true, forecast), metrics.overall(metric, true, forecast))
        for target, name, metric, true, forecast in (
            (SMOOTHED, "mae", metrics.mean_absolute_error, came, smoothed),
            (SMOOTHED, "r2", metrics.r2, came, smoothed),
            (NEXT_DAY, "mae", metrics.mean_absolute_error, actual, published),
            (NEXT_DAY, "r2_against_zero", metrics.r2_against_zero, actual, published),
        )
    ]
    entries = {"directional_accuracy": direction_hits(result)}
    for intervals in result.intervals:
        percent = round(100 * intervals.level)
        entries[f"coverage_{percent}"] = intervals.covers(result.actual_pct)
        entries[f"interval_score_{percent}"] = intervals.score(result.actual_pct)
    for name, values in entries.items():
        together = float(metrics.mean_of_counted(values[rows].reshape(-1, 1))[0])
        figures.append((NEXT_DAY, name, metrics.mean_of_counted(values[rows]), together))
    for target, name, by_asset, together in figures:
        of_symbols: list[tuple[str | None, int, float]] = [
            (None, int(counts.sum()), together),
            *zip(result.symbols, counts.tolist(), np.asarray(by_asset).tolist(), strict=True),
        ]
        for symbol, count, value in of_symbols:
            yield Score(
                predictor,
                target,
                symbol,
                BACKTEST,
                first.first_date,
                last.last_date,
                count,
                name,
                value,
            )


def _skill(result: WalkForward) -> dict[str, float]:
    skill = next_day_skill(result)
    return {
        "r2_against_mean": skill.r2_against_mean,
        "rank_correlation": skill.rank_correlation,
        "rank_correlation_t": skill.rank_correlation_t,
        "directional_accuracy_lower_95": skill.directional_accuracy.lower_95,
        "directional_accuracy_upper_95": skill.directional_accuracy.upper_95,
    }


def _together(
    result: WalkForward,
    predictor: str,
    rows: slice,
    first: Fold,
    last: Fold,
    metric: str,
    value: float,
) -> Score:
    counted = int(np.isfinite(result.actual_pct[rows]).sum())
    period = (BACKTEST, first.first_date, last.last_date, counted)
    return Score(predictor, NEXT_DAY, None, *period, metric, value)
