"""A study: the trials of a hyperparameter search, which Optuna stores in PostgreSQL.

Several workers and several runs share a study. Optuna's own tables are in the schema `optuna`.
People and daily runs read `roi.studies` and `roi.trials`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState
from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.postgresql import insert

from roi_forecast.config import FeatureConfig, ModelConfig, ResolvedSearch, RunConfig, TuningConfig
from roi_forecast.database.engine import lock_until_commit
from roi_forecast.database.roles import OPTUNA_SCHEMA
from roi_forecast.database.tables import studies, trials
from roi_forecast.errors import ConfigError
from roi_forecast.features.dataset import Dataset
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.tuning.search_space import chosen_parameters, reference_choices, search_space

logger = logging.getLogger(__name__)

OWNER = "owner"
"""Attribute of a trial: the task that runs it, as `run id/slot`."""
EPOCHS, SECONDS = "epochs", "seconds"

# The median of fewer trials or of the first epochs is unreliable.
_TRIALS_BEFORE_PRUNING = 5
_EPOCHS_BEFORE_PRUNING = 3
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def open_search(
    engine: Engine, run: ResolvedRun, dataset: Dataset, is_active: Callable[[str], bool]
) -> list[int]:
    """Create or continue the run's study, and return the slots of its missing trials.

    The first trial of a study is the run's own set of parameters, so that the best set is never
    worse on the validation rows. A trial that a run left unfinished is tried again.

    Args:
        engine: Market database.
        run: The resolved run; a search.
        dataset: The data on which every trial is trained and scored.
        is_active: Returns whether another run's id belongs to a queued or running run.

    Raises:
        ConfigError: The study has other data or other parameters.
    """
    tuning = searched(run)
    with engine.begin() as connection:
        # Optuna creates its tables on first use, which two processes must not do at once.
        lock_until_commit(connection, "optuna")
        is_new = _require_same_search(connection, run, dataset)
        study = open_study(engine, tuning, run.config.seed, slot=0)
    if is_new:
        study.enqueue_trial(reference_choices(run.config, tuning))
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        owner = str(trial.user_attrs.get(OWNER, "/")).rpartition("/")[0]
        if owner == run.run_id or not is_active(owner):
            _try_again(study, trial)
    record_trials(engine, tuning.study, study)
    finished = _count_finished(study)
    logger.info(
        "study %s: %d of %d trials are finished",
        tuning.study,
        finished,
        max(tuning.trials, finished),
    )
    return list(range(finished, tuning.trials))


def open_study(engine: Engine, tuning: TuningConfig, seed: int, slot: int) -> optuna.Study:
    """Open the study for one worker.

    Args:
        engine: Market database.
        tuning: The search.
        seed: Seed of the search.
        slot: Slot of the next trial; workers of different slots must choose differently.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    worker_seed = int(np.random.SeedSequence((seed, slot)).generate_state(1)[0])
    pruner = optuna.pruners.MedianPruner(_TRIALS_BEFORE_PRUNING, _EPOCHS_BEFORE_PRUNING)
    storage = optuna.storages.RDBStorage(
        engine.url.render_as_string(hide_password=False),
        engine_kwargs={"connect_args": {"options": f"-c search_path={OPTUNA_SCHEMA}"}},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=worker_seed, constant_liar=True)
    return optuna.create_study(
        storage=storage,
        study_name=tuning.study,
        sampler=sampler,
        pruner=pruner,
        direction="maximize",
        load_if_exists=True,
    )


def claim_trial(study: optuna.Study, owner: str, tuning: TuningConfig) -> optuna.Trial | None:
    """Take the next trial, with its parameters chosen; None if enough trials are finished.

    A trial that an earlier attempt of the same owner left unfinished is tried again first.

    Args:
        study: The study.
        owner: The task, as `run id/slot`.
        tuning: The search.
    """
    for left in study.get_trials(states=(TrialState.RUNNING,)):
        if left.user_attrs.get(OWNER) == owner:
            _try_again(study, left)
    if _count_finished(study) >= tuning.trials:
        return None
    trial = study.ask({**search_space(tuning)})
    trial.set_user_attr(OWNER, owner)
    return trial


def record_trials(engine: Engine, name: str, study: optuna.Study) -> None:
    """Copy the study's finished trials to `roi.trials`, including those before a crash."""
    rows = [
        {
            "study": name,
            "trial": trial.number,
            "run_id": str(trial.user_attrs[OWNER]).rpartition("/")[0],
            "state": trial.state.name.lower(),
            "parameters": chosen_parameters(trial.params),
            "validation_r2": trial.value if trial.state == TrialState.COMPLETE else None,
            "epochs": int(trial.user_attrs.get(EPOCHS, 0)),
            "seconds": float(trial.user_attrs.get(SECONDS, 0.0)),
            "finished_at": trial.datetime_complete,
        }
        for trial in study.get_trials(deepcopy=False, states=_FINISHED)
    ]
    if rows:
        with engine.begin() as connection:
            connection.execute(insert(trials).on_conflict_do_nothing(), rows)


def searched(run: ResolvedRun) -> ResolvedSearch:
    """Return the search of a run.

    Raises:
        ConfigError: The run is not a search.
    """
    if run.tuning is None:
        raise ConfigError(
            f"run {run.run_id!r} is not a search; start it with the DAG tune_roi_forecast"
        )
    return run.tuning


def _require_same_search(connection: Connection, run: ResolvedRun, dataset: Dataset) -> bool:
    """Return whether the study is new; refuse the study of another search."""
    tuning = searched(run)
    identity = _identity(run.config, tuning, dataset)
    known = connection.scalar(select(studies.c.identity).where(studies.c.study == tuning.study))
    if known is None:
        connection.execute(
            insert(studies).values(
                study=tuning.study,
                source=run.source_key,
                dataset_id=dataset.dataset_id,
                identity=identity,
            )
        )
        return True
    differing = sorted(
        name for name in identity.keys() | known.keys() if identity.get(name) != known.get(name)
    )
    if differing:
        name = differing[0]
        raise ConfigError(
            f"study: received {tuning.study!r}, which was started with other "
            f"{', '.join(differing)} ({name} was {known.get(name)!r}, is "
            f"{identity.get(name)!r}), so its scores cannot be compared; name another "
            "study, or fix start_date and as_of_date to continue it"
        )
    return False


def _identity(config: RunConfig, tuning: TuningConfig, dataset: Dataset) -> dict[str, Any]:
    names = {*ModelConfig.model_fields, *FeatureConfig.model_fields} - set(tuning.tuned)
    space = tuning.model_dump(
        mode="json", include={"tuned", "lstm_units_choice", "seq_len_choices"}
    )
    space["tuned"] = sorted(space["tuned"])
    fixed = config.model_dump(mode="json", include=names)
    return {"dataset_id": dataset.dataset_id, **space, **fixed}


def _try_again(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
    logger.info("trial %d was left unfinished and is tried again", trial.number)
    study.tell(trial.number, state=TrialState.FAIL)
    study.enqueue_trial(trial.params)


def _count_finished(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=_FINISHED))
