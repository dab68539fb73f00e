"""The network's parameters and those of its training together."""

from __future__ import annotations

from roi_forecast.config.network import NetworkConfig
from roi_forecast.config.training import TrainingConfig


class ModelConfig(TrainingConfig, NetworkConfig):
    """The network and how it is trained: with a dataset, all that one training depends on."""
