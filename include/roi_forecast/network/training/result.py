"""The files of a finished training, and where the networks of a version lie."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from roi_forecast.data_path import DataPath
from roi_forecast.files.artifacts import checksum, files_below, read_file, write_file

logger = logging.getLogger(__name__)

NETWORK_FILE = "network.npz"
"""The weights as named arrays: forecasts and fine-tuning read them."""
MODEL_FILE = "model.keras"
"""The same network as a Keras model, for people; nothing here reads it."""
HISTORY_FILE = "history.json"
RESULT_FILE = "training.json"


@dataclass(frozen=True)
class EpochRecord:
    """The figures of one epoch.

    Losses are the configured loss of the targets, without weight penalties: squared scaled units
    for `mse`. MAE is in scaled units.

    Attributes:
        epoch: Counted from 1; 0 is the untrained network, scored on validation rows only.
        loss: Mean over the epoch's batches while the weights change, with dropout; None for
            epoch 0.
        mae: Likewise.
        validation_loss: After the epoch, without dropout: the batches' losses weighted by their
            windows.
        validation_mae: After the epoch, each target counting once.
        learning_rate: During the epoch.
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
        directory: Holds network.npz, model.keras, history.json and training.json.
        dataset_id: The dataset.
        history: One record per epoch, epoch 0 first.
        best_epoch: The epoch whose weights were kept: the best validation loss; 0 means that
            training did not improve on the untrained network.
        device: The device that trained, in words.
        stage_seconds: Wall time of `prepare` (outliers, linear part, building, the untrained
            network's score), `train` (all epochs, those before a resumption included) and `save`.
    """

    directory: DataPath
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


def write_history(directory: DataPath, history: Sequence[EpochRecord]) -> None:
    """Write history.json."""
    text = json.dumps([asdict(record) for record in history], indent=1)
    write_file(directory / HISTORY_FILE, text.encode())


def finish(result: TrainingResult, identity: Mapping[str, Any]) -> None:
    """Mark the directory as finished, once all other files are written.

    Args:
        result: The training.
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


def read_finished(directory: DataPath, identity: Mapping[str, Any]) -> TrainingResult | None:
    """Return the result of a finished training of the same identity, or None.

    A directory whose files changed after they were marked as finished counts as unfinished; the
    log says so.
    """
    found = _read(directory)
    if found is None:
        return None
    result, known = found
    if known != identity:
        logger.info("%s holds a training of other data or settings; training again", directory)
        return None
    return result


def read_result(directory: DataPath) -> TrainingResult | None:
    """Return the result of a finished training, whatever its identity, or None."""
    found = _read(directory)
    return None if found is None else found[0]


def _read(directory: DataPath) -> tuple[TrainingResult, Mapping[str, Any]] | None:
    try:
        marker = read_file(directory / RESULT_FILE)
    except FileNotFoundError:
        return None
    try:
        content = json.loads(marker)
        history = json.loads(read_file(directory / HISTORY_FILE))
        if content["sha256"] != _digests(directory):
            raise ValueError("a file changed after it was written")
        identity = content["identity"]
        result = TrainingResult(
            directory,
            str(identity["dataset_id"]),
            tuple(EpochRecord(**record) for record in history),
            int(content["best_epoch"]),
            str(content["device"]),
            content["seconds"],
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s is damaged (%s); it counts as not trained", directory, error)
        return None
    return result, identity


def _digests(directory: DataPath) -> dict[str, str]:
    names = (NETWORK_FILE, MODEL_FILE, HISTORY_FILE)
    return {name: checksum(directory / name) for name in names}


def member_directory(directory: DataPath, number: int, ensemble_size: int) -> DataPath:
    """Return the folder of a member, counted from 0; a single network lies in the version's own."""
    return directory if ensemble_size == 1 else directory / f"member_{number}"


def network_files(listed: Iterable[str]) -> tuple[str, ...]:
    """Return the networks among the files that a version's manifest lists, in order.

    Empty where the version has no network.

    Raises:
        ValueError: A number is missing, or there are both a single network and members.
    """
    names = set(listed)
    found = [re.fullmatch(rf"member_(\d+)/{re.escape(NETWORK_FILE)}", name) for name in names]
    numbers = sorted(int(match[1]) for match in found if match)
    members = tuple(f"member_{number}/{NETWORK_FILE}" for number in range(len(numbers)))
    if NETWORK_FILE in names and not numbers:
        return (NETWORK_FILE,)
    if NETWORK_FILE in names or not names.issuperset(members):
        single = f" and {NETWORK_FILE}" if NETWORK_FILE in names else ""
        raise ValueError(f"received members {numbers}{single}; expected all from 0 on, or one file")
    return members


def find_members(directory: DataPath) -> tuple[DataPath, ...]:
    """Return the folders of a version's networks in the order of their numbers.

    Empty where the version has no network. A gap in the numbers is an incomplete version and gives
    the folder without a file too, so that opening it fails.
    """
    names = files_below(directory)
    if NETWORK_FILE in names:
        return (directory,)
    found = [re.fullmatch(rf"member_(\d+)/{re.escape(NETWORK_FILE)}", name) for name in names]
    size = max((int(match[1]) for match in found if match), default=-1) + 1
    return tuple(directory / f"member_{number}" for number in range(size))
