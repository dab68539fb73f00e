from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import huber
from sklearn.metrics import mean_pinball_loss

from roi_forecast.config import LossConfig
from roi_forecast.network.losses import (
    MaskedLoss,
    MaskedMeanAbsoluteError,
    TargetLoss,
    build_loss,
)

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=6)
TARGETS = st.one_of(st.just(np.nan), st.floats(-10, 10, width=32))


KINDS = ("mse", "mae", "huber", "weighted_mse", "pinball")


def expected(kind: str, target: np.ndarray, predicted: np.ndarray) -> float:
    """Oracles of other people: scipy's Huber function and scikit-learn's pinball loss."""
    if target.size == 0:
        return 0.0
    error = predicted - target
    return {
        "mse": lambda: np.mean(error**2),
        "weighted_mse": lambda: np.mean(error**2),
        "mae": lambda: np.mean(np.abs(error)),
        "huber": lambda: np.mean(huber(0.3, error)),
        "pinball": lambda: mean_pinball_loss(target, predicted, alpha=0.8),
    }[kind]()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(data=st.data(), shape=SHAPES)
def test_masked_losses_equal_their_oracle_over_targets_that_are_not_nan(kind, data, shape):
    target = data.draw(arrays.arrays(np.float32, shape, elements=TARGETS))
    predicted = data.draw(arrays.arrays(np.float32, shape, elements=st.floats(-10, 10, width=32)))
    counted = ~np.isnan(target)

    found = float(MaskedLoss(kind, huber_delta=0.3, pinball_level=0.8)(target, predicted))

    wanted = expected(kind, target[counted].astype(float), predicted[counted].astype(float))
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_masked_losses_send_no_gradient_through_masked_targets(kind):
    predicted = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        value = MaskedLoss(kind)(tf.constant([[np.nan, 0.0], [np.nan, 0.0]]), predicted)
    gradient = tape.gradient(value, predicted).numpy()
    assert gradient[:, 0].tolist() == [0.0, 0.0]
    assert (gradient[:, 1] > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_masked_losses_are_zero_with_zero_gradient_where_all_is_masked(kind):
    predicted = tf.Variable([[1.0, 2.0]])
    with tf.GradientTape() as tape:
        value = MaskedLoss(kind)(tf.constant([[np.nan, np.nan]]), predicted)
    assert float(value) == 0.0
    assert tape.gradient(value, predicted).numpy().tolist() == [[0.0, 0.0]]


def test_weights_multiply_the_error_of_each_target_that_counts():
    target = np.array([[1.0, np.nan], [0.0, 2.0]], dtype=np.float32)
    predicted = np.zeros((2, 2), dtype=np.float32)
    weights = np.array([[3.0, 100.0], [5.0, 0.5]], dtype=np.float32)
    found = float(MaskedLoss("weighted_mse")(target, predicted, weights))
    assert found == pytest.approx((3.0 * 1 + 5.0 * 0 + 0.5 * 4) / 3)


def test_the_configuration_reaches_the_loss():
    huber_loss = build_loss(LossConfig(loss="huber", huber_delta=0.02))
    pinball = build_loss(LossConfig(loss="pinball", pinball_level=0.25))
    one, zero = np.ones((1, 1)), np.zeros((1, 1))
    assert float(huber_loss(zero, one)) == pytest.approx(0.02 * (1 - 0.01))
    assert float(pinball(zero, one)) == pytest.approx(0.75)
    assert float(pinball(one, zero)) == pytest.approx(0.25)


def test_target_loss_weighs_batches_by_their_windows():
    metric = TargetLoss(MaskedLoss("mae"))
    metric.update_state(np.zeros((3, 1)), np.ones((3, 1)))
    metric.update_state(np.zeros((1, 1)), np.full((1, 1), 5.0))
    assert float(metric.result()) == pytest.approx((3 * 1 + 1 * 5) / 4)


def test_masked_metric_counts_each_target_once_over_batches_of_different_size():
    metric = MaskedMeanAbsoluteError()
    metric.update_state(np.array([[0.0, 0.0, 0.0]]), np.array([[1.0, 1.0, 1.0]]))
    metric.update_state(np.array([[0.0, np.nan, np.nan]]), np.array([[5.0, 9.0, 9.0]]))
    assert float(metric.result()) == pytest.approx(2.0)
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_losses_are_found_by_their_registered_name_with_their_settings():
    loss = MaskedLoss("huber", huber_delta=0.7)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(again, MaskedLoss)
    assert (again.kind, again.huber_delta) == ("huber", 0.7)
    metric = keras.metrics.deserialize(keras.metrics.serialize(TargetLoss(loss)))
    assert (metric.loss.kind, metric.loss.huber_delta) == ("huber", 0.7)
