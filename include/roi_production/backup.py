"""Backup and restore of the market database with its models and datasets.

`python -m roi_production.backup save FOLDER` and `… restore FOLDER`, with the environment of the
job init. Airflow's own database holds the history of tasks only.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from roi_forecast.settings import DATABASE_URL_VARIABLE, Settings
from roi_local.backup.market import open_backup, restore_backup, save_backup
from roi_local.command import run_command
from roi_local.errors import LocalError
from roi_production.settings import OWNER_URL_VARIABLE


def _main() -> None:
    logging.getLogger("roi_local").setLevel(logging.INFO)
    if len(sys.argv) != 3 or sys.argv[1] not in ("save", "restore"):
        raise LocalError(f"received {sys.argv[1:]}; expected save FOLDER or restore FOLDER")
    owner = os.environ.get(OWNER_URL_VARIABLE)
    if owner:
        os.environ[DATABASE_URL_VARIABLE] = owner
    settings, folder = Settings.from_environment(), Path(sys.argv[2])
    if sys.argv[1] == "save":
        save_backup(settings, folder)
    else:
        restore_backup(settings, open_backup(folder))


if __name__ == "__main__":
    run_command("backup", _main)
