"""The serving champion, scored again on the candidate's test dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from roi_forecast.array_types import BoolArray, DateArray, FloatArray, IndexArray
from roi_forecast.config import MultiStep
from roi_forecast.errors import EvaluationError
from roi_forecast.evaluation.metrics import Scored, counted_rows
from roi_forecast.evaluation.paired_scores import MIN_SESSIONS, PairedScores, paired_scores
from roi_forecast.evaluation.scores import actual_roi_pct
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.rows import PriceRows
from roi_forecast.forecaster.forecaster import Forecaster
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.forecaster.intervals import Intervals


@dataclass(frozen=True)
class Comparison(PairedScores):
    """Candidate against champion on the same target dates and assets.

    Attributes:
        first_date: First common target date.
        last_date: Last common target date.
        sessions: Common target dates.
        rows: Counted target entries.
    """

    first_date: date
    last_date: date
    sessions: int
    rows: int


def compare_with_champion(
    dataset: Dataset,
    candidate: Forecasts,
    champion: Forecaster,
    champion_rows: PriceRows,
    last_fitted_date: date,
    method: MultiStep,
) -> Comparison:
    """Score what candidate and champion publish of the next session where both can be asked.

    Each forecasts from its own columns, in its own units and with its own context. Only target
    dates count that the champion was not fitted on, since it would have an unfair lead there, and
    that follow the same session for both.

    Args:
        dataset: The candidate's dataset; its test rows are the targets.
        candidate: The candidate's forecasts of the test rows, with bounds.
        champion: The champion.
        champion_rows: Carried prices of the champion's assets and context from the candidate's
            source.
        last_fitted_date: Last date that the champion was fitted on.
        method: How horizons beyond the first are forecast.

    Raises:
        EvaluationError: They share too few sessions, or no asset, or the champion has too few rows
            for an interval.
    """
    prepared = champion.preprocessing.apply(champion_rows)
    targets = dataset.split.test
    own, theirs = _common_rows(
        dataset.dates,
        targets,
        prepared.dates,
        champion.preprocessing.seq_len,
        dataset.dates > np.datetime64(last_fitted_date),
    )
    shared = [symbol for symbol in dataset.symbols if symbol in prepared.symbols]
    if len(own) < MIN_SESSIONS or not shared:
        raise EvaluationError(
            f"candidate and champion share {len(own)} sessions that the champion was not fitted "
            f"on and {len(shared)} assets; at least {MIN_SESSIONS} sessions and one asset are "
            "needed"
        )
    origins = range(int(theirs[0]), int(theirs[-1]) + 1)
    published = champion.forecast(prepared, origins, (1,), method)
    actual = actual_roi_pct(dataset, targets, 1)
    columns, their_columns = (
        np.array([symbols.index(symbol) for symbol in shared])
        for symbols in (dataset.symbols, prepared.symbols)
    )
    chosen = np.ix_(own - targets.start, columns)
    scored = _scored(candidate, actual[chosen], own - targets.start, columns)
    return Comparison(
        **vars(
            paired_scores(
                scored,
                _scored(published, actual[chosen], theirs - origins.start, their_columns),
                shared,
            )
        ),
        first_date=dataset.dates[own[0]].item(),
        last_date=dataset.dates[own[-1]].item(),
        sessions=len(own),
        rows=int(counted_rows(scored.actual).sum()),
    )


def _common_rows(
    dates: DateArray,
    targets: range,
    champion_dates: DateArray,
    seq_len: int,
    unseen: BoolArray,
) -> tuple[IndexArray, IndexArray]:
    """Return the candidate's and the champion's rows of the targets that both can score.

    The session before has to be the same, too: a move over another span is another target.
    """
    _, own, theirs = np.intersect1d(dates, champion_dates, return_indices=True)
    usable = (own >= targets.start) & (own < targets.stop) & unseen[own]
    usable &= (theirs >= seq_len) & (dates[own - 1] == champion_dates[theirs - 1])
    return own[usable], theirs[usable]


def _scored(
    forecasts: Forecasts, actual: FloatArray, rows: IndexArray, columns: IndexArray
) -> Scored:
    """Return the published ROI of the next session on some origins and assets, in percent."""
    chosen = np.ix_(rows, columns)
    intervals = tuple(
        Intervals(each.level, each.lower[chosen], each.upper[chosen])
        for each in forecasts.intervals[0]
    )
    return Scored(actual, forecasts.roi_pct[0][chosen], intervals)
