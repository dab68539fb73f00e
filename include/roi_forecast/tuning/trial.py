"""One trial of a search: train with the chosen parameters, score on the validation rows."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.trial import TrialState
from sqlalchemy import Engine

from roi_forecast.config import ModelConfig
from roi_forecast.data_path import DataPath
from roi_forecast.errors import TrainingError
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.scores import counted_smoothed
from roi_forecast.features.dataset import Dataset
from roi_forecast.files.artifacts import delete_folder
from roi_forecast.linear.baseline import dataset_baseline
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.tuning.search_space import chosen_parameters
from roi_forecast.tuning.study import (
    EPOCHS,
    SECONDS,
    claim_trial,
    open_study,
    record_trials,
    searched,
)

if TYPE_CHECKING:
    from roi_forecast.network.training.result import EpochRecord, TrainingResult

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrialOutcome:
    """The result of a trial.

    Attributes:
        number: Number within the study.
        parameters: The chosen run parameters, as JSON values.
        validation_r2: Overall R2 of the scaled smoothed ROI on validation rows; None if the trial
            ended early.
    """

    number: int
    parameters: Mapping[str, Any]
    validation_r2: float | None


def run_trial(
    engine: Engine, run: ResolvedRun, dataset: Dataset, slot: int, directory: DataPath
) -> TrialOutcome | None:
    """Run the next trial of the run's study.

    It reads training and validation rows, never a test row. All trials are scored on the same
    validation rows, whatever the length of their windows. A trial whose loss becomes NaN counts as
    pruned: its parameters are bad, but the search continues.

    Args:
        engine: Market database.
        run: The resolved run; a search.
        dataset: Built with the longest window of the search.
        slot: Which of the missing trials this is.
        directory: Folder of the searches, where training resumes after a kill.

    Returns:
        The result, or None if the study has all its trials.
    """
    tuning = searched(run)
    study = open_study(engine, tuning, run.config.seed, slot)
    trial = claim_trial(study, f"{run.run_id}/{slot}", tuning)
    if trial is None:
        logger.info("study %s has its %d trials", tuning.study, tuning.trials)
        return None
    parameters = chosen_parameters(trial.params)
    logger.info("trial %d: %s", trial.number, parameters)
    place = directory / tuning.study / _name(parameters)
    config, shortened = _applied(run, dataset, parameters)
    try:
        value = _train_and_score(trial, shortened, config, place)
    except (optuna.TrialPruned, TrainingError) as end:
        logger.info("trial %d ends early: %s", trial.number, end or "it is behind the median")
        study.tell(trial, state=TrialState.PRUNED)
        value = None
    else:
        logger.info("trial %d: validation R2 %.5f", trial.number, value)
        study.tell(trial, value)
    record_trials(engine, tuning.study, study)
    delete_folder(place)
    return TrialOutcome(trial.number, parameters, value)


def validation_r2(dataset: Dataset, forecast: np.ndarray) -> float:
    """Return the overall R2 on the validation rows.

    Args:
        dataset: The dataset with the actual values.
        forecast: Scaled smoothed log ROI, shape (validation targets, assets).
    """
    actual = counted_smoothed(dataset, dataset.split.validation)
    return metrics.r2.overall(actual, forecast)


def _applied(
    run: ResolvedRun, dataset: Dataset, parameters: Mapping[str, Any]
) -> tuple[ModelConfig, Dataset]:
    chosen = {name: value for name, value in parameters.items() if name != "seq_len"}
    own = run.config.model_dump(include=set(ModelConfig.model_fields))
    # Always keep the best epoch: if a trial could keep its initial network, most sets would get the
    # same score. The run that uses the set decides what it keeps.
    config = ModelConfig.model_validate({**own, **chosen, "improvement_standard_errors": 0.0})
    # The targets, split and scaler stay those of the longest window.
    return config, replace(dataset, seq_len=parameters.get("seq_len", dataset.seq_len))


def _train_and_score(
    trial: optuna.Trial,
    dataset: Dataset,
    config: ModelConfig,
    directory: DataPath,
) -> float:
    # Loading TensorFlow takes seconds, so only a worker with a trial does it.
    from roi_forecast.network.predictor import load_predictor
    from roi_forecast.network.training.train import train_model

    seconds = 0.0

    def on_epoch(record: EpochRecord) -> None:
        nonlocal seconds
        seconds += record.seconds
        trial.set_user_attr(EPOCHS, record.epoch)
        trial.set_user_attr(SECONDS, seconds)
        trial.report(-record.validation_loss, record.epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    result: TrainingResult = train_model(dataset, config, directory, on_epoch=on_epoch)
    trial.set_user_attr(EPOCHS, result.epochs)
    trial.set_user_attr(SECONDS, result.seconds)
    validation = dataset.split.validation
    baseline = dataset_baseline(dataset, config.half_life, validation)
    forecast = load_predictor(directory).predict(dataset.inputs, baseline, validation)
    value = validation_r2(dataset, forecast)
    if not math.isfinite(value):
        raise TrainingError("its validation R2 is undefined: no smoothed ROI varies on these rows")
    return value


def _name(parameters: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:16]
