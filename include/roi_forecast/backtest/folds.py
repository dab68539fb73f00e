"""The folds of a walk-forward: which rows each one forecasts, and what it may be fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.errors import EvaluationError
from roi_forecast.features.dataset import Dataset, Split
from roi_forecast.features.scaling import Scaler


@dataclass(frozen=True)
class Fold:
    """One refit and the rows it forecast.

    Attributes:
        number: Counted from 0.
        targets: Rows of the whole dataset.
        first_date: First target date.
        last_date: Last target date.
        shrinkage: How much of the linear part the fold published, on average; 1 for a forecast that
            is not shrunk.
        network: How much of what the network adds; 0 without one.
        known_mean: Mean log ROI of the fold's training rows, shape (assets,).
    """

    number: int
    targets: range
    first_date: date
    last_date: date
    shrinkage: float
    network: float
    known_mean: FloatArray


def plan_folds(
    dataset: Dataset, first_date: date, refit_every: int, max_folds: int | None
) -> list[range]:
    """Return the target rows of each fold, from a date to the last row, without a gap.

    Args:
        dataset: The rows.
        first_date: The first target is the first row on or after it.
        refit_every: Sessions in a fold; the last fold may have fewer.
        max_folds: Where more folds would be needed, each takes more sessions instead.

    Raises:
        EvaluationError: There is no row on or after the first date.
    """
    rows = len(dataset.dates)
    start = int(np.searchsorted(dataset.dates, np.datetime64(first_date)))
    if start == rows:
        raise EvaluationError(
            f"no row on or after {first_date}: the data end at {dataset.dates[-1]}; "
            "name an earlier first date"
        )
    if max_folds is not None:
        refit_every = max(refit_every, -(-(rows - start) // max_folds))
    return [
        range(first, min(first + refit_every, rows)) for first in range(start, rows, refit_every)
    ]


def fold_dataset(
    dataset: Dataset, targets: range, window: int | None, validation_share: float
) -> Dataset:
    """Return the rows up to the fold's last target, split and scaled for the fold alone.

    Its id names the rows that a forecaster may be fitted on, so that the trainings of two folds are
    never taken for each other.

    Args:
        dataset: The rows; its own split and scaler are not used.
        targets: Target rows of the fold: the test part of the result.
        window: Most rows before the first target; None takes all.
        validation_share: Share of the windows before the first target.

    Raises:
        EvaluationError: Training or validation would have no window.
    """
    first = 0 if window is None else max(0, targets.start - window)
    rows = slice(first, targets.stop)
    start, gap = targets.start - first, dataset.smoothing
    validation_start = start - round((start - dataset.seq_len) * validation_share)
    split = Split(
        train=range(dataset.seq_len, validation_start - gap),
        validation=range(validation_start, start - gap),
        test=range(start, targets.stop - first),
    )
    if not split.train or not split.validation:
        advice = (
            "a longer rolling window"
            if window is not None and window < targets.start
            else "earlier prices or a later first date"
        )
        raise EvaluationError(
            f"{start} rows before {dataset.dates[targets.start]} leave no training or validation "
            f"windows of {dataset.seq_len} rows; take {advice}"
        )
    fitted_on = f"rows-{first}-{first + validation_start}-{targets.start}"
    fold = dataset.of_rows(rows, split, f"{dataset.dataset_id}-{fitted_on}")
    fitted = slice(0, split.train.stop)
    scaler = Scaler.fit(
        fold.smoothed[fitted], fold.log_roi[fitted], dataset.scaler.kind, fold.context[fitted]
    )
    return fold.rescaled(scaler)
