"""Saying what to change where a device runs out of memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from roi_forecast.config import TrainingConfig
from roi_forecast.errors import TrainingError


@contextmanager
def memory_errors_named(config: TrainingConfig, seq_len: int) -> Iterator[None]:
    """Turn TensorFlow's out-of-memory error into one that names the parameters that help.

    Args:
        config: The training that goes on inside the block.
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
