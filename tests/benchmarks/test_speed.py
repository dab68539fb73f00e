"""The sections of the speed benchmark run to their end at tiny sizes and give whole tables."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from speed_upserts import upserts


def _cells(lines: list[str]) -> dict[str, list[str]]:
    """Return the rows of the Markdown tables among the lines, by their first cell."""
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows}


def test_upserts_write_new_and_restated_bars_and_leave_the_others() -> None:
    rows = _cells(list(upserts(argparse.Namespace(upsert_assets=2))))
    written = {name: rows[name][0] for name in ("new", "stored already", "all restated")}
    assert written == {"new": "5,000", "stored already": "0", "all restated": "5,000"}
