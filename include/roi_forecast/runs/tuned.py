"""Taking a run's hyperparameters from the best trial of a study."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, select

from roi_forecast.database.tables import trials
from roi_forecast.errors import ConfigError

logger = logging.getLogger(__name__)

STUDY_PARAMETER = "tuned_study"


def with_tuned_parameters(engine: Engine, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's parameters, completed by the best set of the study that it names.

    A parameter that was given wins over the study's, the study's over a preset's.

    Args:
        engine: Market database.
        parameters: As a person gave them.

    Raises:
        ConfigError: The study has no finished trial, or does not exist.
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
                f"{STUDY_PARAMETER}: received {study!r}, which has no finished trial; studies that "
                f"have: {', '.join(names) or 'none yet, run tune_roi_forecast first'}"
            )
    logger.info(
        "parameters of trial %d of study %s, validation R2 %.5f: %s",
        row.trial,
        study,
        row.validation_r2,
        row.parameters,
    )
    return {**row.parameters, **parameters}
