"""Trains the small network on as many virtual CPU devices as named; writes history and weights."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from network.synthetic_dataset import SMALL, trainable_dataset
from roi_forecast.network.backend import keras
from roi_forecast.network.device import DEVICES_VARIABLE
from roi_forecast.network.training.result import MODEL_FILE
from roi_forecast.network.training.train import train_model

folder = Path(sys.argv[1])
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
# One filled target in ten makes the counts of the parts differ.
config = SMALL.model_copy(
    update={"lstm_dropout": 0.0, "dense_dropout": 0.0, "batch_size": 16, "epochs": 3}
)
for devices in ("1", "2"):
    os.environ[DEVICES_VARIABLE] = devices
    result = train_model(trainable_dataset(), config, folder / devices)
    history = [[r.loss, r.mae, r.validation_loss, r.validation_mae] for r in result.history]
    (folder / f"{devices}.json").write_text(json.dumps(history))
    weights = keras.saving.load_model(folder / devices / MODEL_FILE, compile=False).get_weights()
    np.savez(folder / f"{devices}.npz", *weights)
