"""The end of a search: its best trials, and what the scores depend on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, func, select

from roi_forecast.database.tables import trials
from roi_forecast.errors import EvaluationError
from roi_forecast.number_text import short, written
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.tuning.importance import store_importance
from roi_forecast.tuning.study import open_study, searched

logger = logging.getLogger(__name__)

SHOWN = 5


@dataclass(frozen=True)
class RankedTrial:
    """A scored trial, with its overall R2 on the validation rows."""

    trial: int
    validation_r2: float
    epochs: int
    parameters: Mapping[str, Any]

    @property
    def words(self) -> str:
        """The parameters in words; the study keeps every digit."""
        values = (
            f"{name} {short(value) if isinstance(value, float) else value}"
            for name, value in self.parameters.items()
        )
        return ", ".join(values)


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


def conclude_search(engine: Engine, run: ResolvedRun) -> None:
    """Store the importance of the parameters, and log the best trials and how to take the best.

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
            "trial %d: smoothed R2 %s on validation rows after %d epochs, %s",
            trial.trial,
            written(trial.validation_r2, 5),
            trial.epochs,
            trial.words,
        )
    store_importance(engine, tuning.study, open_study(engine, tuning, run.config.seed, slot=0))
    logger.info('a daily run takes the best set with {"tuned_study": "%s"}', tuning.study)
