"""Training a candidate for a run: the same data, configuration and seed are trained only once."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import subprocess
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, insert

from roi_forecast.artifacts import checksum, read_manifest, write_manifest
from roi_forecast.config import ModelConfig
from roi_forecast.database.tables import model_versions
from roi_forecast.errors import RegistryError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.model.versions import ModelVersion, find_trained, find_version
from roi_forecast.runs.resolved_run import ResolvedRun

logger = logging.getLogger(__name__)

# Part of every fingerprint: raise it when the same inputs would train to other weights.
_TRAINING_REVISION = 1


def train_candidate(
    engine: Engine, run: ResolvedRun, dataset: Dataset, models_directory: Path, *, now: datetime
) -> ModelVersion:
    """Train the run's candidate, or take the version that the same inputs gave before.

    Training is deterministic, so a second one of the same dataset, configuration and seed would
    only give the same weights again. An interrupted training goes on where it stopped.

    Args:
        engine: Market database.
        run: The resolved run.
        dataset: What to train on.
        models_directory: Folder of the registry.
        now: The present, with time zone; names the version.

    Raises:
        TrainingError: Training could not go on.
    """
    fingerprint = _fingerprint(run.model_name, dataset, run.config)
    with engine.connect() as connection:
        known = find_trained(connection, run.model_name, fingerprint)
    if known is not None and _is_intact(known, models_directory):
        logger.info(
            "version %s was trained from the same inputs and is used again", known.version_id
        )
        return known
    # TensorFlow loads for seconds: only a run that really trains waits for it.
    from roi_forecast.model.training import train_model

    path = candidate_path(run.model_name, run.run_id)
    directory = models_directory / path
    directory.mkdir(parents=True, exist_ok=True)
    train_model(dataset, run.config, directory)
    Preprocessing.of_dataset(dataset).save(directory)
    version_id = f"{now:%Y%m%dT%H%M%SZ}-{fingerprint[:8]}"
    description = _describe(version_id, run, dataset)
    digest = write_manifest(directory, description)
    with engine.begin() as connection:
        connection.execute(
            insert(model_versions).values(
                version_id=version_id,
                model_name=run.model_name,
                state="candidate",
                fingerprint=fingerprint,
                run_id=run.run_id,
                dataset_id=dataset.dataset_id,
                source=dataset.source,
                symbols=list(dataset.symbols),
                first_date=dataset.dates[0].item(),
                last_date=dataset.dates[-1].item(),
                hyperparameters=description["hyperparameters"],
                seed=run.config.seed,
                code_revision=description["code_revision"],
                path=path.as_posix(),
                checksum=digest,
            )
        )
        return find_version(connection, version_id)


def candidate_path(model_name: str, run_id: str) -> Path:
    """Return where a run's candidate lies, relative to the registry."""
    return Path(model_name, "candidates", re.sub(r"[^A-Za-z0-9_.-]", "_", run_id))


def code_revision() -> str:
    """Return the git revision of this code, marked where files were changed, or `unknown`."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return answer.stdout.strip() or "unknown"


def _hyperparameters(config: ModelConfig) -> dict[str, object]:
    return config.model_dump(mode="json", include=set(ModelConfig.model_fields))


def _fingerprint(model_name: str, dataset: Dataset, config: ModelConfig) -> str:
    facts = {
        "training_revision": _TRAINING_REVISION,
        "model_name": model_name,
        "dataset": dataset.dataset_id,
        "hyperparameters": _hyperparameters(config),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _is_intact(version: ModelVersion, models_directory: Path) -> bool:
    directory = version.directory(models_directory)
    try:
        read_manifest(directory, RegistryError)
    except RegistryError as error:
        logger.warning("version %s cannot be used again: %s", version.version_id, error)
        return False
    return checksum(directory / "manifest.json") == version.checksum


def _describe(version_id: str, run: ResolvedRun, dataset: Dataset) -> dict[str, object]:
    split = dataset.split
    return {
        "version_id": version_id,
        "model_name": run.model_name,
        "run_id": run.run_id,
        "source": dataset.source,
        "simulated": dataset.source == "simulated",
        "dataset_id": dataset.dataset_id,
        "symbols": list(dataset.symbols),
        "first_date": str(dataset.dates[0]),
        "last_date": str(dataset.dates[-1]),
        "last_fitted_date": str(dataset.dates[split.validation.stop - 1]),
        "hyperparameters": _hyperparameters(run.config),
        "seed": run.config.seed,
        "code_revision": code_revision(),
    }
