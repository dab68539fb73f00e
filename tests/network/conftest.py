from __future__ import annotations

import pytest

from network.synthetic_dataset import SMALL, trainable_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.network.training.result import TrainingResult
from roi_forecast.network.training.train import train_model


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return trainable_dataset()


@pytest.fixture(scope="session")
def trained(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """An uninterrupted training."""
    return train_model(dataset, SMALL, tmp_path_factory.mktemp("model") / "uninterrupted")
