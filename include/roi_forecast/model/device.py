"""Which device trains. TensorFlow is imported only when it is asked to use the device."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess


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


def training_device() -> str:
    """Say what TensorFlow trains on, for example "GPU NVIDIA A10" or "CPU (2 cores, x86_64)"."""
    from roi_forecast.model.backend import keras  # noqa: F401, I001 - it quiets TensorFlow's start
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name") for gpu in gpus]
    return "GPU " + ", ".join(name or "unnamed" for name in names) if names else _cpu()


def _cpu() -> str:
    return f"CPU ({os.cpu_count()} cores, {platform.machine()})"
