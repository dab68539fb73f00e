"""Settings that a process inherits and that would lead it elsewhere or change its numbers.

An installation says where things are and how they are computed by its own variables (`ROI_…`) and
by what it hands to each library. What a shell or a home folder says to the same libraries is meant
for other programs, so it is taken out of the environment before the library reads it.
"""

from __future__ import annotations

import os
from collections.abc import Callable

# How a connection is protected is a matter of the machine: taking it away could open a connection.
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
    """Take libpq's settings out of the environment; those that protect a connection stay.

    Call it before the first connection: what the URL leaves open, libpq takes from there, and some
    settings (PGHOSTADDR, PGOPTIONS, PGTZ) win over what a URL or its options say.
    """
    _forget(lambda name: name.startswith("PG") and not name.startswith(_PROTECTION))


def settle_keras_settings() -> None:
    """Let Keras run on TensorFlow as it is without any settings; before either is imported.

    Where a machine has memory and threads (and which GPUs, by CUDA_VISIBLE_DEVICES) stays its own.
    """
    _forget(
        lambda name: (
            name in _CHANGING_NUMBERS
            or name.startswith("KERAS_")
            or (name.startswith("TF_") and name not in _OF_THE_MACHINE)
        )
    )
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # No folder of its own: keras.json of the home folder is neither read nor written.
    os.environ["KERAS_HOME"] = os.devnull


def _forget(is_foreign: Callable[[str], bool]) -> None:
    for name in [name for name in os.environ if is_foreign(name)]:
        del os.environ[name]
