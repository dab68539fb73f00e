"""The oracle is Keras, which loads the same file."""

from __future__ import annotations

import json
import logging
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from network.synthetic_dataset import SMALL
from roi_forecast.config import ModelConfig
from roi_forecast.network.keras_network import KerasNetwork
from roi_forecast.network.network import build_network
from roi_forecast.network.numpy_layers import UnknownArchitectureError
from roi_forecast.network.numpy_network import NumpyNetwork, read_numpy_network
from roi_forecast.network.predictor import load_predictor

SEQ_LEN, ASSETS = 8, 3


def saved(path: Path, config: ModelConfig, seq_len: int = SEQ_LEN) -> keras.Model:
    """A network whose every weight counts."""
    keras.utils.set_random_seed(1)
    network = build_network(config, seq_len, ASSETS, np.full(ASSETS, 0.5), None)
    generator = np.random.default_rng(2)
    network.set_weights(
        # Variances stay positive.
        [weight + generator.uniform(0, 0.2, weight.shape) for weight in network.get_weights()]
    )
    network.save(path)
    return network


def windows(count: int = 40, seq_len: int = SEQ_LEN) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(3)
    return {
        name: generator.random((count, rows, ASSETS)).astype(np.float32)
        for name, rows in (("scaled", seq_len), ("scaled_log_roi", min(10, seq_len)))
    }


def from_keras(network: keras.Model, inputs: dict[str, np.ndarray]) -> np.ndarray:
    names = [tensor.name for tensor in network.inputs]
    return network.predict_on_batch({name: inputs[name] for name in names})


@pytest.mark.parametrize(
    "options",
    [
        {"architecture": "hybrid"},
        {"architecture": "hybrid_ar"},
        {"lstm_units": (8, 12), "attention_key_dim": 5},
        {"lstm_units": (6, 2), "attention_heads": 1, "dense_units": 5},
        {"batch_normalization": True},
        {"kernel_l2": 0.01, "lstm_dropout": 0.0, "dense_dropout": 0.0},
    ],
    ids=str,
)
def test_numpy_network_forecasts_what_keras_does(tmp_path, options):
    network = saved(tmp_path / "model.keras", SMALL.model_copy(update=options))
    own = read_numpy_network((tmp_path / "model.keras").read_bytes()).predict(windows())
    assert own.dtype == np.float32
    np.testing.assert_allclose(own, from_keras(network, windows()), atol=1e-6, rtol=1e-6)


def test_numpy_network_forecasts_what_keras_does_at_the_size_of_the_reference(tmp_path):
    network = saved(tmp_path / "model.keras", ModelConfig(), seq_len=60)
    # Weights as training leaves them: those above would saturate 128 units.
    network.set_weights([weight * 0.3 for weight in network.get_weights()])
    network.save(tmp_path / "model.keras")
    inputs = windows(5, seq_len=60)
    own = read_numpy_network((tmp_path / "model.keras").read_bytes()).predict(inputs)
    np.testing.assert_allclose(own, from_keras(network, inputs), atol=1e-6, rtol=1e-6)


def test_numpy_network_reads_a_file_of_keras_own_layers(tmp_path):
    scaled = keras.Input((SEQ_LEN, ASSETS), name="scaled")
    lstm = keras.layers.LSTM(4, return_sequences=True)
    features = keras.layers.Bidirectional(lstm)(scaled)
    attended = keras.layers.MultiHeadAttention(2, 3)(features, features)
    features = keras.layers.GlobalAveragePooling1D()(keras.layers.Add()([features, attended]))
    network = keras.Model({"scaled": scaled}, keras.layers.Dense(ASSETS)(features))
    network.save(tmp_path / "model.keras")
    own = read_numpy_network((tmp_path / "model.keras").read_bytes()).predict(windows())
    np.testing.assert_allclose(own, from_keras(network, windows()), atol=1e-6)


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("mixed_bfloat16", 0.05), ("mixed_float16", 0.01)]
)
def test_load_predictor_leaves_other_precisions_to_keras(tmp_path, caplog, precision, tolerance):
    network = saved(tmp_path / "model.keras", SMALL.model_copy(update={"precision": precision}))
    with caplog.at_level(logging.INFO):
        predictor = load_predictor(tmp_path)
    assert isinstance(predictor.networks[0], KerasNetwork)
    assert f"dtype={precision!r}; Keras loads it" in caplog.text
    own = predictor.networks[0].predict(windows())
    np.testing.assert_allclose(own, from_keras(network, windows()), atol=tolerance)


def changed(path: Path, layer: str, option: str, value: object) -> None:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    (entry,) = (entry for entry in config["config"]["layers"] if entry["name"] == layer)
    holder = entry if option in ("class_name", "inbound_nodes") else entry["config"]
    holder[option] = value
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("layer", "option", "value"),
    [
        ("dense", "class_name", "EinsumDense"),
        ("dense", "activation", "gelu"),
        ("dense", "use_bias", False),
        ("bidirectional_lstm_1", "merge_mode", "sum"),
        ("self_attention", "use_gate", True),
        ("self_attention", "sliding_window", 3),
        ("layer_normalization", "rms_scaling", True),
        ("average_pooling", "keepdims", True),
        ("output", "inbound_nodes", []),
    ],
)
def test_numpy_network_refuses_what_it_does_not_know(tmp_path, layer, option, value):
    path = tmp_path / "model.keras"
    saved(path, SMALL)
    assert isinstance(read_numpy_network(path.read_bytes()), NumpyNetwork)
    changed(path, layer, option, value)
    with pytest.raises(UnknownArchitectureError, match=layer):
        read_numpy_network(path.read_bytes())
