"""The serving champion, scored again on the candidate's test dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from roi_forecast.array_types import BoolArray, DateArray, FloatArray, IndexArray
from roi_forecast.errors import EvaluationError, RegistryError
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.paired_scores import (
    MIN_SESSIONS,
    PairedScores,
    paired_scores,
)
from roi_forecast.features.dataset import Dataset, PreparedRows
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import implied_log_roi, known_sum
from roi_forecast.features.rows import PriceRows
from roi_forecast.files.verified import VerifiedDirectory, open_verified
from roi_forecast.network.predictor import load_predictor


@dataclass(frozen=True)
class Comparison(PairedScores):
    """Candidate against champion on the same target dates and assets, in unscaled units.

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
    candidate_test: FloatArray,
    champion_directory: Path,
    champion_rows: PriceRows,
    *,
    champion_checksum: str | None = None,
) -> Comparison:
    """Score candidate and champion on what both can be asked.

    Each is fed through its own scaler and columns. Only target dates count that the champion
    was not fitted on: a champion trained on some of them would have an unfair lead.

    Args:
        dataset: The candidate's dataset; its test rows are the targets.
        candidate_test: The candidate's scaled smoothed log ROI there, shape (test targets, assets).
        champion_directory: Files of the champion.
        champion_rows: Carried prices of the champion's assets from the candidate's source.
        champion_checksum: The SHA-256 that the champion's manifest was registered with; None: it is
            not known.

    Raises:
        EvaluationError: They share too few sessions, or no asset.
        RegistryError: The champion's files are damaged.
    """
    champion_files = open_verified(champion_directory, RegistryError, checksum=champion_checksum)
    preprocessing = Preprocessing.load(champion_files)
    prepared = preprocessing.apply(champion_rows)
    targets = dataset.split.test
    test_dates = dataset.dates[targets.start : targets.stop]
    unseen = test_dates > np.datetime64(champion_files.manifest["last_fitted_date"])
    own, theirs = _common_rows(test_dates, prepared.dates, preprocessing.seq_len, unseen)
    shared = [symbol for symbol in dataset.symbols if symbol in preprocessing.symbols]
    if len(own) < MIN_SESSIONS or not shared:
        raise EvaluationError(
            f"candidate and champion share {len(own)} sessions that the champion was not fitted "
            f"on and {len(shared)} assets; at least {MIN_SESSIONS} sessions and one asset are "
            "needed"
        )
    columns = np.array([dataset.symbols.index(symbol) for symbol in shared])
    their_columns = np.array([preprocessing.symbols.index(symbol) for symbol in shared])
    rows = own + targets.start
    actual = np.where(dataset.filled[rows], np.nan, dataset.smoothed[rows])[:, columns]
    candidate = dataset.scaler.inverse(candidate_test[own])[:, columns]
    implied = _champion_implied(champion_files, preprocessing, prepared, theirs)
    champion = _as_smoothed(dataset, targets, implied[:, their_columns], columns, own)
    return Comparison(
        **vars(paired_scores(actual, candidate, champion, shared)),
        first_date=test_dates[own[0]].item(),
        last_date=test_dates[own[-1]].item(),
        sessions=len(own),
        rows=int(metrics.counted_rows(actual).sum()),
    )


def _common_rows(
    test_dates: DateArray,
    champion_dates: DateArray,
    seq_len: int,
    unseen: BoolArray,
) -> tuple[IndexArray, IndexArray]:
    """Return positions among the test dates and the champion's rows of the dates both can score."""
    _, own, theirs = np.intersect1d(test_dates, champion_dates, return_indices=True)
    usable = (theirs >= seq_len) & unseen[own]
    return own[usable], theirs[usable]


def _champion_implied(
    champion_files: VerifiedDirectory,
    preprocessing: Preprocessing,
    prepared: PreparedRows,
    rows: IndexArray,
) -> FloatArray:
    """Return the log ROI that the champion's forecasts imply, shape (rows, champion's assets)."""
    targets = range(int(rows[0]), int(rows[-1]) + 1)
    scaled = load_predictor(champion_files).predict(
        prepared.scaled, prepared.scaled_log_roi, targets
    )
    known = known_sum(prepared.log_roi, targets, preprocessing.smoothing)
    smoothed = preprocessing.scaler.inverse(scaled)
    implied = implied_log_roi(smoothed, known, preprocessing.smoothing)
    return implied[rows - targets.start]


def _as_smoothed(
    dataset: Dataset,
    targets: range,
    implied: FloatArray,
    columns: IndexArray,
    own: IndexArray,
) -> FloatArray:
    """Return the smoothed log ROI, with the candidate's span, that implied log ROIs amount to."""
    known = known_sum(dataset.log_roi, targets, dataset.smoothing)[own][:, columns]
    return (implied + known) / dataset.smoothing
