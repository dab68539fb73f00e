"""Training: from a dataset to a saved network, resumable after each epoch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from roi_forecast.array_types import FloatArray
from roi_forecast.blas import on_one_blas_thread
from roi_forecast.config import ModelConfig
from roi_forecast.data_path import DataPath
from roi_forecast.errors import TrainingError
from roi_forecast.features.dataset import Dataset
from roi_forecast.files.artifacts import create_folder, delete_file
from roi_forecast.files.manifest import MANIFEST
from roi_forecast.linear.baseline import linear_baseline
from roi_forecast.linear.through_time import Linear
from roi_forecast.network.allocator import freed_memory_kept
from roi_forecast.network.backend import keras
from roi_forecast.network.compilation import compile_network
from roi_forecast.network.device import (
    memory_errors_named,
    require_equal_parts,
    require_precision,
    training_device,
    training_scope,
)
from roi_forecast.network.network import input_names
from roi_forecast.network.training.batches import (
    build_augmentation,
    target_weights,
    window_batches,
)
from roi_forecast.network.training.fine_tuning import FineTuning
from roi_forecast.network.training.outliers import check_outliers
from roi_forecast.network.training.progress import (
    TrainingProgress,
    recording_callbacks,
    untrained_state,
)
from roi_forecast.network.training.proof import is_proven
from roi_forecast.network.training.result import (
    RESULT_FILE,
    EpochRecord,
    TrainingResult,
    finish,
    read_finished,
    write_history,
)
from roi_forecast.network.training.saving import as_arrays, dataset_network, save_network
from roi_forecast.network.training.state import delete_state, load_state
from roi_forecast.network.training.tensorboard import log_directory

logger = logging.getLogger(__name__)

OnEpoch = Callable[[EpochRecord], None]
"""Receives each epoch once its state is saved; an exception ends the training."""


@on_one_blas_thread
@freed_memory_kept()
def train_model(
    dataset: Dataset,
    config: ModelConfig,
    directory: DataPath,
    *,
    fine_tuning: FineTuning | None = None,
    on_epoch: OnEpoch | None = None,
    tensorboard: bool = False,
) -> TrainingResult:
    """Train the network on the dataset's training rows and keep its best weights.

    The best weights are those of the lowest validation loss. They replace the untrained network's
    where they are better by as many standard errors as the configuration demands. Training rows
    determine the weights, validation rows the learning rate and the end; test rows are not read.
    The same dataset, configuration and device give the same weights.

    After each epoch the whole state is written to `directory`/training_state. A call after a kill
    resumes there and ends with the weights of an uninterrupted training; a call on a finished
    directory returns its result. A state or a result of another dataset, configuration or Keras
    version is discarded.

    Args:
        dataset: Gives the rows and the split.
        config: The architecture and how to train it. A run's other parameters do not matter.
        directory: Created where missing; holds network.npz, model.keras, history.json and
            training.json in the end.
        fine_tuning: The network to continue from; None: train from scratch.
        on_epoch: Receives each epoch; a call after it ended the training resumes there.
        tensorboard: Whether to write logs for TensorBoard to `directory`/tensorboard.

    Raises:
        TrainingError: Every training or every validation target is filled, the training rows hold
            outliers that are refused, the device lacks the precision or runs out of memory, the
            loss is no longer a number, or the saved file does not forecast what the network does.
        RegistryError: The network to continue from is damaged or has other layers.
    """
    began = time.perf_counter()
    identity = _identity(dataset, config, fine_tuning)
    finished = read_finished(directory, identity)
    if finished is not None:
        logger.info("%s already holds this training; nothing to do", directory)
        delete_state(directory)
        return finished
    _require_targets(dataset)
    check_outliers(dataset, config)
    device = training_device()
    require_precision(config.precision)
    create_folder(directory)
    # What these say about the files is no longer true.
    for name in (RESULT_FILE, MANIFEST):
        delete_file(directory / name)

    linear = Linear.fit(dataset, config.half_life)
    training, validation = (
        linear_baseline(linear, dataset, dataset.scaler, dataset.smoothing, targets)
        for targets in (dataset.split.train, dataset.split.validation)
    )
    _make_deterministic(config.seed)
    with training_scope():
        network = _compiled_network(dataset, config, fine_tuning)
    start = as_arrays(network, dataset.seq_len)
    logger.info(
        "training %s with %d weights on %d windows of %d assets, validating on %d; device: %s",
        network.name,
        network.count_params(),
        len(dataset.split.train),
        len(dataset.symbols),
        len(dataset.split.validation),
        device,
    )
    with memory_errors_named(config, dataset.seq_len):
        progress = _train(
            network,
            dataset,
            (training, validation),
            config,
            directory,
            identity,
            on_epoch,
            tensorboard=tensorboard,
        )
    best_epoch = progress.best_epoch
    best = as_arrays(network, dataset.seq_len)
    if best_epoch > 0 and not is_proven(start, best, dataset, validation, config):
        network.set_weights(list(start.weights.values()))
        best_epoch = 0
    trained = time.perf_counter()

    save_network(network, config, dataset, validation, directory)
    write_history(directory, progress.history)
    epoch_seconds = sum(record.seconds for record in progress.history[1:])
    stage_seconds = {
        "prepare": round(trained - began - progress.seconds, 3),
        "train": round(epoch_seconds, 3),
        "save": round(time.perf_counter() - trained, 3),
    }
    result = TrainingResult(
        directory,
        dataset.dataset_id,
        tuple(progress.history),
        best_epoch,
        device,
        stage_seconds,
    )
    finish(result, identity)
    delete_state(directory)
    logger.info(
        "kept the weights of epoch %d of %d (loss on validation rows %.6f, untrained %.6f)",
        result.best_epoch,
        result.epochs,
        result.history[result.best_epoch].validation_loss,
        result.history[0].validation_loss,
    )
    return result


def _identity(
    dataset: Dataset, config: ModelConfig, fine_tuning: FineTuning | None = None
) -> dict[str, Any]:
    # A run's configuration is a ModelConfig too; its other parameters must not prevent resuming.
    return {
        "dataset_id": dataset.dataset_id,
        "config": config.model_dump(mode="json", include=set(ModelConfig.model_fields)),
        "keras": keras.__version__,
        "fine_tuning": None if fine_tuning is None else fine_tuning.identity(),
    }


def _require_targets(dataset: Dataset) -> None:
    for name in ("train", "validation"):
        targets: range = getattr(dataset.split, name)
        if dataset.filled[targets.start : targets.stop].all():
            raise TrainingError(
                f"no {name} target is left among the rows {targets}: every asset is filled on "
                "every row; check the prices or choose an earlier start_date"
            )


def _make_deterministic(seed: int) -> None:
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def _compiled_network(
    dataset: Dataset, config: ModelConfig, fine_tuning: FineTuning | None
) -> keras.Model:
    network = dataset_network(dataset, config)
    if fine_tuning is not None:
        fine_tuning.prepare(network)
    compile_network(network, config)
    return network


def _train(
    network: keras.Model,
    dataset: Dataset,
    baselines: tuple[FloatArray, FloatArray],
    config: ModelConfig,
    directory: DataPath,
    identity: dict[str, Any],
    on_epoch: OnEpoch | None,
    *,
    tensorboard: bool,
) -> TrainingProgress:
    names = input_names(network)
    training, validation = (
        window_batches(
            dataset,
            baseline,
            targets,
            names,
            config.batch_size,
            seed=seed,
            weights=target_weights(dataset, targets, config),
            augmentation=augmentation,
        )
        for targets, baseline, seed, augmentation in (
            (dataset.split.train, baselines[0], config.seed, build_augmentation(dataset, config)),
            (dataset.split.validation, baselines[1], None, None),
        )
    )
    for batches in (training, validation):
        require_equal_parts(network, len(batches[0][1]))
    state = load_state(directory, identity)
    if state is None:
        state = untrained_state(network, validation)
    else:
        logger.info("resuming after epoch %d of %d", state.history[-1].epoch, config.epochs)
    progress = TrainingProgress(config, state, training, directory, identity)
    with log_directory(directory) if tensorboard else nullcontext() as logs:
        network.fit(
            training,
            validation_data=validation,
            # A training that early stopping had ended only gets its best weights back.
            initial_epoch=config.epochs if state.stopped else state.history[-1].epoch,
            epochs=config.epochs,
            shuffle=False,
            verbose=0,
            callbacks=[*progress.callbacks, *recording_callbacks(progress, on_epoch, logs)],
        )
    return progress
