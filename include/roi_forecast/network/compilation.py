"""A network's optimiser, loss and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roi_forecast.config import TrainingConfig
from roi_forecast.network.backend import keras
from roi_forecast.network.device import device_count
from roi_forecast.network.losses import MaskedMeanAbsoluteError, TargetLoss, build_loss

# TensorFlow loops over this many steps, or to the end of the epoch, in one call from Python.
# Signals wait for the end of the call, so it must not take many seconds.
STEPS_IN_A_CALL = 32


@keras.saving.register_keras_serializable(package="roi_forecast")
class FusedAdamW(keras.optimizers.AdamW):  # type: ignore[misc]
    """An AdamW with the configuration, variables and numbers of `keras.optimizers.AdamW`.

    Keras' update of one weight is some thirty small operations, ten of which compute the bias
    correction of the step again for each weight. Here the powers in the correction are computed
    once, and TensorFlow's kernel `ResourceApplyAdam` does the rest. The formula is that of Kingma
    and Ba (2015), end of section 2; the decay (Loshchilov and Hutter 2019) is left to Keras.

    For training on one device, without `amsgrad` and with weights in float32.
    """

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Take a step; called by Keras.

        Args:
            grads: One gradient for each variable.
            trainable_variables: The variables; None stands for those it was built for.

        Raises:
            ValueError: `amsgrad` is set.
        """
        if self.amsgrad:
            raise ValueError("amsgrad: received True; FusedAdamW knows False, use AdamW for it")
        import tensorflow as tf

        step = tf.cast(self.iterations.value + 1, tf.float32)
        self._beta_powers = tf.pow(self.beta_1, step), tf.pow(self.beta_2, step)
        super().apply(grads, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable and its two moments; called by Keras within `apply`.

        Args:
            gradient: In the variable's shape.
            variable: One that `build` was given.
            learning_rate: In this step.
        """
        import tensorflow as tf

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


def compile_network(network: keras.Model, config: TrainingConfig) -> None:
    """Compile a network for training with AdamW.

    Trainings run on TensorFlow. On another backend of Keras, which only measurements use, the
    optimizer is Keras' own.

    Args:
        network: The network, with its layers already marked as trainable or not.
        config: Optimiser, loss and precision.
    """
    backend = keras.backend.backend()
    fused = backend == "tensorflow" and device_count(network) == 1
    optimizer = (FusedAdamW if fused else keras.optimizers.AdamW)(
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        clipnorm=config.gradient_clip_norm,
    )
    compiled: Any = optimizer
    if config.precision == "mixed_float16":
        # Small gradients would round to zero in float16; they are scaled up until they are applied.
        compiled = keras.optimizers.LossScaleOptimizer(optimizer)
    loss = build_loss(config)
    network.compile(
        compiled,
        loss=loss,
        metrics=[MaskedMeanAbsoluteError()],
        weighted_metrics=[TargetLoss(loss)],
        # JAX runs one operation after the other without it.
        jit_compile=backend == "jax",
        auto_scale_loss=False,
        # TensorFlow 2.21 cannot run that loop on several devices, and other backends have none.
        steps_per_execution=STEPS_IN_A_CALL if fused else 1,
    )
    compiled.build(network.trainable_variables)
