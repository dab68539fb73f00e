"""The section `start-up` of `speed.py`: what a process costs before it works."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from reference_data import REPOSITORY

BENCHMARKS = Path(__file__).parent
PROCESSES = {
    "nothing (Python itself)": "pass",
    "`import tensorflow`": "import tensorflow",
    "resolve_run": "import roi_forecast.planning.resolve",
    "extract_prices": (
        "import roi_forecast.market.extraction, roi_forecast.market.sources.simulated"
    ),
    "check_prices": "import roi_forecast.market.checks.price_checks",
    "build_dataset": "import roi_forecast.features.build",
    "train_model": "import roi_forecast.network.training.train",
    "evaluate_model": "import roi_forecast.evaluation.evaluate",
    "decide_promotion": "import roi_forecast.gate.decide",
    "promote_model": "import roi_forecast.serving.promotion",
    "forecast": "import roi_forecast.serving.forecast_store",
    "Airflow alone": "import airflow.sdk",
    **{
        f"Airflow, and parsing {file.name}": (
            f"import airflow.sdk, runpy; runpy.run_path({str(file)!r})"
        )
        for file in sorted((REPOSITORY / "dags").glob("*.py"))
    },
}
"""What each process does before it works."""


def start_up(arguments: argparse.Namespace) -> Iterator[str]:
    """Give the table of what a process costs before it works."""
    yield (
        f"Medians of {arguments.processes} fresh processes each, files cached; peak memory of the "
        "process. A DAG file costs what it takes beyond Airflow alone."
    )
    yield ""
    yield "| process | seconds | processor s | peak MiB |"
    yield "|---|---|---|---|"
    for name, statement in PROCESSES.items():
        program = (
            "import time; began, used = time.perf_counter(), time.process_time()\n"
            f"{statement}\n"
            "seconds = time.perf_counter() - began, time.process_time() - used\n"
            f"import sys; sys.path.append({str(BENCHMARKS)!r}); import peak_memory\n"
            "print(*seconds, peak_memory.peak_mib())"
        )
        figures = []
        for _ in range(arguments.processes):
            answer = subprocess.run(
                [sys.executable, "-c", program],
                capture_output=True,
                text=True,
                check=True,
            )
            figures.append([float(value) for value in answer.stdout.splitlines()[-1].split()])
        wall, used, peak = np.median(figures, axis=0)
        yield f"| {name} | {wall:.2f} | {used:.2f} | {peak:.0f} |"
