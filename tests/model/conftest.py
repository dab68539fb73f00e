from __future__ import annotations

import pytest

from model.synthetic_dataset import SMALL, synthetic_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.model.training import train_model
from roi_forecast.model.training_result import TrainingResult


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return synthetic_dataset()


@pytest.fixture(scope="session")
def trained(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """An uninterrupted training."""
    return train_model(dataset, SMALL, tmp_path_factory.mktemp("model") / "uninterrupted")
