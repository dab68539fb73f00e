"""The state of an unfinished training, in one file."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from roi_forecast.data_path import DataPath
from roi_forecast.files.artifacts import create_folder, delete_folder, read_file, write_file
from roi_forecast.network.training.result import EpochRecord

logger = logging.getLogger(__name__)

STATE_DIRECTORY = "training_state"
_STATE_FILE = "state.npz"

Arrays = tuple[npt.NDArray[Any], ...]


@dataclass(frozen=True)
class TrainingState:
    """Everything that the epochs after this one depend on.

    Attributes:
        variables: Weights and seed generators of the network, in its order.
        optimizer_variables: Step count, learning rate and moments, in the optimiser's order.
        best_weights: The network's weights at the best validation loss.
        early_stopping: Counters of the callback of that name, by attribute.
        plateau: Counters of the callback that halves the learning rate, by attribute.
        history: One record per epoch, epoch 0 first.
        stopped: Whether early stopping has ended the training.
    """

    variables: Arrays
    optimizer_variables: Arrays
    best_weights: Arrays
    early_stopping: Mapping[str, float]
    plateau: Mapping[str, float]
    history: tuple[EpochRecord, ...]
    stopped: bool


_ARRAYS = ("variables", "optimizer_variables", "best_weights")


def save_state(directory: DataPath, state: TrainingState, identity: Mapping[str, Any]) -> None:
    """Replace the state of a training directory in one step.

    Args:
        directory: Directory of the training.
        state: The state after an epoch.
        identity: What makes a training the same as this one, as JSON values.
    """
    create_folder(directory / STATE_DIRECTORY)
    scalars = {
        "identity": dict(identity),
        "lengths": {name: len(getattr(state, name)) for name in _ARRAYS},
        "early_stopping": dict(state.early_stopping),
        "plateau": dict(state.plateau),
        "history": [asdict(record) for record in state.history],
        "stopped": state.stopped,
    }
    arrays = {
        f"{name}_{number}": array
        for name in _ARRAYS
        for number, array in enumerate(getattr(state, name))
    }
    text = np.frombuffer(json.dumps(scalars).encode(), dtype=np.uint8)
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, scalars=text, **arrays)
    write_file(directory / STATE_DIRECTORY / _STATE_FILE, content.getvalue())


def load_state(directory: DataPath, identity: Mapping[str, Any]) -> TrainingState | None:
    """Return the state of a training of the same identity, or None.

    The log says why a state is discarded: it is damaged, or of other data or settings.

    Raises:
        OSError: It is there but cannot be read.
    """
    path = directory / STATE_DIRECTORY / _STATE_FILE
    try:
        stored = read_file(path)
    except FileNotFoundError:
        return None
    try:
        with np.load(io.BytesIO(stored), allow_pickle=False) as content:
            scalars = json.loads(content["scalars"].tobytes())
            if scalars["identity"] != identity:
                logger.info("%s is of other data or settings; training from the start", path)
                return None
            arrays = {
                name: tuple(content[f"{name}_{number}"] for number in range(length))
                for name, length in scalars["lengths"].items()
            }
        return TrainingState(
            **arrays,
            early_stopping=scalars["early_stopping"],
            plateau=scalars["plateau"],
            history=tuple(EpochRecord(**record) for record in scalars["history"]),
            stopped=scalars["stopped"],
        )
    except (EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        logger.warning("%s is damaged (%s); training from the start", path, error)
        return None


def delete_state(directory: DataPath) -> None:
    """Delete the state of a training that has ended.

    Raises:
        OSError: The object store does not answer.
    """
    delete_folder(directory / STATE_DIRECTORY)
