"""How good the forecasts several sessions ahead and their intervals are, beside simple peers.

    python benchmarks/horizon_accuracy.py [PRICES]

Walks forward through real daily prices with ridge regression, refitting every 21 sessions, prints
the tables and writes them to benchmarks/horizon_accuracy.md. `benchmarks/accuracy.py` has them
among its own.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
from horizon_walk import HorizonIntervals, HorizonWalk, walk_horizons
from output_file import output_file
from reference_data import REPOSITORY, load_dataset, prices_path, reference_symbols

from roi_forecast.array_types import FloatArray
from roi_forecast.config import MultiStep
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.bootstrap import bootstrap_mean
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import to_percent
from roi_forecast.files.artifacts import write_file
from roi_forecast.forecaster.calibration import METHODS

HORIZONS = (1, 5, 10, 20, 30)
RESULT = REPOSITORY / "benchmarks" / "horizon_accuracy.md"


def main() -> None:
    """Measure on the supplied prices."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prices", type=Path, nargs="?", default=prices_path())
    parser.add_argument("--symbols", nargs="+", default=reference_symbols())
    parser.add_argument("--output", type=output_file, default=RESULT)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    began = time.perf_counter()
    dataset = load_dataset(
        arguments.prices, arguments.symbols, date(2020, 10, 1), date(2024, 12, 31)
    )
    lines = horizon_tables(dataset, date(2021, 12, 1))
    facts = (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} in {time.perf_counter() - began:.0f} s on "
        f"{os.cpu_count()} cores with `python benchmarks/horizon_accuracy.py`: daily prices of "
        f"{', '.join(dataset.symbols)}, rows from {dataset.dates[0]}."
    )
    text = "\n".join(["# Accuracy several sessions ahead", "", facts, "", *lines]).rstrip() + "\n"
    print(text)
    write_file(arguments.output, text.encode())


def horizon_tables(dataset: Dataset, first_date: date) -> list[str]:
    """Walk forward and return the tables, as lines of Markdown.

    Args:
        dataset: The rows; its own split and scaler are not used.
        first_date: The first forecast session is the first row on or after it.

    Raises:
        EvaluationError: There are too few rows before the first date, or none after it.
    """
    walk = walk_horizons(dataset, first_date)
    counts = np.isfinite(walk.actual_pct).sum(axis=(1, 2))
    told = ", ".join(f"{counts[horizon - 1]} of {horizon}" for horizon in HORIZONS)
    reading = (
        f"Forecasts of ridge regression from each of {len(walk.dates)} sessions, {walk.dates[0]} "
        f"to {walk.dates[-1]}, {walk.folds} refits; known outcomes by horizon: {told}. Outcomes of "
        "neighbouring sessions overlap: at horizon 20 only every twentieth shares no session with "
        "the one before, and all assets move together, so chance explains large differences."
    )
    lines = ["## Several sessions ahead", "", reading, "", *_skill(walk)]
    for number, level in enumerate((80, 95)):
        lines += _intervals(walk, number, level)
    return [*lines, *_half_years(walk)]


def _skill(walk: HorizonWalk) -> list[str]:
    lines = [
        "| horizon | forecast | MAE, % | MAE of zero | R2 against zero | factor over the refits |",
        "|---|---|---|---|---|---|",
    ]
    for horizon in HORIZONS:
        actual = walk.actual_pct[horizon - 1]
        zero = metrics.mean_absolute_error.overall(actual, np.zeros(actual.shape))
        for method in METHODS:
            forecast = to_percent(walk.published[method][horizon - 1])
            error = metrics.mean_absolute_error.overall(actual, forecast)
            gain = metrics.r2_against_zero.overall(actual, forecast)
            factors = walk.factors[method][:, horizon - 1]
            lines.append(
                f"| {horizon} | {method} | {error:.3f} | {zero:.3f} | {gain:+.4f} | "
                f"{factors.min():.2f} to {factors.max():.2f}, mean {factors.mean():.2f} |"
            )
    return [*lines, ""]


def _intervals(walk: HorizonWalk, number: int, level: int) -> list[str]:
    reading = (
        f"Intervals at {level} %: interval score in percent points, and relative to that of two "
        "peers around the direct forecasts: the same quantiles on a constant scale, and the "
        "interval of the next session times the root of the horizon. The difference to the latter "
        "has bounds that hold 95 % of the resampled means (blocks of twice the horizon, at least "
        "20 sessions)."
    )
    header = (
        "horizon",
        "forecast",
        "score",
        "relative to constant",
        "to root of time",
        "less root of time's",
        "coverage",
        "single assets",
        "coverage, constant",
        "root of time",
    )
    lines = [reading, "", f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for horizon in HORIZONS:
        constant, root = (
            _scores(walk, peer, horizon, number) for peer in (walk.constant, walk.root_of_time)
        )
        peers_covered = [
            np.nanmean(_covered(walk, peer, horizon, number))
            for peer in (walk.constant, walk.root_of_time)
        ]
        for method in METHODS:
            own = _scores(walk, walk.intervals[method], horizon, number)
            covered = _covered(walk, walk.intervals[method], horizon, number)
            assets = np.nanmean(covered, axis=0)
            against = "|"
            if horizon > 1:
                less = bootstrap_mean(own - root, block_sessions=max(20, 2 * horizon))
                against = f"{less.mean:+.3f} ({less.lower_95:+.3f} to {less.upper_95:+.3f}) |"
            lines.append(
                f"| {horizon} | {method} | {np.nanmean(own):.3f} | "
                f"{np.nanmean(own) / np.nanmean(constant):.4f} | "
                f"{np.nanmean(own) / np.nanmean(root):.4f} | {against} {np.nanmean(covered):.3f} | "
                f"{assets.min():.3f} to {assets.max():.3f} | {peers_covered[0]:.3f} | "
                f"{peers_covered[1]:.3f} |"
            )
    return [*lines, ""]


def _half_years(walk: HorizonWalk) -> list[str]:
    halves = np.array(
        [
            f"{day.year} {'first' if day.month <= 6 else 'second'} half"
            for day in walk.dates.tolist()
        ]
    )
    names = [f"{horizon}, {method}" for horizon in HORIZONS[1:] for method in METHODS]
    lines = [
        "Coverage at 80 % / 95 % by the half-year of the first forecast session:",
        "",
        "| half-year | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for half in dict.fromkeys(halves.tolist()):
        cells = [
            " / ".join(_share(walk, method, horizon, number, halves == half) for number in (0, 1))
            for horizon in HORIZONS[1:]
            for method in METHODS
        ]
        lines.append(f"| {half} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _share(
    walk: HorizonWalk, method: MultiStep, horizon: int, number: int, days: np.ndarray
) -> str:
    return f"{np.nanmean(_covered(walk, walk.intervals[method], horizon, number)[days]):.3f}"


def _scores(walk: HorizonWalk, which: HorizonIntervals, horizon: int, number: int) -> FloatArray:
    return which[horizon - 1][number].score(walk.actual_pct[horizon - 1])


def _covered(walk: HorizonWalk, which: HorizonIntervals, horizon: int, number: int) -> FloatArray:
    return which[horizon - 1][number].covers(walk.actual_pct[horizon - 1])


if __name__ == "__main__":
    main()
