"""The oracle is keras.optimizers.AdamW."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from roi_forecast.network.compilation import FusedAdamW

SHAPES = ((3, 2), (4,))


def after_steps(
    kind: type[keras.optimizers.AdamW], gradients: list[list[np.ndarray]], **options: Any
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The weights and the optimiser's variables after a step for each item of gradients."""
    generator = np.random.default_rng(7)
    weights = [
        keras.Variable(generator.normal(size=shape).astype(np.float32), name=f"weight{number}")
        for number, shape in enumerate(SHAPES)
    ]
    optimizer = kind(**options)
    optimizer.build(weights)
    optimizer.exclude_from_weight_decay(var_list=weights[1:])

    @tf.function
    def step(values: list[tf.Tensor]) -> None:
        optimizer.apply(values, weights)

    for values in gradients:
        step([tf.constant(value) for value in values])
    return (
        [weight.numpy() for weight in weights],
        [np.asarray(variable.numpy()) for variable in optimizer.variables],
    )


@given(
    steps=st.integers(1, 6),
    learning_rate=st.floats(1e-5, 0.3),
    weight_decay=st.sampled_from([0.0, 1e-4, 0.1]),
    beta_1=st.floats(0.0, 0.99),
    beta_2=st.floats(0.5, 0.9999),
    clipnorm=st.sampled_from([None, 0.5]),
    size=st.sampled_from([0.0, 1e-6, 1.0, 1e3]),
    seed=st.integers(0, 100),
)
@settings(max_examples=40)
def test_fused_adamw_has_the_weights_and_moments_of_keras_adamw_after_each_step(
    steps, size, seed, **options
):
    generator = np.random.default_rng(seed)
    gradients = [
        [(size * generator.normal(size=shape)).astype(np.float32) for shape in SHAPES]
        for _ in range(steps)
    ]
    own = after_steps(FusedAdamW, gradients, epsilon=1e-7, **options)
    expected = after_steps(keras.optimizers.AdamW, gradients, epsilon=1e-7, **options)
    for values, others in zip(own, expected, strict=True):
        for value, other in zip(values, others, strict=True):
            np.testing.assert_allclose(value, other, rtol=1e-4, atol=1e-6)


def test_fused_adamw_follows_a_learning_rate_that_changes_between_steps():
    moved = []
    for kind in (FusedAdamW, keras.optimizers.AdamW):
        weight = keras.Variable(np.ones(2, np.float32))
        optimizer = kind(0.1)
        optimizer.build([weight])
        for rate in (0.1, 0.02):
            optimizer.learning_rate = rate
            optimizer.apply([tf.constant([0.5, -2.0])], [weight])
        moved.append(weight.numpy())
    np.testing.assert_allclose(*moved, atol=1e-6)


def test_fused_adamw_continues_from_the_variables_of_keras_adamw():
    gradients = [[np.full(shape, 0.3, np.float32) for shape in SHAPES]] * 2
    _, own = after_steps(FusedAdamW, gradients)
    _, stock = after_steps(keras.optimizers.AdamW, gradients)
    assert [value.shape for value in own] == [value.shape for value in stock]
    assert int(own[0]) == int(stock[0]) == 2


def test_fused_adamw_takes_one_kernel_a_weight_and_the_powers_once():
    weights = [keras.Variable(np.zeros(shape, np.float32)) for shape in SHAPES]
    optimizer = FusedAdamW()
    optimizer.build(weights)

    @tf.function
    def step() -> None:
        optimizer.apply([tf.ones(shape) for shape in SHAPES], weights)

    kinds = [operation.type for operation in step.get_concrete_function().graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == len(SHAPES)
    assert kinds.count("Pow") == 2


def test_fused_adamw_and_keras_adamw_take_each_others_configuration():
    own = FusedAdamW(1e-3, weight_decay=0.01, clipnorm=0.5, name="adamw")
    stock = keras.optimizers.AdamW.from_config(own.get_config())
    assert stock.get_config() == own.get_config()
    assert FusedAdamW.from_config(stock.get_config()).get_config() == stock.get_config()


def test_fused_adamw_refuses_amsgrad():
    weight = keras.Variable(np.zeros(2, np.float32))
    optimizer = FusedAdamW(amsgrad=True)
    optimizer.build([weight])
    with pytest.raises(ValueError, match="amsgrad: received True"):
        optimizer.apply([tf.ones(2)], [weight])
