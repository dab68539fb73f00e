"""Saving a trained network, once its two forms forecast the same."""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.config import ModelConfig
from roi_forecast.data_path import DataPath
from roi_forecast.errors import TrainingError
from roi_forecast.features.dataset import Dataset
from roi_forecast.files.artifacts import write_file
from roi_forecast.network.backend import keras
from roi_forecast.network.forward import Network
from roi_forecast.network.inputs import BASELINE, model_inputs
from roi_forecast.network.network import build_network, input_names, named_weights
from roi_forecast.network.predictor import load_predictor
from roi_forecast.network.training.result import MODEL_FILE, NETWORK_FILE

logger = logging.getLogger(__name__)

# A GPU sums in another order and may round products to fewer digits.
_TOLERANCE = 1e-3
_COMPARED_WINDOWS = 64


def dataset_network(dataset: Dataset, config: ModelConfig) -> keras.Model:
    """Build the untrained network that fits a dataset."""
    n_assets, n_context = len(dataset.symbols), len(dataset.context_symbols)
    return build_network(config, dataset.seq_len, n_assets, n_context)


def as_arrays(network: keras.Model, seq_len: int) -> Network:
    """Return the weights of a network, as all stages after training forecast with them."""
    return Network(seq_len, named_weights(network), BASELINE in input_names(network))


def save_network(
    network: keras.Model,
    config: ModelConfig,
    dataset: Dataset,
    baseline: FloatArray,
    directory: DataPath,
) -> None:
    """Save a trained network, in numpy's form and in Keras', and compare their forecasts.

    Args:
        network: The network, with its best weights.
        config: What it was trained with; it is saved in float32 whatever its precision.
        dataset: What it was trained on.
        baseline: Of the validation targets, scaled, shape (targets, assets).
        directory: Folder of the training.

    Raises:
        TrainingError: The two forecast differently.
    """
    if config.precision != "float32":
        # The weights are float32 already; the model must load on any machine.
        saved = dataset_network(dataset, config.model_copy(update={"precision": "float32"}))
        saved.set_weights(network.get_weights())
        network = saved
    content = as_arrays(network, dataset.seq_len).to_bytes()
    write_file(directory / NETWORK_FILE, content)
    # Keras writes in place, so it writes elsewhere first.
    with TemporaryDirectory() as elsewhere:
        file = Path(elsewhere, MODEL_FILE)
        network.save(file, include_optimizer=False)
        write_file(directory / MODEL_FILE, file.read_bytes())
    _require_same_forecasts(network, dataset, baseline, directory)


def _require_same_forecasts(
    network: keras.Model, dataset: Dataset, baseline: FloatArray, directory: DataPath
) -> None:
    # Everything after training forecasts in numpy, so this is the place to compare it with Keras.
    targets = dataset.split.validation[:_COMPARED_WINDOWS]
    baseline = baseline[: len(targets)]
    inputs = model_inputs(dataset.inputs, baseline, targets, dataset.seq_len)
    windows = {name: inputs[name].copy() for name in input_names(network)}
    expected = keras.ops.convert_to_numpy(network(windows, training=False))
    found = load_predictor(directory).predict(dataset.inputs, baseline, targets)
    difference = float(np.abs(found - expected).max())
    logger.info("forecasts from %s differ by at most %.2g, scaled", NETWORK_FILE, difference)
    if not difference <= _TOLERANCE:
        raise TrainingError(
            f"forecasts from {directory / NETWORK_FILE} differ from those of the trained network "
            f"by {difference:.2g}, scaled; allowed is {_TOLERANCE:g}: please report it"
        )
