"""`make check-csv`: what a run would understand of a price file, without the run."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TextIO

from roi_local.command import run_command
from roi_local.errors import LocalError
from roi_local.price_files import print_price_files
from roi_local.run_parameters import CSV_VARIABLE, run_parameters


def check_csv(environment: Mapping[str, str], out: TextIO) -> None:
    """Print what is understood of the file or folder that CSV names.

    Args:
        environment: Holds CSV and CONF as for `make run`.
        out: Where to print.

    Raises:
        LocalError: CSV names nothing, or nothing of it is usable.
        ConfigError: A parameter in CONF is wrong.
        SourceError: The file or folder cannot be read.
    """
    if not environment.get(CSV_VARIABLE):
        raise LocalError("CSV: received nothing; name a file or folder: make check-csv CSV=path")
    print_price_files(run_parameters(environment), out)


if __name__ == "__main__":
    run_command("check-csv", lambda: check_csv(os.environ, sys.stdout))
