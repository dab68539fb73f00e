"""What a finished training leaves in its directory, and how it is recognised as finished."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from roi_forecast.files.artifacts import checksum, write_file

logger = logging.getLogger(__name__)

MODEL_FILE = "model.keras"
HISTORY_FILE = "history.json"
RESULT_FILE = "training.json"


@dataclass(frozen=True)
class EpochRecord:
    """One epoch's figures.

    Losses are the configured loss of the targets, without penalties of the weights: squared scaled
    units for `mse`. MAE is in scaled units.

    Attributes:
        epoch: Counted from 1; 0 is the untrained network, scored on validation rows only.
        loss: Mean over the epoch's batches while the weights still changed, with dropout; None for
            epoch 0.
        mae: Likewise.
        validation_loss: After the epoch, without dropout: the batches' losses weighted by their
            windows.
        validation_mae: After the epoch, each target counting once.
        learning_rate: The one the epoch was trained with.
        seconds: Wall time of the epoch, validation included.
    """

    epoch: int
    loss: float | None
    mae: float | None
    validation_loss: float
    validation_mae: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class TrainingResult:
    """A finished training.

    Attributes:
        directory: Holds model.keras, history.json and training.json.
        dataset_id: The dataset it was trained on.
        history: One record per epoch, epoch 0 first.
        best_epoch: The epoch whose weights were kept: the best validation loss; 0 means that
            training improved nothing on the untrained network.
        device: What it was trained on, in words.
        stage_seconds: Wall time of `prepare` (outliers, ridge, building, the untrained network's
            score), `train` (all epochs, those before a resumption included) and `save`.
    """

    directory: Path
    dataset_id: str
    history: tuple[EpochRecord, ...]
    best_epoch: int
    device: str
    stage_seconds: Mapping[str, float]

    @property
    def epochs(self) -> int:
        """Epochs trained."""
        return self.history[-1].epoch

    @property
    def seconds(self) -> float:
        """Wall time of all epochs, those before a resumption included."""
        return sum(record.seconds for record in self.history)


def write_history(directory: Path, history: Sequence[EpochRecord]) -> None:
    """Write history.json."""
    text = json.dumps([asdict(record) for record in history], indent=1)
    write_file(directory / HISTORY_FILE, text.encode())


def finish(result: TrainingResult, identity: Mapping[str, Any]) -> None:
    """Mark the directory as finished, after model.keras and history.json were written.

    Args:
        result: What was trained.
        identity: What makes a training the same as this one, as JSON values.
    """
    content = {
        "identity": dict(identity),
        "best_epoch": result.best_epoch,
        "device": result.device,
        "seconds": dict(result.stage_seconds),
        "sha256": _digests(result.directory),
    }
    write_file(result.directory / RESULT_FILE, json.dumps(content, indent=1).encode())


def read_finished(directory: Path, identity: Mapping[str, Any]) -> TrainingResult | None:
    """Return the result of a finished training of the same identity, or None.

    A directory whose files are not those that were marked as finished counts as unfinished, and
    says so in the log.
    """
    found = _read(directory)
    if found is None:
        return None
    result, known = found
    if known != identity:
        logger.info("%s holds a training of other data or settings; training anew", directory)
        return None
    return result


def read_result(directory: Path) -> TrainingResult | None:
    """Return the result of a finished training, whatever its identity, or None."""
    found = _read(directory)
    return None if found is None else found[0]


def _read(directory: Path) -> tuple[TrainingResult, Mapping[str, Any]] | None:
    marker = directory / RESULT_FILE
    if not marker.exists():
        return None
    try:
        content = json.loads(marker.read_text())
        history = json.loads((directory / HISTORY_FILE).read_text())
        if content["sha256"] != _digests(directory):
            raise ValueError("a file is not the one that was written")
        identity = content["identity"]
        result = TrainingResult(
            directory,
            str(identity["dataset_id"]),
            tuple(EpochRecord(**record) for record in history),
            int(content["best_epoch"]),
            str(content["device"]),
            content["seconds"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s is damaged (%s); it counts as not trained", directory, error)
        return None
    return result, identity


def _digests(directory: Path) -> dict[str, str]:
    return {name: checksum(directory / name) for name in (MODEL_FILE, HISTORY_FILE)}
