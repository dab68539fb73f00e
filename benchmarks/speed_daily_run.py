"""The section `daily-run` of `speed.py`: whole daily runs by stage, in one process and live."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from free_port import free_port
from reference_data import REPOSITORY

ALONE = {"first day": "2024-12-26", "next day": "2024-12-27"}
LIVE = {"live, the day after": "2024-12-30", "live, warm": "2024-12-31"}


def daily_run(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield the stages of daily runs of one installation: by `make run` alone, and live."""
    with tempfile.TemporaryDirectory(prefix="roi-speed-") as home:
        environment = {
            **os.environ,
            "ROI_HOME": home,
            "ROI_SOURCE": "simulated",
            "ROI_PORT": str(free_port()),
        }
        columns = {name: _run(day, environment, arguments.timeout) for name, day in ALONE.items()}
        with live_airflow(environment, Path(home)):
            for name, day in LIVE.items():
                columns[name] = _run(day, environment, arguments.timeout)
    yield (
        "The 23 reference assets of the simulated market, 2.5 years, the default network and its "
        "early stopping: `make run` with an empty database and for the next day, then two more "
        "days by `make run` while `make up` runs. Live, a stage's time runs from the start of its "
        "first task to the end of its last; everything counts the wait for the scheduler too."
    )
    yield ""
    yield "| stage | " + " | ".join(f"{name}, s" for name in columns) + " |"
    yield "|---|" + "---|" * len(columns)
    for stage in dict.fromkeys(stage for column in columns.values() for stage in column):
        figures = (column.get(stage, "") for column in columns.values())
        yield f"| {stage} | " + " | ".join(figures) + " |"


def _run(day: str, environment: Mapping[str, str], timeout: float) -> dict[str, str]:
    conf = {"as_of_date": day, "min_sessions_between_promotions": 1}
    answer = subprocess.run(
        [sys.executable, "-m", "roi_local.commands.run"],
        cwd=REPOSITORY,
        env={**environment, "ROI_CONF": json.dumps(conf)},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    if answer.returncode:
        output = answer.stdout[-2000:] + answer.stderr
        raise SystemExit(f"the daily run for {day} failed:\n{output}")
    _, _, times = answer.stdout.partition("Time per stage, in seconds:")
    return dict(re.findall(r"^  (\S.*?) +([\d.]+)$", times, re.MULTILINE))


@contextmanager
def live_airflow(environment: Mapping[str, str], home: Path) -> Iterator[int]:
    """Run `make up` for the block; give its process id, once Airflow is up."""
    log = home / "up.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "roi_local.commands.up"],
            cwd=REPOSITORY,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while "Airflow is up" not in log.read_text(encoding="utf-8"):
                if process.poll() is not None:
                    raise SystemExit(f"make up ended:\n{log.read_text(encoding='utf-8')[-2000:]}")
                time.sleep(0.5)
            yield process.pid
        finally:
            process.terminate()
            process.wait()
