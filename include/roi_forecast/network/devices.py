"""Training on several devices: each takes a part of every batch, and gradients are summed."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from roi_forecast.errors import TrainingError
from roi_forecast.network.device import has_gpu

DEVICES_VARIABLE = "ROI_TRAINING_DEVICES"
"""How many devices train one network; 1 where it is not set."""


def training_scope() -> AbstractContextManager[object]:
    """Return the context in which a network for training has to be built and compiled.

    Raises:
        TrainingError: The setting is no number, or the machine has fewer devices.
    """
    text = os.environ.get(DEVICES_VARIABLE) or "1"
    if not text.isdecimal() or int(text) < 1:
        raise TrainingError(f"{DEVICES_VARIABLE}: received {text!r}; expected a number from 1 on")
    wanted = int(text)
    if wanted == 1:
        return nullcontext()
    import tensorflow as tf

    kind = "GPU" if has_gpu() else "CPU"
    devices = [device.name for device in tf.config.list_logical_devices(kind)]
    if len(devices) < wanted:
        raise TrainingError(
            f"{DEVICES_VARIABLE}: received {wanted}, but this machine has {len(devices)} {kind}"
        )
    scope: AbstractContextManager[object] = tf.distribute.MirroredStrategy(devices[:wanted]).scope()
    return scope


def device_count(network: Any) -> int:
    """Return how many devices train a network that was built within `training_scope`."""
    strategy = network.distribute_strategy
    return 1 if strategy is None else int(strategy.num_replicas_in_sync)


def require_equal_parts(network: Any, windows: int) -> None:
    """Check that the first batch can be divided equally among the devices of a network.

    Keras learns the shape of a batch from the mean of the parts of the first one, which has to be
    possible. Later batches may be divided unequally.

    Args:
        network: Compiled within `training_scope`.
        windows: In the first batch.

    Raises:
        TrainingError: It cannot.
    """
    devices = device_count(network)
    if windows % devices:
        raise TrainingError(
            f"batch_size: a batch of {windows} windows cannot be divided among {devices} devices; "
            f"choose a multiple of {devices} that is no larger than the validation part"
        )


def sum_over_devices(value: Any) -> Any:
    """Return the sum of a scalar over the devices that train together; itself on one device."""
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return value
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, value)
