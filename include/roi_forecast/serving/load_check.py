"""Proving that a model loads and forecasts in a fresh process, without a GPU."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from roi_forecast.errors import RegistryError
from roi_forecast.evaluation.stored_evaluation import SAMPLE_FILE
from roi_forecast.files.arrays import read_arrays
from roi_forecast.files.verified import VerifiedDirectory, open_verified

logger = logging.getLogger(__name__)

# A GPU sums in another order than a CPU; in scaled units this is far below any forecast's error.
_TOLERANCE = 1e-3
_TIMEOUT_SECONDS = 300


def check_loads(files: VerifiedDirectory) -> None:
    """Load a version in a fresh process on the CPU and compare its forecast with the stored one.

    Args:
        files: The version's; the process reads them again, by the same manifest.

    Raises:
        RegistryError: It does not load, forecasts something else, or takes too long.
    """
    directory = files.directory
    module = "roi_forecast.serving.load_check"
    # With -I the process takes no setting of Python's and no module of the current folder.
    command = [sys.executable, "-I", "-m", module, str(directory), files.checksum]
    environment = {
        **os.environ,
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
    """Check the directory with the manifest named on the command line in this very process."""
    from roi_forecast.network.predictor import load_predictor

    directory, checksum = sys.argv[1:]
    try:
        files = open_verified(Path(directory), RegistryError, checksum=checksum, sealed=False)
        sample: dict[str, Any] = read_arrays(files.read(SAMPLE_FILE))
        scaled, scaled_log_roi = sample["scaled"], sample["scaled_log_roi"]
        expected = sample["expected"]
        rows = len(scaled)
        found = load_predictor(files).predict(scaled, scaled_log_roi, range(rows, rows + 1))
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
