from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from roi_forecast.model.losses import (
    MaskedMeanAbsoluteError,
    masked_mean_absolute_error,
    masked_mean_squared_error,
)

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=6)
TARGETS = st.one_of(st.just(np.nan), st.floats(-10, 10, width=32))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), shape=SHAPES)
def test_masked_losses_equal_numpy_over_targets_that_are_not_nan(data, shape):
    target = data.draw(arrays.arrays(np.float32, shape, elements=TARGETS))
    predicted = data.draw(arrays.arrays(np.float32, shape, elements=st.floats(-10, 10, width=32)))
    error = (predicted.astype(float) - target)[~np.isnan(target)]

    squared = float(masked_mean_squared_error(target, predicted))
    absolute = float(masked_mean_absolute_error(target, predicted))

    assert squared == pytest.approx(np.mean(error**2) if error.size else 0.0, rel=1e-5, abs=1e-7)
    assert absolute == pytest.approx(
        np.mean(np.abs(error)) if error.size else 0.0, rel=1e-5, abs=1e-7
    )


@pytest.mark.parametrize("loss", [masked_mean_squared_error, masked_mean_absolute_error])
def test_masked_losses_send_no_gradient_through_masked_targets(loss):
    predicted = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        value = loss(tf.constant([[np.nan, 0.0], [np.nan, 0.0]]), predicted)
    gradient = tape.gradient(value, predicted).numpy()
    assert gradient[:, 0].tolist() == [0.0, 0.0]
    assert (gradient[:, 1] > 0).all()


@pytest.mark.parametrize("loss", [masked_mean_squared_error, masked_mean_absolute_error])
def test_masked_losses_are_zero_with_zero_gradient_where_all_is_masked(loss):
    predicted = tf.Variable([[1.0, 2.0]])
    with tf.GradientTape() as tape:
        value = loss(tf.constant([[np.nan, np.nan]]), predicted)
    assert float(value) == 0.0
    assert tape.gradient(value, predicted).numpy().tolist() == [[0.0, 0.0]]


def test_masked_metric_counts_each_target_once_over_batches_of_different_size():
    metric = MaskedMeanAbsoluteError()
    metric.update_state(np.array([[0.0, 0.0, 0.0]]), np.array([[1.0, 1.0, 1.0]]))
    metric.update_state(np.array([[0.0, np.nan, np.nan]]), np.array([[5.0, 9.0, 9.0]]))
    assert float(metric.result()) == pytest.approx(2.0)
    metric.reset_state()
    assert float(metric.result()) == 0.0


@pytest.mark.parametrize("loss", [masked_mean_squared_error, masked_mean_absolute_error])
def test_masked_losses_are_found_by_their_registered_name(loss):
    assert keras.losses.deserialize(keras.losses.serialize(loss)) is loss
