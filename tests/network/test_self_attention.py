"""The oracle is keras.layers.MultiHeadAttention, which projects to queries, keys and values."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from roi_forecast.network.layers import SelfAttention


def pair(
    heads: int, key_dim: int, shape: tuple[int, ...], seed: int, **options: object
) -> tuple[SelfAttention, keras.layers.MultiHeadAttention]:
    layers = (
        SelfAttention(heads, key_dim, **options),
        keras.layers.MultiHeadAttention(heads, key_dim, **options),
    )
    generator = np.random.default_rng(seed)
    for layer in layers:
        layer.build(shape, shape)
    # Biases start at zero; other values show whether each is used.
    weights = [generator.normal(0, 0.5, weight.shape) for weight in layers[0].get_weights()]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def output_and_gradients(
    layer: keras.layers.MultiHeadAttention, windows: np.ndarray
) -> list[np.ndarray]:
    sequence = tf.constant(windows)
    with tf.GradientTape() as tape:
        tape.watch(sequence)
        output = layer(sequence, sequence, training=True)
        loss = tf.reduce_mean(output**2)
    variables = [variable.value for variable in layer.trainable_variables]
    return [output.numpy(), *(g.numpy() for g in tape.gradient(loss, [sequence, *variables]))]


@given(
    batch=st.integers(1, 4),
    rows=st.integers(1, 9),
    features=st.integers(1, 6),
    heads=st.integers(1, 3),
    # With keys of one number, Keras' own layer mixes up rows and heads where there are as many.
    key_dim=st.integers(2, 6),
    seed=st.integers(0, 100),
)
@settings(max_examples=25)
def test_self_attention_has_the_output_and_gradients_of_keras_attention(
    batch, rows, features, heads, key_dim, seed
):
    shape = (batch, rows, features)
    own, stock = pair(heads, key_dim, shape, seed)
    windows = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    for value, expected in zip(
        output_and_gradients(own, windows), output_and_gradients(stock, windows), strict=True
    ):
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(value / scale, expected / scale, atol=1e-5)


@pytest.mark.parametrize(("features", "projections"), [(4, 2), (5, 4)])
def test_self_attention_projects_rows_twice_where_features_are_no_wider_than_a_key(
    features, projections
):
    own, _ = pair(2, 4, (None, 7, features), 0)

    @tf.function
    def attend(sequence):
        return own(sequence, sequence)

    graph = attend.get_concrete_function(tf.TensorSpec((3, 7, features))).graph
    # Projections of rows are products whose result has a row for each of 3 windows of 7 rows.
    products = [
        operation
        for operation in graph.get_operations()
        if operation.type in ("MatMul", "BatchMatMulV2", "Einsum")
        and np.prod(operation.outputs[0].shape[:-1]) == 21
    ]
    assert len(products) == projections


@pytest.mark.parametrize(("training", "parts"), [(True, 2), (False, 1)])
def test_self_attention_takes_a_batch_in_two_halves_in_training_only(training, parts):
    own, _ = pair(2, 4, (None, 7, 4), 0)

    @tf.function
    def attend(sequence):
        return own(sequence, sequence, training=training)

    graph = attend.get_concrete_function(tf.TensorSpec((None, 7, 4))).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("Softmax") == parts


@pytest.mark.parametrize(
    "options",
    [{"use_bias": False}, {"dropout": 0.0, "output_shape": 3}, {"value_dim": 5}],
    ids=str,
)
def test_self_attention_has_the_output_of_keras_attention_with_other_options(options):
    own, stock = pair(2, 4, (2, 5, 4), 1, **options)
    windows = np.random.default_rng(1).normal(size=(2, 5, 4)).astype(np.float32)
    np.testing.assert_allclose(own(windows, windows), stock(windows, windows), atol=1e-5)


def test_self_attention_leaves_masks_and_other_sequences_to_keras():
    own, stock = pair(2, 4, (2, 5, 4), 1)
    generator = np.random.default_rng(1)
    windows, others = generator.normal(size=(2, 2, 5, 4)).astype(np.float32)
    np.testing.assert_array_equal(own(windows, others), stock(windows, others))
    mask = np.tril(np.ones((5, 5), bool))[None]
    np.testing.assert_array_equal(
        own(windows, windows, attention_mask=mask), stock(windows, windows, attention_mask=mask)
    )
    np.testing.assert_array_equal(
        own(windows, windows, use_causal_mask=True), stock(windows, windows, use_causal_mask=True)
    )
