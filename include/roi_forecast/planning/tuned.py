"""Hyperparameters of a run from the best trial of a study."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Engine, select

from roi_forecast.database.tables import datasets, studies, trials
from roi_forecast.errors import ConfigError
from roi_forecast.runs.resolved_run import ResolvedRun

logger = logging.getLogger(__name__)

STUDY_PARAMETER = "tuned_study"


def require_no_later_study(engine: Engine, run: ResolvedRun) -> None:
    """Check that the run's study scored no day after the as-of date.

    Raises:
        ConfigError: It did, so the parameters would depend on prices after the as-of date.
    """
    study = run.config.tuned_study
    if study is None:
        return
    statement = (
        select(datasets.c.manifest["split"]["validation"]["last_date"].astext)
        .join_from(studies, datasets)
        .where(studies.c.study == study)
    )
    with engine.connect() as connection:
        scored_until = connection.scalar(statement)
    if scored_until is not None and date.fromisoformat(scored_until) > run.as_of_date:
        raise ConfigError(
            f"{STUDY_PARAMETER}: received {study!r}, whose trials were scored on days up to "
            f"{scored_until}, after the as-of date {run.as_of_date}; name a study of earlier "
            "prices, or give the parameters yourself"
        )


def with_tuned_parameters(engine: Engine, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's parameters, completed by the best set of its study.

    A given parameter overrides the study's, which overrides a preset's.

    Args:
        engine: Market database.
        parameters: The parameters that a person gave.

    Raises:
        ConfigError: The study does not exist or has no finished trial.
    """
    study = parameters.get(STUDY_PARAMETER)
    if not isinstance(study, str):
        return dict(parameters)
    best = select(trials.c.trial, trials.c.parameters, trials.c.validation_r2).where(
        trials.c.study == study, trials.c.state == "complete"
    )
    ordered = best.order_by(trials.c.validation_r2.desc(), trials.c.trial).limit(1)
    with engine.connect() as connection:
        row = connection.execute(ordered).one_or_none()
        if row is None:
            names = connection.scalars(select(trials.c.study).distinct().order_by(trials.c.study))
            raise ConfigError(
                f"{STUDY_PARAMETER}: received {study!r}, which has no finished trial; studies with "
                f"one: {', '.join(names) or 'none yet, run tune_roi_forecast first'}"
            )
    logger.info(
        "parameters of trial %d of study %s, validation R2 %.5f: %s",
        row.trial,
        study,
        row.validation_r2,
        row.parameters,
    )
    return {**row.parameters, **parameters}
