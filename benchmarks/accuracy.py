"""What is aimed at and whether it is reached, and every peer on the same rows.

    python benchmarks/accuracy.py [PRICES] [--sections aims peers network intervals horizons model]

Trains and walks forward through real daily prices, prints every table and writes them to
benchmarks/accuracy.md.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
from aims import (
    Aim,
    aims_table,
    daily_aims,
    horizon_aims,
    interval_aims,
    next_day_aim,
    smoothed_aims,
    unhelped_aims,
    without_context_aim,
)
from daily_accuracy import daily_run, walked_in
from horizon_accuracy import HORIZONS, horizon_tables
from horizon_walk import HorizonWalk, walk_horizons
from interval_accuracy import interval_tables
from network_accuracy import training_tables
from next_day_accuracy import network_tables, walk_with_network
from output_file import output_file
from peer_accuracy import (
    GARCH,
    NO_SKILL,
    NextDay,
    actual_of,
    figures,
    naive_forecasts,
    peer_forecasts,
    peer_table,
)
from reference_data import (
    CONTEXT,
    LAST,
    REPOSITORY,
    STAND_IN,
    START,
    describe_machine,
    is_metal,
    load_dataset,
    prices_path,
    reference_symbols,
)

from roi_forecast.backtest.walk_forward import REFIT_EVERY, WalkForward, walk_forward
from roi_forecast.evaluation.metrics import r2_against_zero
from roi_forecast.features.dataset import Dataset
from roi_forecast.files.artifacts import write_file

RESULT = REPOSITORY / "benchmarks" / "accuracy.md"
DEFAULTS = {"start": START, "first": date(2021, 12, 1), "last": LAST}


class Benchmark:
    """The prices that are measured on; what several sections need is computed once.

    Args:
        arguments: Path of the prices, symbols, context, first date of the rows and of the targets,
            last date.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.prices: Path = arguments.prices
        self.first: date = arguments.first
        self.context: tuple[str, ...] = tuple(arguments.context)
        self._arguments = arguments

    def load(self, symbols: Sequence[str], context: Sequence[str] = ()) -> Dataset:
        """Return the rows of some assets over the benchmark's dates."""
        arguments = self._arguments
        return load_dataset(self.prices, symbols, arguments.start, arguments.last, context)

    @cached_property
    def dataset(self) -> Dataset:
        """The rows that are walked through."""
        return self.load(self._arguments.symbols, self.context)

    @cached_property
    def horizon_walk(self) -> HorizonWalk:
        """The walk-forwards of the linear part at all horizons."""
        return walk_horizons(self.dataset, self.first, HORIZONS)

    @property
    def walk(self) -> WalkForward:
        """The walk-forward of the linear part."""
        return self.horizon_walk.walks["recursive"]

    @cached_property
    def plain_walk(self) -> WalkForward:
        """The same without context."""
        return walk_forward(self.load(self._arguments.symbols), self.first)

    @cached_property
    def networks(self) -> dict[str, WalkForward]:
        """The network's walk-forward, and its peers' over the same folds."""
        return walk_with_network(self.dataset, self.first, HORIZONS)

    @cached_property
    def peers(self) -> dict[str, NextDay]:
        """What every peer forecasts of the next session."""
        return {
            **naive_forecasts(self.dataset, self.walk),
            **peer_forecasts(self.dataset, self.walk),
        }

    def skill_without_context(self) -> dict[str, float]:
        """Return the published R2 against zero on sets of assets without context."""
        dataset = self.plain_walk.rows
        metals = [symbol for symbol in dataset.symbols if is_metal(symbol)]
        sets = {
            "reference": None,
            "without metals": [symbol for symbol in dataset.symbols if symbol not in metals],
            "metals": metals,
            "US stocks": list(CONTEXT),
        }
        found = {}
        for name, symbols in sets.items():
            logging.info("without context: %s", name)
            walk = self.plain_walk if symbols is None else None
            if symbols:
                walk = walk_forward(self.load(symbols), self.first)
            if walk is not None:
                found[name] = r2_against_zero.together(walk.scored)
        return found

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
                f"{dataset.dates[0]}, context {', '.join(self.context) or 'none'}, targets from "
                f"{walk.dates[0]} to {walk.dates[-1]}: "
                f"{len(walk.dates)} sessions in {len(walk.folds)} folds, refit every {REFIT_EVERY} "
                f"sessions on all rows before, {int(np.isfinite(walk.actual_pct).sum())} forecasts."
            ),
            "",
        ]


def aims_tables(benchmark: Benchmark) -> list[str]:
    """Return the aims, measured for the linear part and for the network, as lines of Markdown."""
    without = benchmark.skill_without_context()
    daily = daily_run(benchmark.dataset, benchmark.walk.targets)
    shared = [
        without_context_aim(without),
        *daily_aims(daily.intervals[0], *walked_in(benchmark.walk, daily.origins)),
    ]
    walks = {"linear part, refit every 21 sessions": benchmark.walk}
    walks[f"model, {len(benchmark.networks['model'].folds)} folds"] = benchmark.networks["model"]
    return [
        line
        for name, walk in walks.items()
        for line in aims_table([*_walk_aims(benchmark, walk), *shared], name)
    ]


def _walk_aims(benchmark: Benchmark, walk: WalkForward) -> list[Aim]:
    actual, plain = actual_of(walk), benchmark.plain_walk
    informed, alone = NextDay.of_walk(walk), NextDay.of_walk(plain)
    peers = benchmark.peers
    measured = figures(informed, actual, peers[GARCH], peers[NO_SKILL])
    uninformed = figures(alone, actual, peers[GARCH], peers[NO_SKILL])
    metals = [place for place, symbol in enumerate(walk.symbols) if is_metal(symbol)]
    farther = {horizon: benchmark.horizon_walk.garch[horizon] for horizon in (5, 20)}
    return [
        next_day_aim(informed, actual),
        *smoothed_aims(measured.smoothed_gain, uninformed.smoothed_gain),
        *interval_aims(measured),
        *horizon_aims(walk, farther),
        *(unhelped_aims(informed, alone, actual, metals) if metals else []),
    ]


def _peer_section(benchmark: Benchmark) -> list[str]:
    network = benchmark.networks["model"]
    forecasts = {
        f"network, {len(network.folds)} folds": NextDay.of_walk(network),
        "linear part": NextDay.of_walk(benchmark.walk),
        "linear part, no context": NextDay.of_walk(benchmark.plain_walk),
        **benchmark.peers,
    }
    return [
        *benchmark.describe_walk(),
        *peer_table(actual_of(benchmark.walk), forecasts, benchmark.context),
    ]


# A further subject is one more entry here: a function that returns lines of Markdown.
SECTIONS: dict[str, Callable[[Benchmark], list[str]]] = {
    "aims": aims_tables,
    "peers": _peer_section,
    "network": lambda benchmark: network_tables(benchmark.networks),
    "intervals": lambda benchmark: interval_tables(
        benchmark.dataset, benchmark.walk, benchmark.peers[GARCH].intervals
    ),
    "horizons": lambda benchmark: horizon_tables(benchmark.horizon_walk),
    "model": lambda benchmark: training_tables(benchmark.prices),
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
    parser.add_argument("--context", nargs="*", default=list(CONTEXT))
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
    if arguments.context != list(CONTEXT):
        told += ["--context", *arguments.context]
    if arguments.sections != list(SECTIONS):
        told += ["--sections", *arguments.sections]
    command = f"`{shlex.join(told)}`"
    if len(told) == 2:
        command = f"`make benchmark-accuracy`, that is {command}"
    packages = ("tensorflow", "keras", "arch", "lightgbm", "numpy")
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
