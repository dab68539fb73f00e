"""`make backup` and `make restore`: a local installation into a folder, and back."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from roi_forecast.quoting import quoted
from roi_local.backup.installation import restore_installation, save_installation
from roi_local.command import run_command
from roi_local.environment import Home
from roi_local.errors import LocalError

OUT_VARIABLE = "ROI_OUT"
FROM_VARIABLE = "ROI_FROM"
YES_VARIABLE = "ROI_YES"


def save() -> None:
    """Write a backup into the folder that OUT names, or into one named by the time."""
    now = datetime.now(tz=UTC).strftime("%Y-%m-%dT%H%M%SZ")
    folder = Path(os.environ.get(OUT_VARIABLE) or f"roi-backup-{now}").expanduser()
    save_installation(Home.from_environment(), folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 1e6:.0f} MB; it contains the secrets of the installation")
    print(f"Restore it here or on another machine:  make restore FROM={folder}")


def restore() -> None:
    """Put the backup that FROM names in place of the installation, after asking.

    Raises:
        LocalError: FROM names no folder, or nobody agreed.
    """
    given = os.environ.get(FROM_VARIABLE, "")
    folder = Path(given).expanduser()
    if not given or not folder.is_dir():
        raise LocalError(
            f"FROM: received {quoted(given)}; name a folder that `make backup` has written"
        )
    home = Home.from_environment()
    restore_installation(home, folder, lambda: _ask(home, folder))
    print(f"{folder} is restored into {home.directory}")


def _ask(home: Home, folder: Path) -> None:
    if os.environ.get(YES_VARIABLE) in ("1", "yes", "true"):
        return
    if not sys.stdin.isatty():
        raise LocalError(
            f"this replaces all prices, models and forecasts in {home.directory} by {folder}; "
            "add YES=1"
        )
    answer = input(
        f"Replace all prices, models and forecasts in {home.directory} by {folder}? [y/N] "
    )
    if answer.strip().lower() not in ("y", "yes"):
        raise LocalError("nothing was restored")


if __name__ == "__main__":
    run_command(*{"save": ("backup", save), "restore": ("restore", restore)}[sys.argv[1]])
