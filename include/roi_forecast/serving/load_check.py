"""Proving that a model loads and forecasts in a fresh process, without a GPU."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

from roi_forecast.data_path import parse_data_path
from roi_forecast.errors import RegistryError, RoiForecastError
from roi_forecast.files.verified import VerifiedDirectory, open_verified

logger = logging.getLogger(__name__)

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
    from roi_forecast.forecaster.forecaster import Forecaster

    directory, checksum = sys.argv[1:]
    try:
        files = open_verified(
            parse_data_path(directory), RegistryError, checksum=checksum, sealed=False
        )
        Forecaster.load(files).check_sample(files)
    except (RoiForecastError, OSError, ValueError, KeyError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
