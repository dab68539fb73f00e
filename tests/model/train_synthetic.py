"""Trains the small network on the synthetic dataset, in a process that a test can kill."""

from __future__ import annotations

import sys
from pathlib import Path

from model.synthetic_dataset import SMALL, synthetic_dataset
from roi_forecast.model.training import train_model

train_model(synthetic_dataset(), SMALL, Path(sys.argv[1]))
