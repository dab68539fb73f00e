"""The configured network in a walk-forward: one training for each fold."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from roi_forecast.config import ModelConfig
from roi_forecast.data_path import DataPath
from roi_forecast.features.dataset import Dataset
from roi_forecast.files.artifacts import write_file

if TYPE_CHECKING:
    from roi_forecast.network.predictor import Predictor

_LAST_USE = "last_use"


class NetworkTrainer:
    """Trains the network of each fold.

    Trainings are kept, each in a folder named after the fold's first target date and a hash of its
    rows and settings. One that is finished there is not trained again, and one that was interrupted
    continues after its last epoch, so that a killed walk-forward ends with the forecasts of an
    uninterrupted one. An empty file in a folder has the time of its last use.

    Args:
        config: The network and how it is trained, the same for every fold.
        directory: Folder of the trainings.
    """

    def __init__(self, config: ModelConfig, directory: DataPath) -> None:
        self._config = config
        self._directory = directory

    def __call__(self, dataset: Dataset) -> Predictor:
        """Train on the training and validation rows of what `fold_dataset` returns.

        Raises:
            TrainingError: As `train_model`.
        """
        # TensorFlow loads for seconds: only a walk-forward with a network waits for it.
        from roi_forecast.network.predictor import load_predictor
        from roi_forecast.network.training.train import train_model

        first_target_date = dataset.dates[dataset.split.test.start]
        directory = self._directory / f"{first_target_date}-{self._digest(dataset)}"
        train_model(dataset, self._config, directory)
        # By its time retention sees which backtests a network belongs to.
        write_file(directory / _LAST_USE, b"")
        return load_predictor(directory)

    def _digest(self, dataset: Dataset) -> str:
        settings = self._config.model_dump(mode="json", include=set(ModelConfig.model_fields))
        facts = json.dumps([dataset.dataset_id, settings], sort_keys=True)
        return hashlib.sha256(facts.encode()).hexdigest()[:12]
