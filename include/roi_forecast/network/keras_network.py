"""A trained network's forecasts from its file, by Keras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

# Keras finds the layers of a file by these modules' registrations.
from roi_forecast.network import (
    network,  # noqa: F401
)
from roi_forecast.network.backend import keras
from roi_forecast.network.network_file import open_network_file


@dataclass(frozen=True)
class KerasNetwork:
    """A loaded network.

    Attributes:
        model: Keras' model; its weights are not changed.
    """

    model: Any

    @property
    def input_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """By input name, (rows, assets) of its window."""
        return {tensor.name: tuple(tensor.shape[1:]) for tensor in self.model.inputs}

    def predict(self, inputs: Mapping[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """Forecast windows, shape (windows, rows, assets); returns (windows, assets), scaled."""
        predicted: npt.NDArray[np.float32] = self.model.predict_on_batch(dict(inputs))
        return predicted


def load_keras_network(content: bytes) -> KerasNetwork:
    """Load the bytes of a .keras file; whatever zip, JSON, HDF5 or a layer raises comes through."""
    with open_network_file(content):
        pass
    # Keras takes paths only, so it gets one that nobody else can write to.
    with TemporaryDirectory(prefix="roi-") as folder:
        path = Path(folder, "model.keras")
        path.write_bytes(content)
        return KerasNetwork(keras.saving.load_model(path, compile=False, safe_mode=True))
