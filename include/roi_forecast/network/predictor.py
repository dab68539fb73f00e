"""Predictions of a version, from the files of its network or of its ensemble's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.data_path import DataPath
from roi_forecast.errors import DatasetError, RegistryError
from roi_forecast.files.artifacts import has_manifest
from roi_forecast.files.manifest import MANIFEST
from roi_forecast.files.verified import VerifiedDirectory, open_verified, read_regular
from roi_forecast.network.forward import Network
from roi_forecast.network.inputs import BASELINE, SCALED, model_inputs
from roi_forecast.network.training.result import NETWORK_FILE, find_members, network_files

# The products of an LSTM's row are then too small for threads, which would wait for each other
# longer than they work, and far longer next to other processes.
_MAX_WINDOWS = 64


@dataclass(frozen=True)
class Predictor:
    """One network or the members of an ensemble, ready to predict.

    Attributes:
        networks: The networks, all for windows of one shape.
        directory: Where they were loaded from.
    """

    networks: tuple[Network, ...]
    directory: DataPath

    @property
    def seq_len(self) -> int:
        """Rows in one window."""
        return self.networks[0].seq_len

    @property
    def n_assets(self) -> int:
        """Assets in a row, in the order of the dataset that the networks were trained on."""
        return self.networks[0].n_assets

    @property
    def n_inputs(self) -> int:
        """Assets and context assets in a row of a window."""
        return self.networks[0].n_inputs

    def predict(
        self, inputs: npt.NDArray[np.float32], baseline: FloatArray, targets: range
    ) -> FloatArray:
        """Predict the scaled smoothed log ROI of consecutive target rows: the members' mean.

        Args:
            inputs: Scaled rows of assets and context, shape (rows, assets + context assets).
            baseline: `linear_baseline` of the targets, shape (targets, assets), by the same scaler.
            targets: Target rows, from seq_len to rows; `rows` is the session after the last row.
                No row at or after a target takes part in its prediction.

        Returns:
            Shape (targets, assets), scaled.

        Raises:
            DatasetError: The arrays do not have the model's columns, or a target lies out of range.
        """
        return np.asarray(self.predict_members(inputs, baseline, targets).mean(axis=0))

    def predict_members(
        self, inputs: npt.NDArray[np.float32], baseline: FloatArray, targets: range
    ) -> FloatArray:
        """Predict consecutive target rows with each member; arguments and errors as `predict`.

        Returns:
            Shape (members, targets, assets), scaled; a single network is one member.
        """
        if inputs.shape[1:] != (self.n_inputs,) or baseline.shape[1:] != (self.n_assets,):
            raise DatasetError(
                f"the model in {self.directory} takes rows of {self.n_inputs} inputs and a "
                f"baseline of {self.n_assets} assets; received {inputs.shape} and {baseline.shape}"
            )
        given = model_inputs(self.project(inputs), baseline, targets, self.seq_len)
        return self._members(given[SCALED], given[BASELINE])

    def project(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return what the networks make of each row by itself; windows share rows.

        Args:
            rows: Scaled, shape (…, assets + context assets).

        Returns:
            Shape (…, features), the members' features next to each other.
        """
        return np.concatenate([network.project(rows) for network in self.networks], axis=-1)

    def forecast_windows(
        self, windows: npt.NDArray[np.float32], baseline: FloatArray
    ) -> FloatArray:
        """Predict the session after each window: the members' mean.

        Args:
            windows: Of rows that `project` gave, shape (windows, seq_len, features).
            baseline: Shape (windows, assets), scaled.

        Returns:
            Shape (windows, assets), the scaled smoothed log ROI.
        """
        return np.asarray(self._members(windows, baseline).mean(axis=0))

    def _members(
        self, windows: npt.NDArray[np.float32], baseline: npt.NDArray[np.floating]
    ) -> FloatArray:
        forecasts = np.empty((len(self.networks), len(windows), self.n_assets))
        for first in range(0, len(windows), _MAX_WINDOWS):
            batch = slice(first, first + _MAX_WINDOWS)
            own = np.split(windows[batch], len(self.networks), axis=-1)
            for number, (network, projected) in enumerate(zip(self.networks, own, strict=True)):
                forecasts[number, batch] = network.forecast_projected(projected, baseline[batch])
        return forecasts


def load_predictor(source: VerifiedDirectory | DataPath) -> Predictor:
    """Load the network, or all members of the ensemble, of a version or of a training.

    Only files that the manifest lists are opened, and the bytes that are loaded are those whose
    SHA-256 was taken.

    Args:
        source: A version's files; or the folder of a training, which has no manifest before its
            version is registered and is read by its manifest from then on.

    Raises:
        RegistryError: A file is missing, damaged or not a network of this project.
        OSError: A file cannot be read.
    """
    if not isinstance(source, VerifiedDirectory) and has_manifest(source):
        source = open_verified(source, RegistryError, sealed=False)
    if isinstance(source, VerifiedDirectory):
        directory, files = source.directory, _read_version(source)
    else:
        directory, files = source, _read_training(source)
    if not files:
        raise RegistryError(f"there is no {NETWORK_FILE} in {directory}; train or publish it first")
    networks = tuple(_load_network(content, path) for path, content in files.items())
    shapes = {(each.seq_len, each.n_inputs, each.n_assets) for each in networks}
    if len(shapes) > 1:
        raise RegistryError(f"the members in {directory} take windows of different shapes {shapes}")
    return Predictor(networks, directory)


def _read_version(version: VerifiedDirectory) -> dict[DataPath, bytes]:
    try:
        names = network_files(version.files)
    except ValueError as error:
        raise RegistryError(f"{version.directory / MANIFEST}: {error}") from error
    return {version.directory / name: version.read(name) for name in names}


def _read_training(directory: DataPath) -> dict[DataPath, bytes]:
    files: dict[DataPath, bytes] = {}
    for member in find_members(directory):
        path = member / NETWORK_FILE
        try:
            files[path] = read_regular(path, RegistryError)
        except FileNotFoundError as error:
            raise RegistryError(f"{path} is missing; train it again") from error
    return files


def _load_network(content: bytes, path: DataPath) -> Network:
    try:
        return Network.from_bytes(content)
    except (KeyError, ValueError, TypeError) as error:
        raise RegistryError(
            f"{path} is damaged or not a network of this project ({error}); "
            "roll back to another version or train again"
        ) from error
