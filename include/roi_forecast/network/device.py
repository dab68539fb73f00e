"""Which device trains. TensorFlow is imported only when it is asked to use the device."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess

from roi_forecast.errors import TrainingError

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


def training_device() -> str:
    """Say what TensorFlow trains on, for example "GPU NVIDIA A10" or "CPU (2 cores, x86_64)"."""
    from roi_forecast.network.backend import keras  # noqa: F401, I001 - it quiets TensorFlow's start
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name") for gpu in gpus]
    return "GPU " + ", ".join(name or "unnamed" for name in names) if names else _cpu()


def require_precision(precision: str) -> None:
    """Refuse a precision that no visible device computes in.

    A CPU would emulate it, slower than float32 and with other weights than a GPU gives, and the
    record of the version would say that it was trained as asked. So nothing is silently replaced.

    Args:
        precision: `float32`, `mixed_float16` or `mixed_bfloat16`.

    Raises:
        TrainingError: It is a mixed one and there is no GPU that has it.
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


def _cpu() -> str:
    return f"CPU ({os.cpu_count()} cores, {platform.machine()})"
