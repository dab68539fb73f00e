"""The callbacks of a training: they steer, record and save its epochs."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from roi_forecast.config import TrainingConfig
from roi_forecast.data_path import DataPath
from roi_forecast.errors import TrainingError
from roi_forecast.network.backend import keras
from roi_forecast.network.training.batches import WindowBatches
from roi_forecast.network.training.result import EpochRecord
from roi_forecast.network.training.state import Arrays, TrainingState, save_state
from roi_forecast.number_text import short, written

logger = logging.getLogger(__name__)

MONITORED = "val_target_loss"
"""The loss on the validation rows without weight penalties; it determines the best epoch."""
_EARLY_STOPPING_COUNTERS = ("wait", "best", "best_epoch", "stopped_epoch")
_PLATEAU_COUNTERS = ("wait", "best", "cooldown_counter")


def untrained_state(network: keras.Model, validation: WindowBatches) -> TrainingState:
    """Score the untrained network on the validation rows: the best so far, as epoch 0.

    Raises:
        TrainingError: The validation loss is not a finite number.
    """
    started = time.perf_counter()
    scores = network.evaluate(validation, verbose=0, return_dict=True)
    record = EpochRecord(
        epoch=0,
        loss=None,
        mae=None,
        validation_loss=float(scores["target_loss"]),
        validation_mae=float(scores["mae"]),
        learning_rate=_scalar(network.optimizer.learning_rate),
        seconds=time.perf_counter() - started,
    )
    best = record.validation_loss
    if not math.isfinite(best):
        raise TrainingError(
            f"before training, the loss on the validation rows is {best}: the dataset holds values "
            "that are not finite or far too large; check the prices and build it again"
        )
    return TrainingState(
        variables=_arrays(network.variables),
        optimizer_variables=_arrays(network.optimizer.variables),
        best_weights=tuple(network.get_weights()),
        # Keras counts epochs from 0, so the untrained network is its epoch -1.
        early_stopping={"wait": 0, "best": best, "best_epoch": -1, "stopped_epoch": 0},
        plateau={"wait": 0, "best": best, "cooldown_counter": 0},
        history=(record,),
        stopped=False,
    )


class TrainingProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Starts from a state, and after each epoch records, logs and saves the next one.

    Args:
        config: Patience of early stopping and of the learning rate.
        state: The state to start from.
        training: The training batches, shuffled for each epoch.
        directory: Directory of the training, for the state.
        identity: What makes a training the same as this one, as JSON values.
    """

    def __init__(
        self,
        config: TrainingConfig,
        state: TrainingState,
        training: WindowBatches,
        directory: DataPath,
        identity: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.history = list(state.history)
        self.seconds = 0.0
        self._early_stopping = keras.callbacks.EarlyStopping(
            monitor=MONITORED,
            mode="min",
            patience=config.early_stopping_patience,
            restore_best_weights=True,
        )
        self._plateau = keras.callbacks.ReduceLROnPlateau(
            monitor=MONITORED,
            mode="min",
            factor=0.5,
            patience=config.plateau_patience,
            min_delta=0.0,
            min_lr=1e-6,
        )
        self._state = state
        self._training = training
        self._directory = directory
        self._identity = identity
        self._epoch_started = 0.0
        self._learning_rate = 0.0

    @property
    def callbacks(self) -> tuple[keras.callbacks.Callback, ...]:
        """This callback after the two whose counters it saves and which reset them at the start."""
        return self._early_stopping, self._plateau, self

    @property
    def best_epoch(self) -> int:
        """The epoch of the best validation loss, counted from 1; 0 is the untrained network."""
        return int(self._early_stopping.best_epoch) + 1

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002
        """Restore the state of network, optimiser and callbacks."""
        for variables, arrays in (
            (self.model.variables, self._state.variables),
            (self.model.optimizer.variables, self._state.optimizer_variables),
        ):
            for variable, array in zip(variables, arrays, strict=True):
                variable.assign(array)
        for callback, counters in (
            (self._early_stopping, self._state.early_stopping),
            (self._plateau, self._state.plateau),
        ):
            for name, value in counters.items():
                setattr(callback, name, value)
        self._early_stopping.best_weights = list(self._state.best_weights)

    def on_epoch_begin(
        self,
        epoch: int,
        logs: Mapping[str, float] | None = None,  # noqa: ARG002
    ) -> None:
        """Shuffle for the epoch and start its clock."""
        self._training.start_epoch(epoch)
        self._epoch_started = time.perf_counter()
        self._learning_rate = _scalar(self.model.optimizer.learning_rate)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Record, check, log and save the epoch.

        Raises:
            TrainingError: A loss is not a finite number; the state stays that of the epoch before.
        """
        scores = logs or {}
        record = EpochRecord(
            epoch=epoch + 1,
            loss=float(scores["target_loss"]),
            mae=float(scores["mae"]),
            validation_loss=float(scores[MONITORED]),
            validation_mae=float(scores["val_mae"]),
            learning_rate=self._learning_rate,
            seconds=time.perf_counter() - self._epoch_started,
        )
        _require_finite(record)
        self.seconds += record.seconds
        self.history.append(record)
        logger.info(
            "epoch %d of %d: loss %.6f, MAE %.5f, on validation rows %.6f and %.5f, learning rate "
            "%.2g (%.1f s)",
            record.epoch,
            self.params["epochs"],
            record.loss,
            record.mae,
            record.validation_loss,
            record.validation_mae,
            record.learning_rate,
            record.seconds,
            extra={"step": (record.epoch, self.params["epochs"])},
        )
        state = TrainingState(
            variables=_arrays(self.model.variables),
            optimizer_variables=_arrays(self.model.optimizer.variables),
            best_weights=tuple(self._early_stopping.best_weights),
            early_stopping=_counters(self._early_stopping, _EARLY_STOPPING_COUNTERS),
            plateau=_counters(self._plateau, _PLATEAU_COUNTERS),
            history=tuple(self.history),
            stopped=bool(self.model.stop_training),
        )
        save_state(self._directory, state, self._identity)


def recording_callbacks(
    progress: TrainingProgress,
    on_epoch: Callable[[EpochRecord], None] | None,
    logs: Path | None,
) -> list[keras.callbacks.Callback]:
    """Return the callbacks that only record epochs; they come after those of `progress`.

    Args:
        progress: Keeps the records.
        on_epoch: Receives each epoch once its state is saved.
        logs: Folder of TensorBoard's logs; None: write none.
    """
    callbacks: list[keras.callbacks.Callback] = []
    if on_epoch is not None:
        callbacks.append(
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda _epoch, _logs: on_epoch(progress.history[-1])
            )
        )
    if logs is not None:
        callbacks.append(
            keras.callbacks.TensorBoard(log_dir=str(logs), histogram_freq=1, write_graph=True)
        )
    return callbacks


def _arrays(variables: list[keras.Variable]) -> Arrays:
    return tuple(keras.ops.convert_to_numpy(variable) for variable in variables)


def _counters(callback: keras.callbacks.Callback, names: tuple[str, ...]) -> dict[str, float]:
    return {name: getattr(callback, name) for name in names}


def _require_finite(record: EpochRecord) -> None:
    losses = (record.loss, record.validation_loss)
    if not all(loss is None or math.isfinite(loss) for loss in losses):
        raise TrainingError(
            f"the loss is no longer a finite number in epoch {record.epoch} (training rows "
            f"{written(record.loss, 6)}, validation rows {written(record.validation_loss, 6)}) at "
            f"learning_rate {short(record.learning_rate)}; set a lower learning_rate, or "
            "gradient_clip_norm (1.0 is a usual value)"
        )


def _scalar(variable: keras.Variable) -> float:
    # A variable that several devices share does not convert to a Python number.
    return float(keras.ops.convert_to_numpy(variable))
