"""How long training, start-up, stages and storing take, beside their peers.

    python benchmarks/speed.py [--sections steps start-up upserts scale daily-run]

Prints every table and writes them to benchmarks/speed.md. The section `steps` installs PyTorch into
an environment of its own below .roi/benchmarks, 5 GB; ROI_TORCH_PYTHON names a Python that has it.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parents[1] / "include"))

from reference_data import REPOSITORY, describe_machine
from speed_scale import STAGES

from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.migrate import migrate
from roi_forecast.market.store import register_assets, upsert_bars
from roi_forecast.universe import load_universe
from roi_local.postgres import EmbeddedPostgres, start_postgres

BENCHMARKS = Path(__file__).parent
RESULT = BENCHMARKS / "speed.md"
TORCH = "2.14.1"
ROUNDS = 15
KINDS = {
    "keras": "stock Keras layers",
    "fused": "the fused LSTM kernel alone",
    "project": "this project: also attention multiplied out, half of the cores for an operation",
    "torch": f"PyTorch {TORCH}",
}


def training_steps(arguments: argparse.Namespace) -> Iterator[str]:
    """Give the table of a training step's time: interleaved rounds of all kinds."""
    workers = {}
    for kind in KINDS:
        python = _torch_python() if kind == "torch" else sys.executable
        command = [python, str(BENCHMARKS / "speed_steps.py"), kind]
        workers[kind] = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    first = {kind: _answer(worker, "") for kind, worker in workers.items()}
    rounds: dict[str, list[tuple[float, ...]]] = {kind: [] for kind in KINDS}
    for _ in range(arguments.rounds):
        for kind, worker in workers.items():
            wall, used = _answer(worker, "go\n").split()
            rounds[kind].append((float(wall), float(used)))
    for worker in workers.values():
        worker.communicate()
    wall = {kind: statistics.median(each[0] for each in rounds[kind]) for kind in KINDS}
    used = {kind: statistics.median(each[1] for each in rounds[kind]) for kind in KINDS}
    yield (
        f"Reference network, batch 32, windows of 60 x 23: medians of {arguments.rounds} rounds of "
        "20 steps, the kinds taking turns. Processor time counts all threads: it says more than "
        "wall time where other work shares the machine."
    )
    yield ""
    yield "| kind | ms a step | of stock Keras | of PyTorch | processor ms | of stock Keras | of PyTorch | first 20 steps, s |"  # noqa: E501
    yield "|---|---|---|---|---|---|---|---|"
    for kind, name in KINDS.items():
        yield (
            f"| {name} | {wall[kind]:.1f} | {wall[kind] / wall['keras']:.2f} | "
            f"{wall[kind] / wall['torch']:.2f} | {used[kind]:.1f} | "
            f"{used[kind] / used['keras']:.2f} | {used[kind] / used['torch']:.2f} | "
            f"{first[kind].removeprefix('ready ')} |"
        )


def _answer(worker: subprocess.Popen[str], question: str) -> str:
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(question)
    worker.stdin.flush()
    answer = worker.stdout.readline().strip()
    if not answer:
        raise SystemExit(f"{shlex.join(map(str, worker.args))} ended without an answer")
    return answer


def _torch_python() -> str:
    given = os.environ.get("ROI_TORCH_PYTHON")
    if given:
        return given
    directory = REPOSITORY / ".roi" / "benchmarks" / f"torch-{TORCH}"
    python = directory / "bin" / "python"
    if not (directory / "installed").exists():
        logging.info("installing PyTorch %s into %s", TORCH, directory)
        subprocess.run([sys.executable, "-m", "venv", "--clear", directory], check=True)
        install = [python, "-m", "pip", "install", "--quiet", f"torch=={TORCH}", "numpy"]
        subprocess.run(install, check=True)
        (directory / "installed").touch()
    return str(python)


def start_up(arguments: argparse.Namespace) -> Iterator[str]:
    """Give the table of what a process costs before it works."""
    del arguments
    stages = {
        "nothing (Python itself)": "pass",
        "`import tensorflow`": "import tensorflow",
        "resolve_run": "import roi_forecast.runs.resolve",
        "extract_prices": "import roi_forecast.market.extraction, roi_forecast.market.simulated",
        "check_prices": "import roi_forecast.market.checks",
        "build_dataset": "import roi_forecast.features.build",
        "train_model": "import roi_forecast.model.training",
        "evaluate_model": "import roi_forecast.evaluation.evaluate",
        "decide_promotion": "import roi_forecast.evaluation.decide",
        "promote_model": "import roi_forecast.registry.promotion",
        "forecast": "import roi_forecast.forecasts.next_session",
        "Airflow alone": "import airflow.sdk",
    }
    for file in sorted((REPOSITORY / "dags").glob("*.py")):
        stages[f"Airflow, and parsing {file.name}"] = (
            f"import airflow.sdk, runpy; runpy.run_path({str(file)!r})"
        )
    yield "Medians of 3 fresh processes each, files cached; peak memory of the process."
    yield ""
    yield "| process | seconds | processor s | peak MiB |"
    yield "|---|---|---|---|"
    for name, statement in stages.items():
        program = (
            "import resource, time; began, used = time.perf_counter(), time.process_time()\n"
            f"{statement}\n"
            "print(time.perf_counter() - began, time.process_time() - used, "
            "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
        )
        figures = []
        for _ in range(3):
            answer = subprocess.run(
                [sys.executable, "-c", program],
                env={**os.environ, "PYTHONPATH": str(REPOSITORY / "include")},
                capture_output=True,
                text=True,
                check=True,
            )
            figures.append([float(value) for value in answer.stdout.splitlines()[-1].split()])
        wall, used, peak = np.median(figures, axis=0)
        yield f"| {name} | {wall:.2f} | {used:.2f} | {peak:.0f} |"


def upserts(arguments: argparse.Namespace) -> Iterator[str]:
    """Give the table of rows stored a second."""
    del arguments
    assets, sessions = 200, 2500
    symbols = [f"SIM{number:05}.NS" for number in range(assets)]
    generator = np.random.default_rng(0)
    bars = pd.DataFrame(
        {
            "symbol": np.repeat(symbols, sessions),
            "trading_date": np.tile(pd.bdate_range("2015-01-01", periods=sessions), assets),
        }
    )
    for name in ("open", "high", "low", "close", "adj_close"):
        bars[name] = 100 + generator.random(len(bars))
    bars["high"], bars["low"] = bars["open"] + 1, bars["open"] - 1
    bars["close"] = bars["open"]
    bars["volume"] = generator.integers(0, 10**7, len(bars))
    with _market() as (server, _):
        engine = create_database_engine(server.url("market"))
        with engine.begin() as connection:
            register_assets(connection, load_universe().select(symbols))
        yield f"{len(bars):,} daily bars of {assets} assets in one call of `upsert_bars`."
        yield ""
        yield "| bars | rows written | seconds | rows a second |"
        yield "|---|---|---|---|"
        for name in ("new", "stored already", "all restated"):
            if name == "all restated":
                bars["adj_close"] += 1
            began = time.perf_counter()
            with engine.begin() as connection:
                changed = upsert_bars(connection, "simulated", bars)
            seconds = time.perf_counter() - began
            yield f"| {name} | {changed:,} | {seconds:.2f} | {len(bars) / seconds:,.0f} |"
        engine.dispose()


def scale(arguments: argparse.Namespace) -> Iterator[str]:
    """Give the table of seconds and memory of each stage by the number of assets."""
    measured: dict[int, dict[str, dict[str, float]]] = {}
    views: dict[int, list[tuple[str, float]]] = {}
    for assets in arguments.assets:
        with _market() as (server, directory):
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


def daily_run(arguments: argparse.Namespace) -> Iterator[str]:
    """Give the stages of a first run and of the next day's by `make run`."""
    with tempfile.TemporaryDirectory(prefix="roi-speed-") as home:
        columns = []
        for day in ("2024-12-26", "2024-12-27"):
            conf = {"as_of_date": day, "min_sessions_between_promotions": 1}
            began = time.perf_counter()
            answer = subprocess.run(
                [sys.executable, "-m", "roi_local.run"],
                cwd=REPOSITORY,
                env={
                    **os.environ,
                    "PYTHONPATH": str(REPOSITORY / "include"),
                    "ROI_HOME": home,
                    "ROI_SOURCE": "simulated",
                    "ROI_CONF": json.dumps(conf),
                },
                capture_output=True,
                text=True,
                timeout=arguments.timeout,
                check=True,
            )
            found = re.findall(r"^(\w+) .*done in ([\d.]+) s", answer.stdout, re.MULTILINE)
            columns.append({**dict(found), "everything": f"{time.perf_counter() - began:.1f}"})
    yield (
        "`make run` with the 23 reference assets of the simulated market, 2.5 years, the default "
        "network and its early stopping: a first day with an empty database, and the next day."
    )
    yield ""
    yield "| stage | first day, s | next day, s |"
    yield "|---|---|---|"
    for stage in dict.fromkeys([*columns[0], *columns[1]]):
        yield f"| {stage} | {columns[0].get(stage, '')} | {columns[1].get(stage, '')} |"


@contextmanager
def _market() -> Iterator[tuple[EmbeddedPostgres, Path]]:
    with tempfile.TemporaryDirectory(prefix="roi-speed-") as directory:
        path = Path(directory)
        # PostgreSQL's own user has to reach its folder.
        path.chmod(0o755)
        with start_postgres(path / "postgres") as server:
            server.create_database("market")
            migrate(server.url("market"))
            yield server, path


# A further subject is one more entry here: its title and a function that gives lines of Markdown.
SECTIONS: dict[str, tuple[str, Callable[[argparse.Namespace], Iterator[str]]]] = {
    "steps": ("A training step", training_steps),
    "start-up": ("Start-up", start_up),
    "upserts": ("Storing prices", upserts),
    "scale": ("Universes of many assets", scale),
    "daily-run": ("A whole daily run", daily_run),
}


def main() -> None:
    """Run the benchmark; what earlier runs wrote of other sections stays."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    for name in arguments.sections:
        title, measure = SECTIONS[name]
        logging.info("section %s", name)
        began = time.perf_counter()
        lines = [f"## {title}", "", *measure(arguments)]
        lines += ["", _facts(name, arguments, time.perf_counter() - began)]
        print("\n".join(lines), flush=True)
        _write(arguments.output, title, lines)


def _write(path: Path, title: str, lines: list[str]) -> None:
    content = path.read_text(encoding="utf-8") if path.exists() else "# Speed\n"
    head, *parts = re.split(r"^(?=## )", content, flags=re.MULTILINE)
    sections = {part.splitlines()[0].removeprefix("## "): part.rstrip() for part in parts}
    sections[title] = "\n".join(lines)
    path.write_text("\n\n".join([head.rstrip(), *sections.values()]) + "\n", encoding="utf-8")


def _facts(name: str, arguments: argparse.Namespace, seconds: float) -> str:
    told = ["python", "benchmarks/speed.py", "--sections", name]
    told += [f"--rounds={arguments.rounds}"] if name == "steps" else []
    if name == "scale":
        told += ["--assets", *map(str, arguments.assets), f"--years={arguments.years}"]
    versions = ", ".join(f"{each} {version(each)}" for each in ("tensorflow", "keras", "numpy"))
    load = os.getloadavg()
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} in {seconds:.0f} s on {describe_machine()}, "
        f"{versions}; load average at the end {load[0]:.1f}. Command: `{shlex.join(told)}`; "
        "`make benchmark-speed` gives all sections."
    )


def _arguments() -> argparse.Namespace:
    wanted = os.environ.get("ROI_SECTIONS", "").split() or list(SECTIONS)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=wanted)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--assets", nargs="+", type=int, default=[23, 500, 5000])
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--timeout", type=float, default=1800.0, help="of one daily run, seconds")
    parser.add_argument("--output", type=Path, default=RESULT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
