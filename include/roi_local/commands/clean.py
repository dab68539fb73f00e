"""`make clean`: delete everything that a local installation keeps."""

from __future__ import annotations

import os
import shutil
import sys

from roi_local.command import run_command
from roi_local.environment import RUN_PURPOSE, UP_PURPOSE, Home
from roi_local.errors import LocalError
from roi_local.postgres.server import is_postgres_in_use
from roi_local.private_files import hold_lock

YES_VARIABLE = "ROI_YES"


def delete_home(home: Home, *, confirmed: bool) -> int:
    """Delete the installation's folder, after asking.

    Args:
        home: The installation.
        confirmed: Whether the person has agreed.

    Raises:
        LocalError: The folder is in use, or nobody agreed.
    """
    if not home.directory.exists():
        print("There is no data to delete.")
        return 0
    with (
        hold_lock(home.lock(RUN_PURPOSE), "a `make run` is at work; its data stay"),
        hold_lock(home.lock(UP_PURPOSE), "the live stack is up; stop it with `make down` first"),
    ):
        if is_postgres_in_use(home.postgres_directory):
            raise LocalError("PostgreSQL is in use, perhaps by `make sql`; end that first")
        if not confirmed:
            _ask(home)
        shutil.rmtree(home.directory)
    print(f"Deleted {home.directory}")
    return 0


def _ask(home: Home) -> None:
    if not sys.stdin.isatty():
        raise LocalError(f"this deletes {home.directory} with all prices and models; add YES=1")
    answer = input(f"Delete {home.directory} with all prices, models and forecasts? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise LocalError("nothing was deleted")


if __name__ == "__main__":
    run_command(
        "clean",
        lambda: delete_home(
            Home.from_environment(), confirmed=os.environ.get(YES_VARIABLE) in ("1", "yes", "true")
        ),
    )
