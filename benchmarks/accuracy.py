"""How good the model, the intervals and the next-day forecasts are, beside their peers.

    python benchmarks/accuracy.py [PRICES] [--sections model intervals next-day horizons]

Trains and walks forward through real daily prices, prints every table and writes them to
benchmarks/accuracy.md.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
from horizon_accuracy import horizon_tables
from interval_accuracy import interval_tables
from network_accuracy import network_tables
from next_day_accuracy import network_walk, skill_table
from output_file import output_file
from reference_data import (
    REPOSITORY,
    STAND_IN,
    describe_machine,
    load_dataset,
    prices_path,
    reference_symbols,
)

from roi_forecast.backtest.walk_forward import WalkForward, walk_forward
from roi_forecast.features.dataset import Dataset
from roi_forecast.files.artifacts import write_file
from roi_forecast.forecaster.expanding_scale import REFIT_EVERY

RESULT = REPOSITORY / "benchmarks" / "accuracy.md"
DEFAULTS = {"start": date(2020, 10, 1), "first": date(2021, 12, 1), "last": date(2024, 12, 31)}


class Benchmark:
    """The prices that are measured on; what several sections need is computed once.

    Args:
        arguments: Path of the prices, symbols, first date of the rows and of the targets, last
            date.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.prices: Path = arguments.prices
        self.first: date = arguments.first
        self._arguments = arguments

    @cached_property
    def dataset(self) -> Dataset:
        """The rows that are walked through."""
        arguments = self._arguments
        return load_dataset(self.prices, arguments.symbols, arguments.start, arguments.last)

    @cached_property
    def walk(self) -> WalkForward:
        """The walk-forward with ridge regression, refitted as the scale is."""
        return walk_forward(self.dataset, self.first)

    def describe_walk(self) -> list[str]:
        """Return which rows are walked through, as lines of Markdown."""
        dataset, walk = self.dataset, self.walk
        names = ", ".join(dataset.symbols)
        if set(STAND_IN.values()) & set(dataset.symbols):
            names += "; " + ", ".join(
                f"{used} in place of {asked}" for asked, used in STAND_IN.items()
            )
        return [
            (
                f"Walk-forward: daily prices of {len(dataset.symbols)} assets ({names}), rows from "
                f"{dataset.dates[0]}, targets from {walk.dates[0]} to {walk.dates[-1]}: "
                f"{len(walk.dates)} sessions in {len(walk.folds)} folds, refit every {REFIT_EVERY} "
                f"sessions on all rows before, {int(np.isfinite(walk.actual_pct).sum())} forecasts."
            ),
            "",
        ]


# A further subject is one more entry here: a function that returns lines of Markdown.
SECTIONS: dict[str, Callable[[Benchmark], list[str]]] = {
    "model": lambda benchmark: network_tables(benchmark.prices),
    "intervals": lambda benchmark: [
        *benchmark.describe_walk(),
        *interval_tables(benchmark.dataset, benchmark.walk),
    ],
    "next-day": lambda benchmark: [
        *skill_table(benchmark.walk),
        *network_walk(benchmark.dataset, benchmark.first),
    ],
    "horizons": lambda benchmark: horizon_tables(benchmark.dataset, benchmark.first),
}


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    began = time.perf_counter()
    lines = list(_measure(arguments))
    text = "\n".join([*_facts(arguments, time.perf_counter() - began), *lines]).rstrip() + "\n"
    write_file(arguments.output, text.encode())


def _measure(arguments: argparse.Namespace) -> Iterator[str]:
    benchmark = Benchmark(arguments)
    for number, name in enumerate(arguments.sections, start=1):
        logging.info("section %d of %d: %s", number, len(arguments.sections), name)
        began = time.perf_counter()
        lines = SECTIONS[name](benchmark)
        logging.info("section %s took %.0f s", name, time.perf_counter() - began)
        print("\n".join(lines), flush=True)
        yield from lines


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prices", type=Path, nargs="?", default=prices_path())
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    for name, default in DEFAULTS.items():
        parser.add_argument(f"--{name}", type=date.fromisoformat, default=default)
    parser.add_argument("--symbols", nargs="+", default=reference_symbols())
    parser.add_argument("--output", type=output_file, default=RESULT)
    arguments = parser.parse_args()
    if not arguments.prices.exists():
        parser.error(f"no prices at {arguments.prices}; name a file with daily bars as argument")
    return arguments


def _facts(arguments: argparse.Namespace, seconds: float) -> list[str]:
    told = ["python", "benchmarks/accuracy.py"]
    told += [
        f"--{name}={getattr(arguments, name)}"
        for name, default in DEFAULTS.items()
        if getattr(arguments, name) != default
    ]
    if arguments.symbols != reference_symbols():
        told += ["--symbols", *arguments.symbols]
    if arguments.sections != list(SECTIONS):
        told += ["--sections", *arguments.sections]
    command = f"`{shlex.join(told)}`"
    if len(told) == 2:
        command = f"`make benchmark-accuracy`, that is {command}"
    packages = ("tensorflow", "keras", "arch", "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return [
        "# Accuracy beside every peer",
        "",
        (
            f"Measured on {datetime.now(UTC):%Y-%m-%d} in {seconds / 60:.0f} minutes on "
            f"{describe_machine()}, {versions}. Command: {command}. `make backtest` gives the "
            "tables and the plot of a single walk-forward."
        ),
        "",
    ]


if __name__ == "__main__":
    main()
