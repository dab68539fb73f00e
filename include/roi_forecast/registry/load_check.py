"""Proving that a model loads and forecasts in a fresh process, without a GPU."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from roi_forecast.artifacts import read_manifest
from roi_forecast.errors import RegistryError
from roi_forecast.evaluation.stored_evaluation import SAMPLE_FILE

logger = logging.getLogger(__name__)

# A GPU sums in another order than a CPU; in scaled units this is far below any forecast's error.
_TOLERANCE = 1e-3
_TIMEOUT_SECONDS = 300


def check_loads(directory: Path) -> None:
    """Load a version in a fresh process on the CPU and compare its forecast with the stored one.

    Raises:
        RegistryError: It does not load, forecasts something else, or takes too long.
    """
    command = [sys.executable, "-m", "roi_forecast.registry.load_check", str(directory)]
    # The package has to be found there too, wherever this process found it.
    library = str(Path(__file__).parents[2])
    search_path = os.pathsep.join(filter(None, [library, os.environ.get("PYTHONPATH", "")]))
    environment = {
        **os.environ,
        "PYTHONPATH": search_path,
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    try:
        answer = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RegistryError(
            f"{directory} did not load within {_TIMEOUT_SECONDS} s in a fresh process"
        ) from error
    if answer.returncode != 0:
        lines = (answer.stderr.strip() or answer.stdout.strip() or "no output").splitlines()
        raise RegistryError(f"{directory} fails in a fresh process: {lines[-1]}")
    logger.info("%s loads and forecasts the same in a fresh process", directory)


def main() -> None:
    """Check the directory named on the command line in this very process."""
    from roi_forecast.model.predictor import load_predictor

    directory = Path(sys.argv[1])
    try:
        read_manifest(directory, RegistryError)
        with np.load(directory / SAMPLE_FILE, allow_pickle=False) as sample:
            scaled, scaled_log_roi = sample["scaled"], sample["scaled_log_roi"]
            expected = sample["expected"]
        rows = len(scaled)
        found = load_predictor(directory).predict(scaled, scaled_log_roi, range(rows, rows + 1))
        difference = float(np.abs(found - expected).max())
        if not difference <= _TOLERANCE:
            raise RegistryError(
                f"its forecast differs from the stored one by {difference:.2g}, scaled; "
                f"allowed is {_TOLERANCE:g}"
            )
    except (RegistryError, OSError, ValueError, KeyError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
