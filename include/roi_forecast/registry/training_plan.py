"""Whether a run's candidate is trained from nothing or continues from the champion."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Engine

from roi_forecast.config import NetworkConfig
from roi_forecast.data_path import DataPath
from roi_forecast.errors import DatasetError, RegistryError, TrainingError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.files.verified import VerifiedDirectory
from roi_forecast.registry.versions import ModelVersion, find_champion, open_version
from roi_forecast.runs.resolved_run import ResolvedRun

logger = logging.getLogger(__name__)

RETRAIN_EVERY_SESSIONS = 21
"""Sessions after which `training_mode` if_due trains from scratch again: about a month."""


@dataclass(frozen=True)
class TrainingPlan:
    """How the candidate of a run is trained.

    Attributes:
        members: Networks to train.
        base_version_id: The version that training continues from; None: from nothing.
    """

    members: int
    base_version_id: str | None


def plan_training(
    engine: Engine, run: ResolvedRun, dataset: Dataset, models_directory: DataPath
) -> TrainingPlan:
    """Decide by the run's `training_mode` what its candidate starts from.

    `scratch`: from nothing. `fine_tune`: from the champion. `if_due`: from nothing where no
    champion serves, where it does not fit the run, or where RETRAIN_EVERY_SESSIONS sessions or
    more of the dataset lie after the data of the last training from nothing that the champion
    descends from; else from the champion.

    Args:
        engine: Market database.
        run: The resolved run.
        dataset: What is to be trained on.
        models_directory: Folder of the registry.

    Raises:
        TrainingError: The mode is `fine_tune`, but there is no champion or it does not fit; names
            every difference.
        RegistryError: The mode is `fine_tune` and the champion's files are damaged.
    """
    config = run.config
    if config.training_mode == "scratch":
        return TrainingPlan(config.ensemble_size, None)
    with engine.connect() as connection:
        champion = find_champion(connection, run.model_name)
    if config.training_mode == "fine_tune":
        if champion is None:
            raise TrainingError(
                f"training_mode: received 'fine_tune', but no version serves under "
                f"{run.model_name!r}; set it to scratch or if_due for the first run"
            )
        differences = list(_differences(run, dataset, champion, models_directory))
        if differences:
            raise TrainingError(
                f"training cannot continue from champion {champion.version_id}: "
                f"{'; '.join(differences)}. Set training_mode to scratch or if_due"
            )
    else:
        reason = _reason_for_scratch(run, dataset, champion, models_directory)
        if reason is not None or champion is None:
            logger.info("training from nothing: %s", reason)
            return TrainingPlan(config.ensemble_size, None)
    logger.info("training continues from champion %s", champion.version_id)
    return TrainingPlan(config.ensemble_size, champion.version_id)


def _reason_for_scratch(
    run: ResolvedRun, dataset: Dataset, champion: ModelVersion | None, models_directory: DataPath
) -> str | None:
    if champion is None:
        return f"no version serves under {run.model_name!r} yet"
    try:
        differences = list(_differences(run, dataset, champion, models_directory))
        if differences:
            return f"champion {champion.version_id} does not fit: {'; '.join(differences)}"
        last = np.datetime64(
            _manifest(open_version(champion, models_directory))["from_scratch_until"]
        )
    except RegistryError as error:
        return f"champion {champion.version_id} cannot be gone on from: {error}"
    sessions = int((dataset.dates > last).sum())
    if sessions >= RETRAIN_EVERY_SESSIONS:
        return (
            f"{sessions} sessions since the data of the last training from nothing, which ended on "
            f"{last}; due after {RETRAIN_EVERY_SESSIONS}"
        )
    return None


def _differences(
    run: ResolvedRun, dataset: Dataset, champion: ModelVersion, models_directory: DataPath
) -> Iterator[str]:
    """Name everything that keeps the champion from being trained further on a dataset."""
    files = open_version(champion, models_directory)
    manifest = _manifest(files)
    if champion.last_date > run.as_of_date:
        yield f"its data reach to {champion.last_date}, past the as-of date {run.as_of_date}"
    if champion.source != dataset.source:
        yield f"its prices come from {champion.source}, the run's from {dataset.source}"
    try:
        preprocessing = Preprocessing.load(files)
    except DatasetError as error:
        raise RegistryError(str(error)) from error
    yield from preprocessing.differences(dataset)
    known = champion.hyperparameters
    names = NetworkConfig.model_fields
    network = NetworkConfig.model_validate({name: known[name] for name in names if name in known})
    for name in names:
        own, other = getattr(network, name), getattr(run.config, name)
        if own != other:
            yield f"{name} is {_plain(own)}, the run's is {_plain(other)}"
    members = known.get("ensemble_size", 1)
    if members != run.config.ensemble_size:
        yield f"ensemble_size is {members}, the run's is {run.config.ensemble_size}"
    yield from _seen_too_early(dataset, manifest)


def _seen_too_early(dataset: Dataset, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Name the parts of the split that hold rows the champion was trained or chosen on.

    What the champion learned lives on in what is trained further. So its training rows must end
    before this run's validation rows, and all it was fitted on before the test rows, each with the
    gap of the smoothing span that the parts of one split have too.
    """
    for part, key, verb in (
        ("validation", "last_trained_date", "trained"),
        ("test", "last_fitted_date", "trained or chosen"),
    ):
        last = manifest.get(key)
        if last is None:
            yield f"its manifest does not say up to which date it was {verb}"
            continue
        targets: range = getattr(dataset.split, part)
        seen = int(np.searchsorted(dataset.dates, np.datetime64(last), side="right"))
        if seen + dataset.smoothing > targets.start:
            yield (
                f"it was {verb} on rows up to {last}, too close to this run's {part} rows, which "
                f"begin on {dataset.dates[targets.start]}"
            )


def _manifest(files: VerifiedDirectory) -> dict[str, Any]:
    # A version of an older release was trained from nothing.
    return {"from_scratch_until": files.manifest["last_date"], **files.manifest}


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
