"""Section `scale` of `speed.py`: universes of many assets, stage by stage."""

from __future__ import annotations

import argparse
import json
import logging
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from speed_database import market_database
from speed_scale import STAGES

BENCHMARKS = Path(__file__).parent

Figures = dict[str, dict[str, float]]
"""By stage: `seconds`, `processor_seconds`, `peak_mib`."""


def scale(arguments: argparse.Namespace) -> Iterator[str]:
    """Give the table of seconds and memory of each stage by the number of assets."""
    measured = {assets: _measure(assets, arguments.years) for assets in arguments.assets}
    yield (
        f"Simulated assets x {arguments.years} years, the reference network trained for one epoch, "
        "which is enough to go the way of every stage and no more; each stage in a process of its "
        "own, its start-up included, and one task for all assets. Growth: the power of the number "
        "of assets by which processor time and peak memory of the two largest universes grow."
    )
    yield ""
    heads = (f"{size} assets: s | processor s | MiB" for size in measured)
    yield "| stage | " + " | ".join(heads) + " | growth of processor time | of memory |"
    yield "|---|" + "---|---|---|" * len(measured) + "---|---|"
    for stage in STAGES:
        cells = []
        for figures in measured.values():
            found = figures.get(stage)
            cells += (
                [
                    f"{found['seconds']:.1f}",
                    f"{found['processor_seconds']:.1f}",
                    f"{found['peak_mib']:.0f}",
                ]
                if found
                else ["not measured", "", ""]
            )
        growths = (_growth(measured, stage, name) for name in ("processor_seconds", "peak_mib"))
        yield f"| {stage} | " + " | ".join([*cells, *growths]) + " |"


def _measure(assets: int, years: int) -> Figures:
    """Carry out the stages of a universe in a database of its own, up to the first that fails."""
    figures: Figures = {}
    with market_database() as (server, directory):
        for stage in STAGES:
            logging.info("%d assets: %s", assets, stage)
            command = [
                sys.executable,
                str(BENCHMARKS / "speed_scale.py"),
                server.url("market"),
                str(directory / "data"),
                str(assets),
                str(years),
                stage,
            ]
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            if answer.returncode != 0:
                logging.error(
                    "%s ended with %d: %s", stage, answer.returncode, answer.stderr[-2000:]
                )
                break
            figures[stage] = json.loads(answer.stdout.splitlines()[-1])
    return figures


def _growth(measured: dict[int, Figures], stage: str, name: str) -> str:
    """Return the power of the number of assets by which a figure grows, or nothing."""
    known = [(size, each[stage][name]) for size, each in measured.items() if stage in each]
    if len(known) < 2:
        return ""
    (fewer, before), (more, after) = known[-2:]
    return f"{math.log(after / before) / math.log(more / fewer):.2f}"
