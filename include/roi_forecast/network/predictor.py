"""Predictions of a version, from the files of its network or of its ensemble's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from roi_forecast.errors import DatasetError, RegistryError
from roi_forecast.files.manifest import MANIFEST
from roi_forecast.files.verified import VerifiedDirectory, open_regular, open_verified
from roi_forecast.network.inputs import SCALED, SCALED_LOG_ROI, model_inputs
from roi_forecast.network.numpy_layers import UnknownArchitectureError
from roi_forecast.network.numpy_network import read_numpy_network
from roi_forecast.network.training.members import find_members, network_files
from roi_forecast.network.training.result import MODEL_FILE

logger = logging.getLogger(__name__)

_BATCH_BYTES = 16 * 2**20
# The products of an LSTM's row are then too small for threads, which would wait for each other
# longer than they work, and far longer beside other processes.
_MAX_WINDOWS = 64


class Network(Protocol):
    """What computes forecasts from windows: numpy, or Keras."""

    @property
    def input_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """By input name, (rows, assets) of its window."""

    def predict(self, inputs: Mapping[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """Forecast windows, shape (windows, rows, assets); returns (windows, assets), scaled."""


@dataclass(frozen=True)
class Predictor:
    """One network or the members of an ensemble, ready to predict.

    Attributes:
        networks: The loaded networks; their weights are not changed.
        directory: Where they were loaded from.
    """

    networks: tuple[Network, ...]
    directory: Path

    @property
    def seq_len(self) -> int:
        """Rows in one window."""
        return self.networks[0].input_shapes[SCALED][0]

    @property
    def n_assets(self) -> int:
        """Assets in a row, in the order of the dataset it was trained on."""
        return self.networks[0].input_shapes[SCALED][1]

    def predict(
        self,
        scaled: npt.NDArray[np.float32],
        scaled_log_roi: npt.NDArray[np.float32],
        targets: range,
    ) -> npt.NDArray[np.float64]:
        """Predict the scaled smoothed log ROI of consecutive target rows: the members' mean.

        Args:
            scaled: Scaled smoothed log ROI, shape (rows, assets), by the model's own scaler.
            scaled_log_roi: Scaled plain log ROI, same shape.
            targets: Target rows, from seq_len to rows; `rows` is the session after the last row.
                No row at or after a target takes part in its prediction.

        Returns:
            Shape (targets, assets), scaled.

        Raises:
            DatasetError: The arrays do not have the model's assets, or a target lies out of range.
        """
        members = self.predict_members(scaled, scaled_log_roi, targets)
        return np.asarray(members.mean(axis=0), dtype=np.float64)

    def predict_members(
        self,
        scaled: npt.NDArray[np.float32],
        scaled_log_roi: npt.NDArray[np.float32],
        targets: range,
    ) -> npt.NDArray[np.float64]:
        """Predict consecutive target rows with each member by itself.

        Args:
            scaled: As for `predict`.
            scaled_log_roi: Likewise.
            targets: Likewise.

        Returns:
            Shape (members, targets, assets), scaled; one member where the version is a single
            network.

        Raises:
            DatasetError: The arrays do not have the model's assets, or a target lies out of range.
        """
        if scaled.shape != scaled_log_roi.shape or scaled.shape[1:] != (self.n_assets,):
            raise DatasetError(
                f"the model in {self.directory} takes two arrays of shape (rows, {self.n_assets}); "
                f"received {scaled.shape} and {scaled_log_roi.shape}"
            )
        inputs = model_inputs(scaled, scaled_log_roi, targets, self.seq_len)
        return np.stack([self._forecast(network, inputs) for network in self.networks])

    def forecast_windows(
        self, scaled: npt.NDArray[np.float32], scaled_log_roi: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float64]:
        """Predict the session after each window: the members' mean.

        Args:
            scaled: Scaled smoothed log ROI, shape (windows, seq_len, assets).
            scaled_log_roi: Scaled plain log ROI, shape (windows, plain lags, assets).

        Returns:
            Shape (windows, assets), the scaled smoothed log ROI.
        """
        inputs = {SCALED: scaled, SCALED_LOG_ROI: scaled_log_roi}
        members = np.stack([self._forecast(network, inputs) for network in self.networks])
        return np.asarray(members.mean(axis=0), dtype=np.float64)

    def _forecast(
        self, network: Network, inputs: dict[str, npt.NDArray[np.float32]]
    ) -> npt.NDArray[np.float64]:
        windows = inputs[SCALED]
        window_bytes = self.seq_len * self.n_assets * windows.itemsize
        size = max(1, min(_MAX_WINDOWS, _BATCH_BYTES // window_bytes))
        batches = [
            network.predict(
                {
                    name: inputs[name][first : first + size].astype(np.float32)
                    for name in network.input_shapes
                }
            )
            for first in range(0, len(windows), size)
        ]
        return np.concatenate(batches).astype(np.float64)


def load_predictor(source: VerifiedDirectory | Path) -> Predictor:
    """Load the network, or all members of the ensemble, of a version or of a training.

    Only files that the manifest lists are opened, and the bytes that are loaded are those whose
    SHA-256 was taken.

    Args:
        source: A version's files; or the folder of a training, which has no manifest before its
            version is registered and is read by its manifest from then on.

    Raises:
        RegistryError: A file is missing, damaged or not a model of this project.
        OSError: A file is there but cannot be read.
    """
    if isinstance(source, Path) and (source / MANIFEST).exists():
        source = open_verified(source, RegistryError, sealed=False)
    files = _read_training(source) if isinstance(source, Path) else _read_version(source)
    directory = source if isinstance(source, Path) else source.directory
    if not files:
        raise RegistryError(f"there is no {MODEL_FILE} in {directory}; train or publish it first")
    networks = tuple(_load_network(path, content) for path, content in files.items())
    shapes = {network.input_shapes[SCALED] for network in networks}
    if len(shapes) > 1:
        raise RegistryError(f"the members in {directory} take windows of different shapes {shapes}")
    return Predictor(networks, directory)


def _read_version(version: VerifiedDirectory) -> dict[Path, bytes]:
    try:
        names = network_files(version.files)
    except ValueError as error:
        raise RegistryError(f"{version.directory / MANIFEST}: {error}") from error
    return {version.directory / name: version.read(name) for name in names}


def _read_training(directory: Path) -> dict[Path, bytes]:
    files = {}
    for member in find_members(directory):
        path = member / MODEL_FILE
        try:
            with open_regular(path, RegistryError) as file:
                files[path] = file.read()
        except FileNotFoundError as error:
            raise RegistryError(f"{path} is missing; train it again") from error
    return files


def _load_network(path: Path, content: bytes) -> Network:
    try:
        network = _read_network(path, content)
        if len(network.input_shapes[SCALED]) != 2:
            raise ValueError(f"its input has the shape {network.input_shapes[SCALED]}")
    # Whatever zip, JSON, HDF5 or a layer raises means the same here.
    except Exception as error:
        raise RegistryError(
            f"{path} is damaged or not a model of this project ({error}); "
            "roll back to another version or train again"
        ) from error
    return network


def _read_network(path: Path, content: bytes) -> Network:
    try:
        return read_numpy_network(content)
    except UnknownArchitectureError as error:
        logger.info("%s has %s; Keras loads it", path, error)
    # TensorFlow loads for seconds: only a network that numpy cannot compute waits for it.
    from roi_forecast.network.keras_network import load_keras_network

    return load_keras_network(content)
