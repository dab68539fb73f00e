"""Removing inherited settings that would redirect a process or change its numbers.

An installation is configured by its own variables (`ROI_…`) and by the arguments that it passes to
each library. Settings for the same libraries in a shell or home folder are meant for other
programs, so they are removed from the environment before the library reads them.
"""

from __future__ import annotations

import os
from collections.abc import Callable

# The machine decides how connections are protected; removing that could weaken a connection.
_PROTECTION = ("PGSSL", "PGREQUIRE", "PGCHANNELBINDING", "PGGSS", "PGKRB")
_OF_THE_MACHINE = {
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_GPU_ALLOCATOR",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
}
_CHANGING_NUMBERS = {"XLA_FLAGS", "NVIDIA_TF32_OVERRIDE"}


def forget_postgres_settings() -> None:
    """Remove libpq's settings from the environment, except those that protect a connection.

    Call it before the first connection: libpq completes URLs from the environment, and some
    settings (PGHOSTADDR, PGOPTIONS, PGTZ) override the URL and its options.
    """
    _forget(lambda name: name.startswith("PG") and not name.startswith(_PROTECTION))


def settle_keras_settings() -> None:
    """Make Keras run on TensorFlow with default settings; call it before importing either.

    Settings of memory, threads and GPUs (CUDA_VISIBLE_DEVICES) belong to the machine and stay.
    """
    _forget(
        lambda name: (
            name in _CHANGING_NUMBERS
            or name.startswith("KERAS_")
            or (name.startswith("TF_") and name not in _OF_THE_MACHINE)
        )
    )
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # No folder, so that keras.json of the home folder is neither read nor written.
    os.environ["KERAS_HOME"] = os.devnull


def _forget(is_foreign: Callable[[str], bool]) -> None:
    for name in [name for name in os.environ if is_foreign(name)]:
        del os.environ[name]
