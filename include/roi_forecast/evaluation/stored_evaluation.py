"""Storing the figures of an evaluation."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update

from roi_forecast.database.tables import evaluations, model_versions
from roi_forecast.evaluation.scores import Score
from roi_forecast.features.dataset import Dataset
from roi_forecast.registry.versions import ModelVersion
from roi_forecast.runs.resolved_run import ResolvedRun

logger = logging.getLogger(__name__)

SPLITS = ("train", "validation", "test")
COMMON = "next_day_common"
"""Target of the scores on what candidate and champion share: figures of a run, not of a version."""


def store_scores(
    engine: Engine,
    run: ResolvedRun,
    version: ModelVersion,
    dataset: Dataset,
    scores: Iterable[Score],
    *,
    published: bool,
) -> None:
    """Store the figures of an evaluation in the place of those that the run stored before.

    Args:
        engine: Market database.
        run: The run that evaluates.
        version: The version.
        dataset: What it was trained on.
        scores: The figures.
        published: Whether the version ever served or forecast. Its own figures then stay; only the
            comparison with the champion is new, and horizons without a figure.
    """
    own = (evaluations.c.run_id == run.run_id) & (evaluations.c.version_id == version.version_id)
    with engine.begin() as connection:
        stale = evaluations.c.target == COMMON if published else evaluations.c.split.in_(SPLITS)
        known = _known_horizons(connection, version.version_id) if published else set()
        rows = [
            {
                "run_id": run.run_id,
                "version_id": version.version_id,
                "dataset_id": dataset.dataset_id,
                "fold": None,
                **vars(score),
                "value": _or_null(score.value),
            }
            for score in scores
            if score.target == COMMON or score.horizon not in known
        ]
        connection.execute(delete(evaluations).where(own, stale))
        if rows:
            connection.execute(insert(evaluations), rows)
    logger.info("%d figures stored in roi.evaluations", len(rows))


def _known_horizons(connection: Connection, version_id: str) -> set[int]:
    own_figures = (
        (evaluations.c.version_id == version_id)
        & evaluations.c.split.in_(SPLITS)
        & (evaluations.c.target != COMMON)
    )
    return set(connection.scalars(select(evaluations.c.horizon).where(own_figures).distinct()))


def store_figures(engine: Engine, version: ModelVersion, figures: Mapping[str, Any]) -> None:
    """Write a candidate's overall figures into its record.

    Args:
        engine: Market database.
        version: The candidate.
        figures: By name.
    """
    stored = {name: _or_null(value) for name, value in figures.items()}
    with engine.begin() as connection:
        connection.execute(
            update(model_versions)
            .where(model_versions.c.version_id == version.version_id)
            .values(metrics=stored)
        )


def _or_null(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
