"""Section `scale` of `speed.py`: daily runs of many assets through the DAG, stage by stage."""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from free_port import free_port
from process_tree import Usage, sampled
from reference_data import REPOSITORY
from speed_daily_run import live_airflow

from roi_forecast.universe import load_universe
from roi_forecast.universe.declarations import UNIVERSE_FILE
from roi_local.environment import RUN_PURPOSE, UP_PURPOSE, Home
from roi_local.run_progress.events import Event
from roi_local.run_progress.followed_run import FollowedRun

END = date(2024, 12, 27)
ODD_SYMBOLS = ("LISTED2026.NS", "DELISTED2020.NS", "WRONGBAR2024.NS")
"""No bar before the as-of date; none since 2020; one bar of ten times the price."""


@dataclass(frozen=True)
class MeasuredRun:
    """A whole daily run.

    Attributes:
        seconds: From the command's start to its end.
        stages: Of each stage seconds, processor seconds and peak memory in MiB.
        usage: Of all processes.
        database_mib: Size of the files of both databases.
    """

    seconds: float
    stages: Mapping[str, tuple[float, float, float]]
    usage: Usage
    database_mib: float


def scale(arguments: argparse.Namespace) -> Iterator[str]:
    """Give the table of time and memory of each stage by the number of assets."""
    measured = {
        f"{size} assets, {'live' if live else 'alone'}": measure_run(
            size, arguments.years, arguments.timeout, arguments.conf, live=live
        )
        for size in arguments.assets
        for live in (False, True)
    }
    yield (
        f"A daily run of simulated assets x {arguments.years} years into an empty database, with "
        "the default parameters: by `make run` alone, and by `make run` while `make up` runs. One "
        "asset has no bar, one none since 2020, and one a wrong bar. Seconds, processor seconds "
        "and MiB of all processes, PostgreSQL's among them: the sum of their proportional set "
        "sizes, looked up each half second. Live, the scheduler and the servers of `make up` count "
        "too."
    )
    yield ""
    yield "| stage | " + " | ".join(f"{name}: s | processor s | MiB" for name in measured) + " |"
    yield "|---|" + "---|---|---|" * len(measured)
    names = dict.fromkeys(stage for run in measured.values() for stage in run.stages)
    for stage in names:
        yield (
            f"| {stage} | "
            + " | ".join(_cells(run.stages.get(stage)) for run in measured.values())
            + " |"
        )
    whole = (
        _cells((run.seconds, run.usage.processor_seconds(), run.usage.peak_mib()))
        for run in measured.values()
    )
    yield "| everything | " + " | ".join(whole) + " |"
    yield ""
    for name, run in measured.items():
        yield f"- {name}: {run.database_mib:.0f} MiB in PostgreSQL's folder at the end."


def measure_run(
    assets: int, years: int, timeout: float, conf: Mapping[str, object], *, live: bool
) -> MeasuredRun:
    """Carry a daily run of a universe out in a new installation, and measure it."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="roi-speed-")))
        # PostgreSQL's own user has to reach its folder.
        directory.chmod(0o755)
        home = Home(directory / "home")
        environment = {
            **os.environ,
            "ROI_HOME": str(home.directory),
            "ROI_UNIVERSE": str(write_universe(directory / "universe.toml", assets)),
            "ROI_SOURCE": "simulated",
            "ROI_PORT": str(free_port()),
            "ROI_CONF": json.dumps({**parameters(years), **conf}),
        }
        roots, purpose = [], RUN_PURPOSE
        if live:
            roots, purpose = [stack.enter_context(live_airflow(environment, directory))], UP_PURPOSE
        logging.info("%d assets x %d years, %s", assets, years, "live" if live else "alone")
        began = time.time()
        with (directory / "output").open("w+", encoding="utf-8") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "roi_local.commands.run"],
                cwd=REPOSITORY,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            with sampled([process.pid, *roots], home.postgres_directory) as usage:
                failed = process.wait(timeout)
            seconds = time.time() - began
            output.seek(0)
            printed = output.read()
        logging.info("%s", printed)
        if failed:
            raise SystemExit(f"the run of {assets} assets failed:\n{printed[-4000:]}")
        stages = dict(_stages(home.events_file(purpose), usage))
        return MeasuredRun(seconds, stages, usage, _mib_of(home.postgres_directory))


def write_universe(path: Path, assets: int) -> Path:
    """Write a universe file of simulated assets, three of which are odd, with the usual context."""
    ordinary = [f"SIM{number:05}.NS" for number in range(assets - len(ODD_SYMBOLS))]
    entries = [f'[[assets]]\nsymbol = "{symbol}"\n' for symbol in (*ordinary, *ODD_SYMBOLS)]
    context = load_universe(UNIVERSE_FILE).context
    entries += [f'[[context]]\nsymbol = "{asset.symbol}"\n' for asset in context]
    path.write_text("\n".join(entries), encoding="utf-8")
    return path


def parameters(years: int) -> dict[str, object]:
    """Return the parameters of a run."""
    start = END - timedelta(days=round(365.25 * years))
    return {"start_date": str(start), "as_of_date": str(END)}


def _stages(events: Path, usage: Usage) -> Iterator[tuple[str, tuple[float, float, float]]]:
    run = FollowedRun()
    with events.open(encoding="utf-8") as lines:
        for line in lines:
            run.add(Event.model_validate_json(line))
    for task in run.tasks:
        starts = [each.started_at.timestamp() for each in task.instances if each.started_at]
        ends = [each.ended_at.timestamp() for each in task.instances if each.ended_at]
        if task.seconds is not None:
            window = (min(starts), max(ends))
            used = usage.processor_seconds(*window)
            yield task.task_id, (task.seconds, used, usage.peak_mib(*window))


def _mib_of(directory: Path) -> float:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()) / 2**20


def _cells(figures: tuple[float, float, float] | None) -> str:
    if figures is None:
        return " | | "
    seconds, processor_seconds, mib = figures
    return f"{seconds:.1f} | {processor_seconds:.1f} | {mib:.0f}"
