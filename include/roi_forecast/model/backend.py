"""The one place that imports Keras: on TensorFlow, quiet, sharing cores and memory as is best."""

from __future__ import annotations

import os

# All are read when TensorFlow and Keras are first imported, so they come before the import.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
# The two directions of a bidirectional layer run beside each other. With all cores for each of
# their many small products they would take turns waiting.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))

import keras

__all__ = ["keras"]
