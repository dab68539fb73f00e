"""Trains the small network on the synthetic dataset, in a process that a test can kill."""

from __future__ import annotations

import sys
from pathlib import Path

from network.synthetic_dataset import SMALL, trainable_dataset
from roi_forecast.network.training.train import train_model

train_model(trainable_dataset(), SMALL, Path(sys.argv[1]))
