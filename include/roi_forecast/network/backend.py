"""The one place that imports Keras, after the settings of TensorFlow."""

from __future__ import annotations

import os

from roi_forecast.inherited import settle_keras_settings

# TensorFlow and Keras read these when they are first imported.
settle_keras_settings()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
# The two directions of a bidirectional layer run in parallel. If each used all cores for its many
# small products, they would wait for each other.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))

import keras  # noqa: E402

# Keras may already be imported, with the settings of a home folder.
keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")
keras.config.set_max_epochs(None)
keras.config.set_max_steps_per_epoch(None)

__all__ = ["keras"]
