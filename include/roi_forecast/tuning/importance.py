"""Which of the searched parameters the scores of a study depend on."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import optuna
from optuna.trial import TrialState
from sqlalchemy import Engine, update

from roi_forecast.database.tables import studies

logger = logging.getLogger(__name__)

FEWEST_TRIALS = 4
"""Scored trials below which a share would say nothing."""
_SEED = 0


def store_importance(engine: Engine, name: str, study: optuna.Study) -> None:
    """Store the importance of the parameters of a finished search; too few trials leave none.

    Args:
        engine: Market database.
        name: Name of the study.
        study: The study.
    """
    found = parameter_importance(study)
    with engine.begin() as connection:
        connection.execute(
            update(studies)
            .where(studies.c.study == name)
            .values(importance=None if found is None else dict(found))
        )
    for parameter, share in (found or {}).items():
        logger.info("importance of %s: %.2f", parameter, share)


def parameter_importance(study: optuna.Study) -> Mapping[str, float] | None:
    """Return by parameter its share in the variance of the scores, largest first.

    The shares are those of Optuna's fANOVA: a forest fitted to the scored trials. They add up to 1.
    None with fewer than FEWEST_TRIALS scored trials, and where all have the same score.
    """
    scored = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(scored) < FEWEST_TRIALS or len({trial.value for trial in scored}) == 1:
        return None
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=_SEED)
    return {
        parameter: round(share, 4)
        for parameter, share in optuna.importance.get_param_importances(
            study, evaluator=evaluator
        ).items()
    }
