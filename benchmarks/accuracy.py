"""How good the published intervals and next-day forecasts are, beside their peers.

    python benchmarks/accuracy.py [PRICES]

Walks forward through real daily prices, refitting everything every 21 sessions, prints the tables
and writes them to benchmarks/accuracy.md.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "include"))

from interval_peers import constant_scale, ewma_scale, garch_intervals, har_scale

from roi_forecast.config import FeatureConfig
from roi_forecast.evaluation.bootstrap import BLOCK_SESSIONS, bootstrap_mean
from roi_forecast.evaluation.intervals import Intervals
from roi_forecast.evaluation.next_day_skill import next_day_skill
from roi_forecast.evaluation.walk_forward import WalkForward, intervals_of_scale, walk_forward
from roi_forecast.features.build import assemble_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.rows import align_rows
from roi_forecast.market.csv_files import CsvSource
from roi_forecast.model.expanding_scale import FIRST_FIT, REFIT_EVERY
from roi_forecast.universe import load_universe

REPOSITORY = Path(__file__).resolve().parents[1]
DEFAULT_PRICES = REPOSITORY.parent / "shared" / "market" / "daily_prices.csv.gz"
RESULT = REPOSITORY / "benchmarks" / "accuracy.md"
STAND_IN = {"BHARTIARTL.NS": "ONGC.NS"}
"""What the supplied prices have in place of an asset of the reference universe."""

SHIPPED, GARCH = "shipped: regression at half-lives 1, 5, 22", "GARCH(1,1), Student t"


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    began = time.perf_counter()
    dataset = _dataset(arguments.prices, arguments.symbols, arguments.start, arguments.last)
    result = walk_forward(dataset, arguments.first)
    peers = _peers(dataset, result)
    text = _report(dataset, result, peers, arguments, time.perf_counter() - began)
    print(text)
    arguments.output.write_text(text, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    prices = Path(os.environ.get("ROI_PRICES") or DEFAULT_PRICES)
    parser.add_argument("prices", type=Path, nargs="?", default=prices)
    parser.add_argument("--start", type=date.fromisoformat, default=date(2020, 10, 1))
    parser.add_argument("--first", type=date.fromisoformat, default=date(2021, 12, 1))
    parser.add_argument("--last", type=date.fromisoformat, default=date(2024, 12, 31))
    parser.add_argument("--symbols", nargs="+", default=_reference_symbols())
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    if not arguments.prices.exists():
        parser.error(f"no prices at {arguments.prices}; name a file with daily bars as argument")
    return arguments


def _reference_symbols() -> list[str]:
    return [STAND_IN.get(asset.symbol, asset.symbol) for asset in load_universe().assets]


def _dataset(path: Path, symbols: Sequence[str], start: date, last: date) -> Dataset:
    assets = load_universe().select(symbols)
    source = CsvSource("csv:benchmark", path)
    bars = pd.concat(
        [source.fetch(asset, start, last).assign(symbol=asset.symbol) for asset in assets],
        ignore_index=True,
    )
    rows = align_rows(bars, assets, start, last, max_lost_share=0.1)
    return assemble_dataset(rows, FeatureConfig(), source.key, Path())


def _peers(dataset: Dataset, result: WalkForward) -> dict[str, tuple[Intervals, ...]]:
    targets = range(result.folds[0].targets.start, len(dataset.dates))
    # Fitted back from the first fold too: the conformal scores before it need scales.
    refits = [*range(targets.start, FIRST_FIT, -REFIT_EVERY)][:0:-1]
    refits += [fold.targets.start for fold in result.folds]
    scales = {
        "constant": constant_scale(dataset),
        "EWMA 0.97 of squares": ewma_scale(dataset),
        "HAR, least squares, own moves only": har_scale(dataset, refits),
    }
    peers = {
        name: intervals_of_scale(dataset, scale, targets, result.published)
        for name, scale in scales.items()
    }
    logging.info("fitting GARCH %d times", len(result.folds) * len(dataset.symbols))
    return {**peers, SHIPPED: result.intervals, GARCH: garch_intervals(dataset, result.folds)}


def _report(
    dataset: Dataset,
    result: WalkForward,
    peers: Mapping[str, tuple[Intervals, ...]],
    arguments: argparse.Namespace,
    seconds: float,
) -> str:
    counted = int(np.isfinite(result.actual_pct).sum())
    facts = (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} in {seconds:.0f} s on {_machine()}, arch "
        f"{version('arch')}, numpy {version('numpy')}. Command: `make benchmark-accuracy`, that is "
        f"`{shlex.join(['python', 'benchmarks/accuracy.py', *_told(arguments)])}`."
    )
    names = ", ".join(dataset.symbols)
    if set(STAND_IN.values()) & set(dataset.symbols):
        names += "; " + ", ".join(f"{used} in place of {asked}" for asked, used in STAND_IN.items())
    data = (
        f"Daily prices of {len(dataset.symbols)} assets ({names}), rows from {dataset.dates[0]}. "
        f"Walk-forward from {result.dates[0]} to {result.dates[-1]}: {len(result.dates)} sessions "
        f"in {len(result.folds)} folds, refit every {REFIT_EVERY} sessions on all rows before, "
        f"{counted} forecasts."
    )
    reading = (
        "Interval score (Winkler) in percent points, lower is better, and relative to GARCH. The "
        "difference to GARCH is paired and resampled over days in blocks of "
        f"{BLOCK_SESSIONS} sessions: its mean, the interval that holds 95 % of the resampled "
        "means, and the bound that 95 % of them stay below. Every scale but GARCH's carries the "
        "same per-asset conformal quantiles over the trailing 500 rows, around the same forecast."
    )
    title = "# Accuracy of the next-day forecasts and their intervals"
    lines = [title, "", facts, "", data, "", "## Intervals", "", reading, ""]
    for number, level in enumerate((80, 95)):
        lines += _interval_table(result, peers, number, level)
    lines += _half_years(result, peers)
    lines += _assets(result)
    lines += _skill(result)
    return "\n".join(lines) + "\n"


def _interval_table(
    result: WalkForward, peers: Mapping[str, tuple[Intervals, ...]], number: int, level: int
) -> list[str]:
    actual = result.actual_pct
    garch = peers[GARCH][number].score(actual)
    lines = [
        f"| {level} % | score | relative | less GARCH's | bound | coverage | single assets |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, intervals in peers.items():
        scores, covered = intervals[number].score(actual), intervals[number].covers(actual)
        difference = bootstrap_mean(scores - garch)
        assets = np.nanmean(covered, axis=0)
        against = (
            f"{difference.mean:+.3f} ({difference.lower_95:+.3f} to {difference.upper_95:+.3f})"
            f" | {difference.upper_one_sided_95:+.3f}"
        )
        lines.append(
            f"| {name} | {np.nanmean(scores):.3f} | {np.nanmean(scores) / np.nanmean(garch):.4f} | "
            f"{'|' if name == GARCH else against} | {np.nanmean(covered):.3f} | "
            f"{assets.min():.3f} to {assets.max():.3f} |"
        )
    return [*lines, ""]


def _half_years(result: WalkForward, peers: Mapping[str, tuple[Intervals, ...]]) -> list[str]:
    halves = np.array(
        [
            f"{day.year} {'first' if day.month <= 6 else 'second'} half"
            for day in result.dates.tolist()
        ]
    )
    actual = result.actual_pct
    lines = [
        "## Half-years of the shipped intervals",
        "",
        "| half-year | sessions | coverage at 80 % | 95 % | score relative at 80 % | 95 % |",
        "|---|---|---|---|---|---|",
    ]
    for half in dict.fromkeys(halves.tolist()):
        days = halves == half
        coverage = [np.nanmean(each.covers(actual)[days]) for each in result.intervals]
        relative = [
            np.nanmean(own.score(actual)[days]) / np.nanmean(garch.score(actual)[days])
            for own, garch in zip(result.intervals, peers[GARCH], strict=True)
        ]
        values = " | ".join(f"{value:.3f}" for value in (*coverage, *relative))
        lines.append(f"| {half} | {days.sum()} | {values} |")
    return [*lines, ""]


def _assets(result: WalkForward) -> list[str]:
    coverage = [np.nanmean(each.covers(result.actual_pct), axis=0) for each in result.intervals]
    lines = [
        "## Single assets, shipped intervals",
        "",
        "| asset | coverage at 80 % | at 95 % |",
        "|---|---|---|",
    ]
    for symbol, *values in zip(result.symbols, *coverage, strict=True):
        lines.append(f"| {symbol} | {values[0]:.3f} | {values[1]:.3f} |")
    return [*lines, ""]


def _skill(result: WalkForward) -> list[str]:
    skill = next_day_skill(result)
    direction = skill.directional_accuracy
    factors = [fold.shrinkage for fold in result.folds]
    measures = {
        "R2 against the zero forecast": f"{skill.r2_against_zero:+.4f}",
        "R2 against the mean known at the time": f"{skill.r2_against_mean:+.4f}",
        f"daily rank correlation, {skill.rank_correlation_days} days": (
            f"{skill.rank_correlation:+.4f} (t = {skill.rank_correlation_t:.2f})"
        ),
        "directional accuracy": (
            f"{direction.mean:.4f} (95 %: {direction.lower_95:.4f} to {direction.upper_95:.4f})"
        ),
        "shrinkage factor over the folds": (
            f"{np.min(factors):.2f} to {np.max(factors):.2f}, mean {np.mean(factors):.2f}"
        ),
    }
    return [
        "## Next-day skill of the published forecast (ridge-implied, shrunk)",
        "",
        "| measure | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in measures.items()),
    ]


def _told(arguments: argparse.Namespace) -> list[str]:
    told = [f"--{name}={getattr(arguments, name)}" for name in ("start", "first", "last")]
    if arguments.symbols != _reference_symbols():
        told += ["--symbols", *arguments.symbols]
    return told


def _machine() -> str:
    model = platform.processor() or platform.machine()
    cpu_facts = Path("/proc/cpuinfo")
    if cpu_facts.is_file():
        named = [
            line for line in cpu_facts.read_text().splitlines() if line.startswith("model name")
        ]
        model = named[0].split(":", 1)[1].strip() if named else model
    return f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}"


if __name__ == "__main__":
    main()
