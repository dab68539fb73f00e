"""How long training, start-up, stages and storing take, beside their peers.

    python benchmarks/speed.py [--sections first-minutes steps ...]

Prints every table and writes them to benchmarks/speed.md. The section `steps` installs PyTorch into
an environment of its own below .roi/benchmarks, 5 GB; ROI_TORCH_PYTHON names a Python that has it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from output_file import output_file
from reference_data import REPOSITORY, describe_machine
from speed_api import api
from speed_daily_run import daily_run
from speed_first_minutes import first_minutes
from speed_startup import start_up
from speed_universes import scale
from speed_upserts import upserts
from speed_views import views

from roi_forecast.files.artifacts import write_file

BENCHMARKS = Path(__file__).parent
RESULT = BENCHMARKS / "speed.md"
TORCH = "2.14.1"
ROUNDS = 15
KINDS = {
    "keras": "stock Keras layers",
    "fused": "the fused LSTM kernel alone",
    "project": "this project: also attention multiplied out, AdamW in one kernel, half of the "
    "cores, 32 steps a call, freed memory kept",
    "torch": "PyTorch",
}


def training_steps(arguments: argparse.Namespace) -> Iterator[str]:
    """Give the table of a training step's time: interleaved rounds of all kinds."""
    workers = {}
    names = dict(KINDS)
    for kind in KINDS:
        python = sys.executable
        if kind == "torch":
            python = _torch_python()
            ask = [python, "-c", "import torch; print(torch.__version__)"]
            names[kind] += " " + subprocess.check_output(ask, text=True).strip()
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
        "5 epochs of 20 steps, the kinds taking turns. Processor time counts all threads: it says "
        "more than wall time where other work shares the machine. Keras' layers and the fused "
        "kernel alone run by the defaults of Keras and TensorFlow."
    )
    yield ""
    yield "| kind | ms a step | of stock Keras | of PyTorch | processor ms | of stock Keras | of PyTorch | first 5 epochs, s |"  # noqa: E501
    yield "|---|---|---|---|---|---|---|---|"
    for kind, name in names.items():
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


# A further subject is one more entry here: its title and a function that gives lines of Markdown.
SECTIONS: dict[str, tuple[str, Callable[[argparse.Namespace], Iterator[str]]]] = {
    "first-minutes": ("The first minutes", first_minutes),
    "steps": ("A training step", training_steps),
    "start-up": ("Start-up", start_up),
    "upserts": ("Storing prices", upserts),
    "scale": ("Universes of many assets", scale),
    "views": ("SQL views over years of forecasts", views),
    "api": ("REST API and pages over years of forecasts", api),
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
    write_file(path, ("\n\n".join([head.rstrip(), *sections.values()]) + "\n").encode())


def _facts(name: str, arguments: argparse.Namespace, seconds: float) -> str:
    told = ["python", "benchmarks/speed.py", "--sections", name]
    told += [f"--rounds={arguments.rounds}"] if name == "steps" else []
    if name in ("scale", "views", "api"):
        told += ["--assets", *map(str, arguments.assets)]
    told += [f"--years={arguments.years}"] if name == "scale" else []
    told += [f"--conf={json.dumps(arguments.conf)}"] if name == "scale" and arguments.conf else []
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
    parser.add_argument("--conf", type=json.loads, default={}, help="run parameters of `scale`")
    parser.add_argument("--upsert-assets", type=int, default=200)
    parser.add_argument("--processes", type=int, default=3, help="of each kind for start-up")
    parser.add_argument("--sessions", type=int, default=750, help="of the planted forecasts")
    parser.add_argument(
        "--times", type=int, default=40, help="answers of each SQL query and request"
    )
    parser.add_argument("--timeout", type=float, default=1800.0, help="of one daily run, seconds")
    parser.add_argument("--output", type=output_file, default=RESULT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
