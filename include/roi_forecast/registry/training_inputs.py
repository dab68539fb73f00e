"""What a candidate's weights depend on, and where it is trained."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import Engine

from roi_forecast.config import ModelConfig, RunConfig
from roi_forecast.data_path import DataPath
from roi_forecast.errors import RegistryError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.files.verified import VerifiedDirectory
from roi_forecast.network.training.experiment_record import code_revision, hyperparameters
from roi_forecast.network.training.result import network_files
from roi_forecast.registry.versions import ModelVersion, find_trained, find_version, open_version
from roi_forecast.runs.resolved_run import ResolvedRun

logger = logging.getLogger(__name__)

# Part of every fingerprint: raise it when the same inputs would train to other weights.
_TRAINING_REVISION = 3


def candidate_path(model_name: str, run_id: str) -> PurePosixPath:
    """Return where a run's candidate lies, relative to the registry.

    A run id may be any name that Airflow allows, `..` among them.
    """
    return PurePosixPath(model_name, "candidates", re.sub(r"^\.|[^A-Za-z0-9_.-]", "_", run_id))


class TrainingInputs:
    """Everything that a candidate's weights depend on, and where it is trained."""

    def __init__(
        self,
        engine: Engine,
        run: ResolvedRun,
        dataset: Dataset,
        models_directory: DataPath,
        base_version_id: str | None,
    ) -> None:
        self._engine = engine
        self._run = run
        self._dataset = dataset
        self._models_directory = models_directory
        self.path = candidate_path(run.model_name, run.run_id)
        self.directory = models_directory / self.path.as_posix()
        self.base: ModelVersion | None = None
        self._base_files: VerifiedDirectory | None = None
        self.preprocessing = Preprocessing.of_dataset(dataset)
        if base_version_id is not None:
            with engine.connect() as connection:
                self.base = find_version(connection, base_version_id)
            self._base_files = open_version(self.base, models_directory)
            self.preprocessing = Preprocessing.load(self._base_files)
        self.fingerprint = training_fingerprint(run.model_name, dataset, run.config, self.base)

    def base_network(self, number: int) -> bytes | None:
        """Return the file of the network that a member continues from, or None: from nothing."""
        if self._base_files is None:
            return None
        try:
            return self._base_files.read(network_files(self._base_files.files)[number])
        except (ValueError, IndexError) as error:
            raise RegistryError(f"{self._base_files.directory}: no network {number}") from error

    def known_version(self) -> ModelVersion | None:
        """Return the version that the same inputs gave before, if its files are whole."""
        with self._engine.connect() as connection:
            known = find_trained(connection, self._run.model_name, self.fingerprint)
        if known is None or not _is_intact(known, self._models_directory):
            return None
        logger.info(
            "version %s was trained from the same inputs and is used again", known.version_id
        )
        return known

    def describe(self, version_id: str, record: dict[str, Any]) -> dict[str, Any]:
        """Return what the manifest says."""
        run, dataset, split = self._run, self._dataset, self._dataset.split
        last_date = str(dataset.dates[-1])
        from_scratch_until = last_date
        if self._base_files is not None:
            manifest = self._base_files.manifest
            from_scratch_until = manifest.get("from_scratch_until", manifest["last_date"])
        return {
            "version_id": version_id,
            "model_name": run.model_name,
            "run_id": run.run_id,
            "source": dataset.source,
            "simulated": dataset.source == "simulated",
            "dataset_id": dataset.dataset_id,
            "symbols": list(self.preprocessing.symbols),
            "missing_columns": {
                symbol: list(missing) for symbol, missing in dataset.missing_columns.items()
            },
            "first_date": str(dataset.dates[0]),
            "last_date": last_date,
            "last_trained_date": str(dataset.dates[split.train.stop - 1]),
            "last_fitted_date": str(dataset.dates[split.validation.stop - 1]),
            "from_scratch_until": from_scratch_until,
            "hyperparameters": hyperparameters(run.config),
            "training_record": record,
            "seed": run.config.seed,
            "code_revision": code_revision(),
        }


def training_fingerprint(
    model_name: str, dataset: Dataset, config: RunConfig, base: ModelVersion | None
) -> str:
    """Return a hash of everything that decides which weights a training gives."""
    facts: dict[str, Any] = {
        "training_revision": _TRAINING_REVISION,
        "model_name": model_name,
        "dataset": dataset.dataset_id,
        "hyperparameters": config.model_dump(mode="json", include=set(ModelConfig.model_fields)),
        "ensemble_size": config.ensemble_size,
    }
    # What the mode was decides nothing; what it led to does.
    if base is not None:
        facts["base"] = [base.version_id, base.checksum]
        facts["trainable_layers"] = config.trainable_layers
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _is_intact(version: ModelVersion, models_directory: DataPath) -> bool:
    try:
        open_version(version, models_directory)
    except RegistryError as error:
        logger.warning("version %s cannot be used again: %s", version.version_id, error)
        return False
    return True
