"""Giving a network its optimiser, its loss and the figures that are watched."""

from __future__ import annotations

from typing import Any

from roi_forecast.config import TrainingConfig
from roi_forecast.network.backend import keras
from roi_forecast.network.devices import device_count
from roi_forecast.network.fused_adamw import FusedAdamW
from roi_forecast.network.losses import MaskedMeanAbsoluteError, TargetLoss, build_loss
from roi_forecast.network.network import HIGHWAY_LAYER

# A loop inside TensorFlow instead of a call from Python for each step; an epoch's end ends it too.
# A signal is heeded after it, so it should not take many seconds.
STEPS_IN_A_CALL = 32


def compile_network(network: keras.Model, config: TrainingConfig) -> None:
    """Compile a network for training with AdamW.

    Args:
        network: The network; which of its layers are trainable is settled already.
        config: Optimiser, loss and precision.
    """
    one_device = device_count(network) == 1
    optimizer = (FusedAdamW if one_device else keras.optimizers.AdamW)(
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        clipnorm=config.gradient_clip_norm,
    )
    if HIGHWAY_LAYER in (layer.name for layer in network.layers):
        # Ridge has already shrunk these as far as the training rows ask for.
        optimizer.exclude_from_weight_decay(
            var_list=network.get_layer(HIGHWAY_LAYER).trainable_weights
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
        jit_compile=False,
        auto_scale_loss=False,
        # TensorFlow 2.21 cannot run that loop on several devices.
        steps_per_execution=STEPS_IN_A_CALL if one_device else 1,
    )
    compiled.build(network.trainable_variables)
