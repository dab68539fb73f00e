"""A network whose every weight counts, without a training, and its file."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from network.synthetic_dataset import SMALL
from roi_forecast.config import ModelConfig
from roi_forecast.network.forward import Network
from roi_forecast.network.inputs import BASELINE
from roi_forecast.network.network import build_network, input_names, named_weights


def random_network(
    config: ModelConfig = SMALL,
    seq_len: int = 8,
    assets: int = 3,
    size: float = 0.2,
    context: int = 0,
) -> keras.Model:
    keras.utils.set_random_seed(1)
    network = build_network(config, seq_len, assets, context)
    generator = np.random.default_rng(2)
    network.set_weights(
        # Variances stay positive.
        [weight + generator.uniform(0, size, weight.shape) for weight in network.get_weights()]
    )
    return network


def network_bytes(network: keras.Model, seq_len: int = 8) -> bytes:
    adds_baseline = BASELINE in input_names(network)
    return Network(seq_len, named_weights(network), adds_baseline).to_bytes()


def save_network(directory: Path, network: keras.Model | None = None) -> None:
    directory.mkdir(exist_ok=True)
    (directory / "network.npz").write_bytes(network_bytes(network or random_network()))
