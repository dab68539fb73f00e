from __future__ import annotations

import keras
import numpy as np
import pytest

from network.synthetic_dataset import SMALL
from roi_forecast.config import ModelConfig
from roi_forecast.network.inputs import model_inputs
from roi_forecast.network.network import build_network
from roi_forecast.network.ridge import fit_ridge

SEQ_LEN, ASSETS = 60, 23

# An LSTM has 4 gates of (inputs + units + 1) * units weights, twice for both directions.
# Attention projects 64 features to 4 heads of 64 three times, and back once.
REFERENCE_LAYERS = [
    ("InputLayer", "scaled", (None, 60, 23), 0),
    ("Bidirectional", "bidirectional_lstm_1", (None, 60, 128), 2 * 4 * (23 + 64 + 1) * 64),
    ("Bidirectional", "bidirectional_lstm_2", (None, 60, 64), 2 * 4 * (128 + 32 + 1) * 32),
    ("SelfAttention", "self_attention", (None, 60, 64), 3 * (64 + 1) * 256 + (256 + 1) * 64),
    ("Add", "residual", (None, 60, 64), 0),
    ("LayerNormalization", "layer_normalization", (None, 60, 64), 2 * 64),
    ("GlobalAveragePooling1D", "average_pooling", (None, 64), 0),
    ("Dense", "dense", (None, 128), (64 + 1) * 128),
    ("Dropout", "dense_dropout", (None, 128), 0),
    ("Dense", "output", (None, 23), (128 + 1) * 23),
]


def build(architecture: str) -> keras.Model:
    config = ModelConfig(architecture=architecture)
    return build_network(config, SEQ_LEN, ASSETS, np.full(ASSETS, 0.5), None)


def table(network: keras.Model) -> list[tuple[str, str, tuple[int | None, ...], int]]:
    return [
        (type(layer).__name__, layer.name, tuple(layer.output.shape), layer.count_params())
        for layer in network.layers
    ]


def test_hybrid_is_the_reference_architecture():
    network = build("hybrid")

    assert table(network) == REFERENCE_LAYERS
    assert network.count_params() == 164_055
    for name, units in (("bidirectional_lstm_1", 64), ("bidirectional_lstm_2", 32)):
        layer = network.get_layer(name)
        assert layer.merge_mode == "concat"
        for direction in (layer.forward_layer, layer.backward_layer):
            assert (direction.units, direction.dropout) == (units, 0.2)
            assert direction.return_sequences
        assert layer.backward_layer.go_backwards
    attention = network.get_layer("self_attention")
    assert (attention.num_heads, attention.key_dim) == (4, 64)
    second_lstm = network.get_layer("bidirectional_lstm_2").output
    assert [source.name for source in attention._inbound_nodes[0].input_tensors] == (
        [second_lstm.name] * 2
    )
    assert {source.name for source in network.get_layer("residual").input} == {
        second_lstm.name,
        attention.output.name,
    }
    assert network.get_layer("dense").activation is keras.activations.relu
    assert network.get_layer("dense_dropout").rate == 0.3
    assert network.get_layer("output").activation is keras.activations.linear


def test_hybrid_ar_is_the_reference_and_a_highway_of_70_weights():
    network = build("hybrid_ar")

    extra = {"scaled_log_roi", "highway", "forecast"}
    assert [row for row in table(network) if row[1] not in extra] == REFERENCE_LAYERS
    assert sum(w.shape[0] for w in network.get_layer("highway").trainable_weights) == 60 + 10
    assert network.output.shape == (None, ASSETS)


def test_untrained_hybrid_ar_predicts_what_ridge_predicts(dataset):
    ridge = fit_ridge(dataset, 1.0)
    network = build_network(SMALL, dataset.seq_len, 3, dataset.scaler.center, ridge)
    targets = range(dataset.seq_len, len(dataset.scaled) + 1)

    inputs = model_inputs(dataset.scaled, dataset.scaled_log_roi, targets, dataset.seq_len)

    np.testing.assert_allclose(
        network.predict_on_batch({name: window.copy() for name, window in inputs.items()}),
        ridge.predict(dataset.scaled, dataset.scaled_log_roi, targets),
        atol=1e-5,
    )


def test_hybrid_ar_without_ridge_starts_at_the_center(dataset):
    network = build_network(SMALL, 8, 3, dataset.scaler.center, None)
    inputs = model_inputs(dataset.scaled, dataset.scaled_log_roi, range(8, 12), 8)
    np.testing.assert_allclose(
        network.predict_on_batch({name: window.copy() for name, window in inputs.items()}),
        np.tile(dataset.scaler.center, (4, 1)),
        rtol=1e-6,
    )


def test_network_refuses_a_center_of_another_number_of_assets():
    with pytest.raises(ValueError, match=r"highway weight shape \(3,\) .* shape \(4,\)"):
        build_network(SMALL, 8, 3, np.zeros(4), None)
