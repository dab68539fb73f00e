from __future__ import annotations

import keras
import numpy as np
import pytest

from network.synthetic_dataset import SMALL, synthetic_dataset
from roi_forecast.config import ModelConfig
from roi_forecast.network.inputs import model_inputs
from roi_forecast.network.network import build_network, input_names

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


def build(architecture: str, context: int = 0) -> keras.Model:
    config = ModelConfig(architecture=architecture)
    return build_network(config, SEQ_LEN, ASSETS, context)


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


def test_hybrid_linear_is_the_reference_added_to_the_baseline():
    network = build("hybrid_linear")

    assert [row for row in table(network) if row[1] not in ("baseline", "forecast")] == (
        REFERENCE_LAYERS
    )
    assert sorted(input_names(network)) == ["baseline", "scaled"]
    assert network.get_layer("baseline").output.shape == (None, ASSETS)
    assert {source.name for source in network.get_layer("forecast").input} == {
        network.get_layer("baseline").output.name,
        network.get_layer("output").output.name,
    }
    assert network.count_params() == 164_055
    assert network.output.shape == (None, ASSETS)


@pytest.mark.parametrize("architecture", ["hybrid", "hybrid_linear"])
def test_context_widens_the_window_and_the_first_lstm_and_nothing_else(architecture):
    plain, network = build(architecture), build(architecture, context=8)

    changed = [
        (with_context, without)
        for with_context, without in zip(table(network), table(plain), strict=True)
        if with_context != without
    ]

    assert [with_context[1] for with_context, _ in changed] == ["scaled", "bidirectional_lstm_1"]
    assert changed[0][0][2] == (None, SEQ_LEN, ASSETS + 8)
    # Each of the 4 gates of 64 units, in both directions, weighs 8 inputs more.
    assert changed[1][0][3] - changed[1][1][3] == 2 * 4 * 8 * 64
    assert network.output.shape == (None, ASSETS)


@pytest.mark.parametrize("context", [0, 2])
def test_untrained_hybrid_linear_predicts_the_baseline_exactly(context):
    dataset = synthetic_dataset(context=context)
    network = build_network(SMALL, dataset.seq_len, 3, context)
    targets = range(dataset.seq_len, len(dataset.scaled) + 1)
    baseline = np.random.default_rng(1).normal(0.5, 0.2, (len(targets), 3))

    inputs = model_inputs(dataset.inputs, baseline, targets, dataset.seq_len)

    np.testing.assert_array_equal(
        network.predict_on_batch({name: window.copy() for name, window in inputs.items()}),
        baseline.astype(np.float32),
    )


def test_untrained_hybrid_forecasts_alone(dataset):
    network = build_network(SMALL.model_copy(update={"architecture": "hybrid"}), 8, 3)
    assert input_names(network) == ["scaled"]
    windows = model_inputs(dataset.inputs, np.zeros((4, 3)), range(8, 12), 8)["scaled"].copy()
    forecast = network.predict_on_batch({"scaled": windows})
    assert forecast.shape == (4, 3)
    assert forecast.any()


def test_network_refuses_windows_without_the_context_that_it_was_built_for(dataset):
    network = build_network(SMALL, 8, 3, 2)
    inputs = model_inputs(dataset.scaled, np.zeros((4, 3)), range(8, 12), 8)
    with pytest.raises(ValueError, match="shape"):
        network.predict_on_batch({name: window.copy() for name, window in inputs.items()})
