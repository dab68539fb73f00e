"""The parameters of what a training leaves behind for people to look at."""

from __future__ import annotations

from pydantic import Field

from roi_forecast.config.base import Config


class RecordingConfig(Config):
    """What is recorded while a candidate is trained; it changes no weight."""

    tensorboard: bool = Field(
        default=True,
        description="Whether training writes logs for TensorBoard: losses, learning rate, "
        "histograms of the weights, the graph, and pictures of the errors.",
    )
