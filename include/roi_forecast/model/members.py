"""Where a version's networks lie: one in its folder, or an ensemble's in numbered folders."""

from __future__ import annotations

from pathlib import Path

from roi_forecast.model.training_result import MODEL_FILE


def member_directory(directory: Path, number: int, ensemble_size: int) -> Path:
    """Return the folder of a member, counted from 0; a single network lies in the version's own."""
    return directory if ensemble_size == 1 else directory / f"member_{number}"


def find_members(directory: Path) -> tuple[Path, ...]:
    """Return the folders of a version's networks in the order of their numbers.

    There is none where the version has no network. A gap in the numbers is an incomplete version
    and gives the folder without a file too, so that whoever opens it notices.
    """
    if (directory / MODEL_FILE).is_file():
        return (directory,)
    numbers = [
        int(path.parent.name.removeprefix("member_"))
        for path in directory.glob(f"member_*/{MODEL_FILE}")
    ]
    size = max(numbers, default=-1) + 1
    return tuple(directory / f"member_{number}" for number in range(size))
