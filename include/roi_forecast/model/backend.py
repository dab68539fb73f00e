"""The one place that imports Keras: on TensorFlow, quiet, GPU memory growing with need."""

from __future__ import annotations

import os

# All are read when TensorFlow and Keras are first imported, so they come before the import.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

import keras

__all__ = ["keras"]
