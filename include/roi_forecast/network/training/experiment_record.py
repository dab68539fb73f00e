"""The facts that repeat a training: parameters, data, seeds, code, libraries, device."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from roi_forecast.config import CandidateConfig, ModelConfig, RunConfig
from roi_forecast.network.training.result import TrainingResult
from roi_forecast.settings import CODE_REVISION_VARIABLE

LIBRARIES = ("tensorflow", "keras", "numpy", "pandas", "scikit-learn", "exchange-calendars")
# The distribution that has a library in place of the one of its name.
_REPLACEMENTS = {"tensorflow": "tensorflow-cpu"}


def hyperparameters(config: RunConfig) -> dict[str, Any]:
    """Return every parameter of the network, its training and the ensemble, as JSON values."""
    names = {*ModelConfig.model_fields, *CandidateConfig.model_fields}
    return config.model_dump(mode="json", include=names)


def training_record(
    config: RunConfig, results: Sequence[TrainingResult], base_version_id: str | None
) -> dict[str, Any]:
    """Return how a candidate was trained, as JSON values.

    Args:
        config: The run's parameters.
        results: The finished trainings of its networks, in the order of their seeds.
        base_version_id: The version that training continued from, or None.
    """
    return {
        "parameters": config.model_dump(mode="json"),
        "base_version_id": base_version_id,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": library_versions(),
        "members": [
            {
                "seed": config.seed + number,
                "device": result.device,
                "epochs": result.epochs,
                "best_epoch": result.best_epoch,
                "seconds": dict(result.stage_seconds),
                "epoch_seconds": [round(record.seconds, 3) for record in result.history],
            }
            for number, result in enumerate(results)
        ],
    }


def library_versions() -> Mapping[str, str]:
    """Return the versions of the libraries that do the arithmetic of a training."""
    return {name: _version(name) for name in LIBRARIES}


def _version(library: str) -> str:
    for name in (library, _REPLACEMENTS.get(library, library)):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "not installed"


def code_revision() -> str:
    """Return the git revision of this code, marked where files were changed, or `unknown`.

    An image has no git; its environment names the revision.
    """
    named = os.environ.get(CODE_REVISION_VARIABLE)
    if named:
        return named
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return answer.stdout.strip() or "unknown"
