"""Continuing from a trained network: taking its weights and freezing all but the last layers."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass

from roi_forecast.errors import RegistryError
from roi_forecast.network.backend import keras
from roi_forecast.network.forward import Network
from roi_forecast.network.inputs import BASELINE
from roi_forecast.network.network import input_names

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FineTuning:
    """The network that a training continues from, and how much of it may change.

    Attributes:
        base: The bytes of the trained network's network.npz.
        trainable_layers: How many of the last layers that have weights are trained.
    """

    base: bytes
    trainable_layers: int

    def identity(self) -> dict[str, str | int]:
        """Return what makes another training the same as this one, as JSON values."""
        digest = hashlib.sha256(self.base).hexdigest()
        return {"base_sha256": digest, "trainable_layers": self.trainable_layers}

    def prepare(self, network: keras.Model) -> None:
        """Give a network of the same layers the base's weights and freeze all but the last layers.

        Raises:
            RegistryError: The base is damaged, has other layers, or is of the other architecture.
        """
        try:
            base = Network.from_bytes(self.base)
            weights = base.weights
            paths = [weight.path for weight in network.weights]
            # Both architectures have the same weights, for other outputs.
            if base.adds_baseline != (BASELINE in input_names(network)):
                raise ValueError("only one of the two adds to the linear part")
            if other := weights.keys() ^ set(paths):
                raise ValueError(f"only one of the two has {', '.join(sorted(other))}")
            network.set_weights([weights[path] for path in paths])
        except (KeyError, ValueError, TypeError) as error:
            raise RegistryError(
                f"training cannot continue from the champion's network ({error}); set "
                "training_mode to scratch"
            ) from error
        layers = [layer for layer in network.layers if layer.weights]
        for layer in layers[: -self.trainable_layers]:
            layer.trainable = False
        trained = [layer.name for layer in layers if layer.trainable]
        logger.info("continuing from a trained network; trained layers: %s", ", ".join(trained))
