"""The devices that train. TensorFlow is imported only by the functions that need it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from roi_forecast.config import TrainingConfig
from roi_forecast.errors import TrainingError

DEVICES_VARIABLE = "ROI_TRAINING_DEVICES"
"""How many devices train one network; 1 where it is not set."""

# From Nvidia's architectures Volta and Ampere on, tensor cores have them.
_COMPUTE_CAPABILITY = {"mixed_float16": (7, 0), "mixed_bfloat16": (8, 0)}


def visible_device() -> str:
    """Say, without loading TensorFlow, which device this machine offers for training."""
    program = shutil.which("nvidia-smi")
    if program is None or os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1"):
        return f"{_cpu()}; no NVIDIA GPU is visible"
    listing = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30)
    names = [line.split(" (UUID")[0] for line in listing.stdout.splitlines() if line.strip()]
    if listing.returncode != 0 or not names:
        return f"{_cpu()}; nvidia-smi lists no GPU"
    return ", ".join(names)


def has_gpu() -> bool:
    """Return whether TensorFlow sees a GPU."""
    from roi_forecast.network.backend import keras  # noqa: F401, I001 - it quiets TensorFlow's start
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def has_cpu_kernels() -> bool:
    """Return whether Keras runs on TensorFlow without a GPU, where its kernels for CPUs serve."""
    from roi_forecast.network.backend import keras

    return keras.backend.backend() == "tensorflow" and not has_gpu()


def training_device() -> str:
    """Say what TensorFlow trains on, for example "GPU NVIDIA A10" or "CPU (2 cores, x86_64)"."""
    from roi_forecast.network.backend import keras  # noqa: F401, I001 - it quiets TensorFlow's start
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name") for gpu in gpus]
    return "GPU " + ", ".join(name or "unnamed" for name in names) if names else _cpu()


def require_precision(precision: str) -> None:
    """Refuse a precision that the visible devices cannot compute in.

    A CPU would emulate it, slower than float32 and with other weights than a GPU, and the version's
    record would not show it.

    Args:
        precision: `float32`, `mixed_float16` or `mixed_bfloat16`.

    Raises:
        TrainingError: The precision is mixed and a GPU is missing or lacks it.
    """
    needed = _COMPUTE_CAPABILITY.get(precision)
    if needed is None:
        return
    import tensorflow as tf

    found = [
        tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    if not found or min(found) < needed:
        raise TrainingError(
            f"precision: received {precision!r}, but this training would run on "
            f"{training_device()}; it needs a GPU of compute capability {needed[0]}.{needed[1]} or "
            "later. Leave precision at float32, or let a worker with such a GPU serve the queue gpu"
        )


def training_scope() -> AbstractContextManager[object]:
    """Return the context in which a network must be built and compiled to train on its devices.

    Raises:
        TrainingError: The setting is not a number from 1 on, or the machine has fewer devices.
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
    """Check that the first batch divides equally among the devices of a network.

    Keras takes the mean over the parts of the first batch to learn its shape. Later batches may be
    divided unequally.

    Args:
        network: Compiled within `training_scope`.
        windows: Number of windows in the first batch.

    Raises:
        TrainingError: It does not.
    """
    devices = device_count(network)
    if windows % devices:
        raise TrainingError(
            f"batch_size: a batch of {windows} windows cannot be divided among {devices} devices; "
            f"choose a multiple of {devices} that is no larger than the validation part"
        )


def sum_over_devices(value: Any) -> Any:
    """Return the sum of a scalar over the devices that train together.

    Keras has several on TensorFlow alone.
    """
    from roi_forecast.network.backend import keras

    if keras.backend.backend() != "tensorflow":
        return value
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return value
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, value)


@contextmanager
def memory_errors_named(config: TrainingConfig, seq_len: int) -> Iterator[None]:
    """Turn TensorFlow's out-of-memory error into one that names the parameters that help.

    Args:
        config: The training that runs inside the block.
        seq_len: Rows in one window.

    Raises:
        TrainingError: Memory ran out.
    """
    from roi_forecast.network.backend import keras  # noqa: F401, I001 - it quiets TensorFlow's start
    import tensorflow as tf

    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        lines = str(error.message).strip().splitlines()
        reason = next((line.strip() for line in lines if "OOM" in line), lines[0])
        raise TrainingError(
            f"the device ran out of memory with batch_size {config.batch_size} and seq_len "
            f"{seq_len} ({reason}); set a smaller batch_size first, then a smaller seq_len, or "
            "take the preset small_memory"
        ) from error


def _cpu() -> str:
    return f"CPU ({os.cpu_count()} cores, {platform.machine()})"
