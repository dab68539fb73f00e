"""The oracle is keras.layers.LSTM, which runs one row after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from roi_forecast.config import ModelConfig
from roi_forecast.network.layers import WIDE, FusedLSTM
from roi_forecast.network.network import build_network


def operations(function: tf.types.experimental.PolymorphicFunction, *arguments: object) -> set[str]:
    graph = function.get_concrete_function(*arguments).graph
    names = {operation.type for operation in graph.get_operations()}
    for called in graph.as_graph_def().library.function:
        names |= {node.op for node in called.node_def}
    return names


def outputs_and_gradients(
    layer: keras.layers.Layer, windows: np.ndarray, training: bool
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    inputs = tf.constant(windows)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=training)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        loss = sum(tf.reduce_mean(output**2) for output in outputs)
    variables = [variable.value for variable in layer.trainable_variables]
    gradients = tape.gradient(loss, [inputs, *variables])
    return [output.numpy() for output in outputs], [gradient.numpy() for gradient in gradients]


@given(
    batch=st.integers(1, 5),
    rows=st.integers(1, 12),
    features=st.integers(1, 15),
    units=st.integers(1, 6),
    go_backwards=st.booleans(),
    return_sequences=st.booleans(),
    return_state=st.booleans(),
    dropout=st.sampled_from([0.0, 0.4]),
    training=st.booleans(),
    seed=st.integers(0, 100),
)
@settings(max_examples=25)
def test_fused_lstm_has_the_outputs_and_gradients_of_keras_lstm(
    batch, rows, features, units, dropout, training, seed, **options
):
    windows = np.random.default_rng(seed).normal(0, 1.5, (batch, rows, features))
    windows = windows.astype(np.float32)
    stock = keras.layers.LSTM(units, dropout=dropout, seed=seed, **options)
    fused = FusedLSTM(units, dropout=dropout, seed=seed, **options)
    for layer in (stock, fused):
        layer.build(windows.shape)
    fused.set_weights(stock.get_weights())

    # Twice: the second call draws another dropout mask than the first.
    for _ in range(2):
        own, expected = (
            outputs_and_gradients(layer, windows, training) for layer in (fused, stock)
        )
        for values, others in zip(own, expected, strict=True):
            for value, other in zip(values, others, strict=True):
                np.testing.assert_allclose(value, other, atol=1e-5)


def test_fused_lstm_runs_no_loop_and_keras_lstm_does():
    window = tf.TensorSpec((None, 8, 3))
    ran = {}
    for kind in (FusedLSTM, keras.layers.LSTM):
        layer = keras.layers.Bidirectional(kind(4, return_sequences=True, dropout=0.2))
        layer.build((None, 8, 3))

        @tf.function
        def train(windows, layer=layer):
            return layer(windows, training=True)

        ran[kind] = operations(train, window)
    assert "BlockLSTM" in ran[FusedLSTM]
    assert not {name for name in ran[FusedLSTM] if "While" in name}
    assert {name for name in ran[keras.layers.LSTM] if "While" in name}


def test_fused_lstm_is_keras_own_layer_on_another_backend(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    layer = FusedLSTM(4, return_sequences=True)
    layer.build((None, 8, 3))
    assert "BlockLSTM" not in operations(tf.function(layer), tf.TensorSpec((None, 8, 3)))


@pytest.mark.parametrize(("features", "is_wide"), [(4 * WIDE, False), (4 * WIDE + 1, True)])
def test_fused_lstm_projects_the_rows_of_many_features_in_one_product(features, is_wide):
    layer = FusedLSTM(4, return_sequences=True)
    layer.build((None, 8, features))
    run = tf.function(layer)
    ran = operations(run, tf.TensorSpec((None, 8, features)))
    assert "BlockLSTM" in ran
    assert ("MatMul" in ran) == is_wide
    # Layers after it need to know the number of rows.
    assert run.get_concrete_function(tf.TensorSpec((None, 8, features))).output_shapes == (
        tf.TensorShape((None, 8, 4))
    )


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "relu"},
        {"use_bias": False},
        {"recurrent_dropout": 0.3},
        {"unroll": True},
        {"dtype": "mixed_bfloat16"},
    ],
    ids=str,
)
def test_fused_lstm_leaves_what_the_kernel_does_not_know_to_keras(options):
    windows = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    stock, fused = keras.layers.LSTM(4, **options), FusedLSTM(4, **options)
    for layer in (stock, fused):
        layer.build(windows.shape)
    fused.set_weights(stock.get_weights())
    np.testing.assert_array_equal(np.asarray(fused(windows)), np.asarray(stock(windows)))


def test_fused_lstm_leaves_masked_rows_to_keras():
    windows = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    mask = np.array([[True] * 5, [True, True, True, False, False]])
    stock, fused = keras.layers.LSTM(4), FusedLSTM(4)
    for layer in (stock, fused):
        layer.build(windows.shape)
    fused.set_weights(stock.get_weights())
    np.testing.assert_array_equal(fused(windows, mask=mask), stock(windows, mask=mask))


def test_fused_lstm_and_keras_lstm_take_each_others_configuration_and_weights():
    fused = FusedLSTM(4, dropout=0.2, go_backwards=True, return_sequences=True, name="lstm")
    stock = keras.layers.LSTM.from_config(fused.get_config())
    assert stock.get_config() == fused.get_config()
    assert FusedLSTM.from_config(stock.get_config()).get_config() == stock.get_config()


@pytest.mark.parametrize("assets", [3, 4 * WIDE + 1])
def test_saved_network_goes_into_keras_own_layers_and_a_file_of_those_back(
    tmp_path: Path, assets: int
):
    config = ModelConfig(architecture="hybrid", lstm_units=(4, 4), attention_key_dim=4)
    network = build_network(config, 8, assets)
    windows = {"scaled": np.random.default_rng(0).random((5, 8, assets)).astype(np.float32)}
    network.save(tmp_path / "fused.keras")

    stock = keras.Model.from_config(in_keras_own_layers(network.get_config()))
    stock.set_weights(keras.saving.load_model(tmp_path / "fused.keras").get_weights())
    assert type(stock.get_layer("bidirectional_lstm_1").forward_layer) is keras.layers.LSTM
    assert type(stock.get_layer("self_attention")) is keras.layers.MultiHeadAttention
    expected = network.predict_on_batch(windows)
    np.testing.assert_allclose(stock.predict_on_batch(windows), expected, atol=1e-5)

    stock.save(tmp_path / "stock.keras")
    again = keras.saving.load_model(tmp_path / "stock.keras")
    fused = build_network(config, 8, assets)
    fused.set_weights(again.get_weights())
    np.testing.assert_allclose(fused.predict_on_batch(windows), expected, atol=1e-5)
    np.testing.assert_allclose(again.predict_on_batch(windows), expected, atol=1e-5)


def in_keras_own_layers(config: Any) -> Any:
    if isinstance(config, list):
        return [in_keras_own_layers(value) for value in config]
    if not isinstance(config, dict):
        return config
    config = {name: in_keras_own_layers(value) for name, value in config.items()}
    own = {"FusedLSTM": "LSTM", "SelfAttention": "MultiHeadAttention"}
    if config.get("class_name") in own:
        config |= {
            "module": "keras.layers",
            "class_name": own[config["class_name"]],
            "registered_name": None,
        }
    return config
