"""The callbacks of a training: one place for whatever watches, steers or records its epochs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roi_forecast.config import TrainingConfig
from roi_forecast.files.artifacts import TENSORBOARD_DIRECTORY
from roi_forecast.network.backend import keras
from roi_forecast.network.training.batches import WindowBatches
from roi_forecast.network.training.progress import TrainingProgress
from roi_forecast.network.training.result import EpochRecord
from roi_forecast.network.training.state import TrainingState

MONITORED = "val_target_loss"
"""Loss on the validation rows without penalties of the weights; it decides on the best epoch."""


@dataclass(frozen=True)
class TrainingCallbacks:
    """The callbacks in the order in which Keras has to call them.

    Attributes:
        ordered: All of them. `progress` comes after the two whose counters it saves; one that only
            records may follow it.
        progress: Records, logs and saves each epoch.
    """

    ordered: tuple[keras.callbacks.Callback, ...]
    progress: TrainingProgress


def build_callbacks(
    config: TrainingConfig,
    state: TrainingState,
    training: WindowBatches,
    directory: Path,
    identity: Mapping[str, Any],
    on_epoch: Callable[[EpochRecord], None] | None = None,
    *,
    tensorboard: bool = False,
) -> TrainingCallbacks:
    """Return the callbacks of a training.

    Args:
        config: Patience of early stopping and of the learning rate.
        state: Where training starts.
        training: The training batches, put into each epoch's order.
        directory: Directory of the training.
        identity: What makes a training the same as this one, as JSON values.
        on_epoch: Is told of each epoch once its state is saved.
        tensorboard: Whether to write logs for TensorBoard.
    """
    early_stopping = keras.callbacks.EarlyStopping(
        monitor=MONITORED,
        mode="min",
        patience=config.early_stopping_patience,
        restore_best_weights=True,
    )
    plateau = keras.callbacks.ReduceLROnPlateau(
        monitor=MONITORED,
        mode="min",
        factor=0.5,
        patience=config.plateau_patience,
        min_delta=0.0,
        min_lr=1e-6,
    )
    progress = TrainingProgress(state, early_stopping, plateau, training, directory, identity)
    ordered: list[keras.callbacks.Callback] = [early_stopping, plateau, progress]
    if on_epoch is not None:
        ordered.append(
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda _epoch, _logs: on_epoch(progress.history[-1])
            )
        )
    if tensorboard:
        ordered.append(
            keras.callbacks.TensorBoard(
                log_dir=str(directory / TENSORBOARD_DIRECTORY), histogram_freq=1, write_graph=True
            )
        )
    return TrainingCallbacks(tuple(ordered), progress)
