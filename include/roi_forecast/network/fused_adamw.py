"""Keras' AdamW, with one kernel for the update of each weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roi_forecast.network.backend import keras  # isort: skip - it quiets TensorFlow's start
import tensorflow as tf


@keras.saving.register_keras_serializable(package="roi_forecast")
class FusedAdamW(keras.optimizers.AdamW):  # type: ignore[misc]
    """An AdamW with the configuration, variables and numbers of `keras.optimizers.AdamW`.

    Keras' update of one weight is some thirty small operations, ten of which compute the bias
    correction of the step anew for each weight. Here the correction's powers are taken once, and
    TensorFlow's kernel `ResourceApplyAdam` does the rest. Kingma and Ba (2015) give the formula, in
    the form of the end of their section 2; Loshchilov and Hutter (2019) the decay, which is left
    to Keras.

    For training on one device, without `amsgrad` and with weights in float32.
    """

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Take a step; called by Keras.

        Args:
            grads: A gradient for each variable.
            trainable_variables: The variables; those it was built for where it is None.

        Raises:
            ValueError: An option that the kernel does not know.
        """
        if self.amsgrad:
            raise ValueError("amsgrad: received True; FusedAdamW knows False, use AdamW for it")
        step = tf.cast(self.iterations.value + 1, tf.float32)
        self._beta_powers = tf.pow(self.beta_1, step), tf.pow(self.beta_2, step)
        super().apply(grads, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable and its two moments; called by Keras within `apply`.

        Args:
            gradient: Of the loss, in the variable's shape.
            variable: TensorFlow's.
            learning_rate: Of this step.
        """
        index = self._get_variable_index(variable)
        beta_1_power, beta_2_power = self._beta_powers
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=beta_1_power,
            beta2_power=beta_2_power,
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )
