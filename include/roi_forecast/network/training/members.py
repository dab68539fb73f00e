"""Where a version's networks lie: one in its folder, or an ensemble's in numbered folders."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from roi_forecast.network.training.result import MODEL_FILE


def member_directory(directory: Path, number: int, ensemble_size: int) -> Path:
    """Return the folder of a member, counted from 0; a single network lies in the version's own."""
    return directory if ensemble_size == 1 else directory / f"member_{number}"


def network_files(listed: Iterable[str]) -> tuple[str, ...]:
    """Return a version's networks among the files that its manifest lists, in order.

    There is none where the version has no network.

    Raises:
        ValueError: A number is missing, or there are both a single network and members.
    """
    names = set(listed)
    found = [re.fullmatch(rf"member_(\d+)/{re.escape(MODEL_FILE)}", name) for name in names]
    numbers = sorted(int(match[1]) for match in found if match)
    members = tuple(f"member_{number}/{MODEL_FILE}" for number in range(len(numbers)))
    if MODEL_FILE in names and not numbers:
        return (MODEL_FILE,)
    if MODEL_FILE in names or not names.issuperset(members):
        single = f" and {MODEL_FILE}" if MODEL_FILE in names else ""
        raise ValueError(f"received members {numbers}{single}; expected all from 0 on, or one file")
    return members


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
