"""Storing the figures of an evaluation."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any

from psycopg import sql
from sqlalchemy import Connection, Engine, delete, select, update

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
        connection.execute(delete(evaluations).where(own, stale))
        wanted = (
            (None, score)
            for score in scores
            if score.target == COMMON or score.horizon not in known
        )
        insert_scores(connection, run.run_id, version.version_id, dataset.dataset_id, wanted)


def insert_scores(
    connection: Connection,
    run_id: str,
    version_id: str | None,
    dataset_id: str,
    scores: Iterable[tuple[int | None, Score]],
) -> None:
    """Insert figures, by COPY: thousands of assets have a million.

    Args:
        connection: With a transaction.
        run_id: The run that evaluates.
        version_id: The version; None for a backtest.
        dataset_id: The dataset.
        scores: The figures, each with its fold; None for all rows together.
    """
    names = ("run_id", "version_id", "dataset_id", "fold", *Score._fields)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(evaluations.schema or "", evaluations.name),
        sql.SQL(", ").join(map(sql.Identifier, names)),
    )
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for fold, score in scores:
            stored = score._replace(value=_or_null(score.value))
            copy.write_row((run_id, version_id, dataset_id, fold, *stored))
    logger.info("%d figures stored in roi.evaluations", cursor.rowcount)


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
