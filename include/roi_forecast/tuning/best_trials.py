"""The best trials of a study."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, func, select

from roi_forecast.database.tables import trials
from roi_forecast.errors import EvaluationError
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.tuning.study import searched

logger = logging.getLogger(__name__)

SHOWN = 5


@dataclass(frozen=True)
class RankedTrial:
    """A scored trial, with its overall R2 on the validation rows."""

    trial: int
    validation_r2: float
    epochs: int
    parameters: Mapping[str, Any]


def best_trials(engine: Engine, study: str, count: int = SHOWN) -> list[RankedTrial]:
    """Return the trials with the highest validation R2, best first."""
    statement = (
        select(trials.c.trial, trials.c.validation_r2, trials.c.epochs, trials.c.parameters)
        .where(trials.c.study == study, trials.c.state == "complete")
        .order_by(trials.c.validation_r2.desc(), trials.c.trial)
        .limit(count)
    )
    with engine.connect() as connection:
        return [RankedTrial(**row._mapping) for row in connection.execute(statement)]


def log_best_trials(engine: Engine, run: ResolvedRun) -> None:
    """Log the best trials of the run's study, and how a daily run takes the best one.

    Raises:
        EvaluationError: No trial of the study was scored.
    """
    tuning = searched(run)
    best = best_trials(engine, tuning.study)
    if not best:
        raise EvaluationError(
            f"no trial of study {tuning.study!r} was scored; the logs of run_trial say why"
        )
    counted = select(trials.c.state, func.count()).where(trials.c.study == tuning.study)
    with engine.connect() as connection:
        states: dict[str, int] = dict(connection.execute(counted.group_by(trials.c.state)).all())
    logger.info(
        "study %s: %d trials were scored, %d were pruned",
        tuning.study,
        states.get("complete", 0),
        states.get("pruned", 0),
    )
    for trial in best:
        logger.info(
            "trial %d: validation R2 %.5f after %d epochs, %s",
            trial.trial,
            trial.validation_r2,
            trial.epochs,
            dict(trial.parameters),
        )
    logger.info('a daily run takes the best set with {"tuned_study": "%s"}', tuning.study)
