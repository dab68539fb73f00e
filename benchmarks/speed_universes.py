"""Section `scale` of `speed.py`: universes of many assets, stage by stage."""

from __future__ import annotations

import argparse
import json
import logging
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parents[1] / "include"))

from speed_database import market_database
from speed_scale import STAGES

from roi_forecast.database.engine import create_database_engine
from roi_local.postgres import EmbeddedPostgres

BENCHMARKS = Path(__file__).parent


def scale(arguments: argparse.Namespace) -> Iterator[str]:
    """Give the table of seconds and memory of each stage by the number of assets."""
    measured: dict[int, dict[str, dict[str, float]]] = {}
    views: dict[int, list[tuple[str, float]]] = {}
    for assets in arguments.assets:
        with market_database() as (server, directory):
            measured[assets] = {}
            for stage in STAGES:
                logging.info("%d assets: %s", assets, stage)
                command = [
                    sys.executable,
                    str(BENCHMARKS / "speed_scale.py"),
                    server.url("market"),
                    str(directory / "data"),
                    str(assets),
                    str(arguments.years),
                    stage,
                ]
                answer = subprocess.run(command, capture_output=True, text=True, check=False)
                if answer.returncode != 0:
                    logging.error("%s", answer.stderr[-2000:])
                    break
                measured[assets][stage] = json.loads(answer.stdout.splitlines()[-1])
            views[assets] = list(_view_times(server))
    sizes = list(measured)
    yield (
        f"Simulated assets x {arguments.years} years, the reference network, one epoch, each stage "
        "in a process of its own, its start-up included. Growth: the power of the number of assets "
        "that the time of the two largest universes grows by."
    )
    yield ""
    yield "| stage | " + " | ".join(f"{size} assets, s | MiB" for size in sizes) + " | growth |"
    yield "|---|" + "---|---|" * len(sizes) + "---|"
    for stage in STAGES:
        cells, times = [], []
        for size in sizes:
            figures = measured[size].get(stage)
            cells += (
                [f"{figures['seconds']:.1f}", f"{figures['peak_mib']:.0f}"]
                if figures
                else (["failed", ""])
            )
            times.append(figures["seconds"] if figures else math.nan)
        growth = (
            math.log(times[-1] / times[-2]) / math.log(sizes[-1] / sizes[-2])
            if len(sizes) > 1
            else math.nan
        )
        yield f"| {stage} | " + " | ".join(cells) + f" | {growth:.2f} |"
    yield ""
    yield "95th percentile of 40 answers of the views over these rows, milliseconds:"
    yield ""
    yield "| query | " + " | ".join(f"{size} assets" for size in sizes) + " |"
    yield "|---|" + "---|" * len(sizes)
    for number, (query, _) in enumerate(views[sizes[0]]):
        times = [views[size][number][1] for size in sizes]
        yield f"| `{query}` | " + " | ".join(f"{value:.1f}" for value in times) + " |"


def _view_times(server: EmbeddedPostgres) -> Iterator[tuple[str, float]]:
    engine = create_database_engine(server.url("market"))
    with engine.connect() as connection:
        for query in (
            "SELECT * FROM roi.latest_predictions",
            "SELECT * FROM roi.latest_predictions WHERE symbol = 'SIM00007.NS'",
            "SELECT * FROM roi.prediction_outcomes WHERE symbol = 'SIM00007.NS'",
            "SELECT * FROM roi.model_leaderboard",
            "SELECT * FROM roi.champion_history",
        ):
            times = []
            for _ in range(40):
                began = time.perf_counter()
                connection.execute(text(query)).all()
                times.append(1000 * (time.perf_counter() - began))
            yield query, float(np.quantile(times, 0.95))
    engine.dispose()
