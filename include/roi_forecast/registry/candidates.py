"""Training a candidate for a run: the same data, configuration and seed are trained only once."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import Engine, insert

from roi_forecast.blas import on_one_blas_thread
from roi_forecast.data_path import DataPath
from roi_forecast.database.tables import model_versions
from roi_forecast.errors import TrainingError
from roi_forecast.features.dataset import Dataset
from roi_forecast.files.artifacts import write_manifest
from roi_forecast.forecaster.forecaster import Forecaster
from roi_forecast.forecaster.through_time import ThroughTime
from roi_forecast.network.predictor import load_predictor
from roi_forecast.network.training.experiment_record import (
    training_record,
)
from roi_forecast.network.training.result import (
    TrainingResult,
    member_directory,
    read_result,
)
from roi_forecast.registry.training_inputs import TrainingInputs
from roi_forecast.registry.training_plan import plan_training
from roi_forecast.registry.versions import ModelVersion, find_version
from roi_forecast.runs.resolved_run import ResolvedRun

logger = logging.getLogger(__name__)

FINE_TUNE_EPOCHS = 20
"""Maximum number of epochs when training continues from the champion."""


def train_candidate(
    engine: Engine, run: ResolvedRun, dataset: Dataset, models_directory: DataPath, *, now: datetime
) -> ModelVersion:
    """Train the run's candidate, or take the version that the same inputs gave before.

    The DAG does the same in three steps, so that the members of an ensemble are trained side by
    side: `plan_training`, `train_member` for each, `combine_members`.

    Args:
        engine: Market database.
        run: The resolved run.
        dataset: What to train on.
        models_directory: Folder of the registry.
        now: The present, with time zone; names the version.

    Raises:
        TrainingError: Training stopped, or the run asks for a champion that does not fit.
        RegistryError: The champion that training is to continue from is damaged.
    """
    plan = plan_training(engine, run, dataset, models_directory)
    for number in range(plan.members):
        train_member(engine, run, dataset, models_directory, number, plan.base_version_id)
    return combine_members(engine, run, dataset, models_directory, plan.base_version_id, now=now)


def train_member(
    engine: Engine,
    run: ResolvedRun,
    dataset: Dataset,
    models_directory: DataPath,
    number: int,
    base_version_id: str | None,
) -> None:
    """Train one network of the run's candidate, unless the same inputs gave a version before.

    An interrupted training continues where it stopped; a finished one is left as it is.

    Args:
        engine: Market database.
        run: The resolved run.
        dataset: What to train on.
        models_directory: Folder of the registry.
        number: Which network, counted from 0; its seed is the run's plus this.
        base_version_id: The version that training continues from, or None.

    Raises:
        TrainingError: Training could not continue.
        RegistryError: The version that training is to continue from is damaged.
    """
    inputs = TrainingInputs(engine, run, dataset, models_directory, base_version_id)
    if inputs.known_version() is not None:
        return
    # TensorFlow loads for seconds: only a run that really trains waits for it.
    from roi_forecast.network.training.fine_tuning import FineTuning
    from roi_forecast.network.training.train import train_model

    config, size = run.config, run.config.ensemble_size
    changes = {"seed": config.seed + number}
    fine_tuning = None
    if (base_network := inputs.base_network(number)) is not None:
        fine_tuning = FineTuning(base_network, config.trainable_layers)
        changes["epochs"] = min(config.epochs, FINE_TUNE_EPOCHS)
    directory = member_directory(inputs.directory, number, size)
    if size > 1:
        logger.info("member %d of %d, seed %d", number + 1, size, changes["seed"])
    train_model(
        inputs.preprocessing.read(dataset),
        config.model_copy(update=changes),
        directory,
        fine_tuning=fine_tuning,
        tensorboard=config.tensorboard,
    )


@on_one_blas_thread
def combine_members(
    engine: Engine,
    run: ResolvedRun,
    dataset: Dataset,
    models_directory: DataPath,
    base_version_id: str | None,
    *,
    now: datetime,
) -> ModelVersion:
    """Calibrate the trained networks of a run's candidate and register them as one version.

    From here on its files never change.

    Args:
        engine: Market database.
        run: The resolved run.
        dataset: What they were trained on.
        models_directory: Folder of the registry.
        base_version_id: As given to `train_member`.
        now: The present, with time zone; names the version.

    Returns:
        The new version, or the one that the same inputs gave before.

    Raises:
        TrainingError: A network is not there or not finished, or the scale cannot be fitted.
        EvaluationError: No asset has a bar on any validation session.
    """
    inputs = TrainingInputs(engine, run, dataset, models_directory, base_version_id)
    known = inputs.known_version()
    if known is not None:
        return known
    results = _finished_members(inputs.directory, run.config.ensemble_size)
    own_rows = inputs.preprocessing.read(dataset)
    predictor = load_predictor(inputs.directory)
    through_time = ThroughTime.fit(own_rows, run.config.half_life)
    forecaster = Forecaster.fit(own_rows, predictor, through_time)
    forecaster.save(inputs.directory, own_rows)
    version_id = f"{now:%Y%m%dT%H%M%SZ}-{inputs.fingerprint[:8]}"
    record = training_record(run.config, results, base_version_id)
    description = inputs.describe(version_id, record)
    digest = write_manifest(inputs.directory, description)
    with engine.begin() as connection:
        connection.execute(
            insert(model_versions).values(
                version_id=version_id,
                model_name=run.model_name,
                state="candidate",
                fingerprint=inputs.fingerprint,
                run_id=run.run_id,
                dataset_id=dataset.dataset_id,
                source=dataset.source,
                symbols=list(inputs.preprocessing.symbols),
                context_symbols=list(inputs.preprocessing.context_symbols),
                publish=inputs.preprocessing.publish,
                first_date=dataset.dates[0].item(),
                last_date=dataset.dates[-1].item(),
                hyperparameters=description["hyperparameters"],
                training_record=record,
                seed=run.config.seed,
                code_revision=description["code_revision"],
                path=inputs.path.as_posix(),
                checksum=digest,
            )
        )
        return find_version(connection, version_id)


def _finished_members(directory: DataPath, ensemble_size: int) -> list[TrainingResult]:
    results = []
    for number in range(ensemble_size):
        result = read_result(member_directory(directory, number, ensemble_size))
        if result is None:
            raise TrainingError(
                f"network {number + 1} of {ensemble_size} in {directory} is not finished; "
                "train it again"
            )
        results.append(result)
    return results
