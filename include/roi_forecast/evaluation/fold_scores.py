"""The scores of a walk-forward fold by fold, as rows of the table `evaluations`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.scores import Score
from roi_forecast.evaluation.walk_forward import Fold, WalkForward
from roi_forecast.features.returns import to_percent
from roi_forecast.features.scaling import FloatArray


def fold_scores(result: WalkForward, predictor: str) -> Iterator[tuple[int | None, Score]]:
    """Score each fold, and all folds together under the fold number None.

    Args:
        result: The walk-forward.
        predictor: Name of what forecast, for the column of the same name.

    Yields:
        The fold's number and a score of the target `next_day_pct`, for every asset and for all:
        MAE and R2 against zero of the published ROI, coverage and interval score at each level.
    """
    start = result.folds[0].targets.start
    for fold in result.folds:
        rows = slice(fold.targets.start - start, fold.targets.stop - start)
        for score in _scores(result, predictor, rows, fold, fold):
            yield fold.number, score
    for score in _scores(result, predictor, slice(None), result.folds[0], result.folds[-1]):
        yield None, score


def _scores(
    result: WalkForward, predictor: str, rows: slice, first: Fold, last: Fold
) -> Iterator[Score]:
    actual, published = result.actual_pct[rows], to_percent(result.published[rows])
    counts = metrics.counted_rows(actual)
    figures: list[tuple[str, FloatArray, float]] = [
        (name, metric(actual, published), metrics.overall(metric, actual, published))
        for name, metric in (
            ("mae", metrics.mean_absolute_error),
            ("r2_against_zero", metrics.r2_against_zero),
        )
    ]
    for intervals in result.intervals:
        percent = round(100 * intervals.level)
        for name, entries in (
            (f"coverage_{percent}", intervals.covers(result.actual_pct)[rows]),
            (f"interval_score_{percent}", intervals.score(result.actual_pct)[rows]),
        ):
            together = float(metrics.mean_of_counted(entries.reshape(-1, 1))[0])
            figures.append((name, metrics.mean_of_counted(entries), together))
    for name, values, together in figures:
        entries_by_symbol: list[tuple[str | None, int, float]] = [
            (None, int(counts.sum()), together),
            *zip(result.symbols, counts.tolist(), np.asarray(values).tolist(), strict=True),
        ]
        for symbol, count, value in entries_by_symbol:
            yield Score(
                predictor,
                "next_day_pct",
                symbol,
                "test",
                first.first_date,
                last.last_date,
                count,
                name,
                value,
            )
