"""The published intervals beside those of simpler scales and of GARCH, over a walk-forward."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from interval_peers import constant_scale, ewma_scale, har_scale

from roi_forecast.backtest.walk_forward import REFIT_EVERY, WalkForward, intervals_of_scale
from roi_forecast.evaluation.bootstrap import BLOCK_SESSIONS, bootstrap_mean
from roi_forecast.features.dataset import Dataset
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.scale.through_time import FIRST_FIT

SHIPPED, GARCH = "shipped", "GARCH(1,1), Student t"


def interval_tables(
    dataset: Dataset, result: WalkForward, garch: tuple[Intervals, ...]
) -> list[str]:
    """Return the section on intervals as lines of Markdown.

    Args:
        dataset: The rows that were walked through.
        result: The walk-forward whose intervals are those published.
        garch: The intervals of GARCH(1,1) for the same targets, as they are.
    """
    peers = {**_peers(dataset, result), SHIPPED: result.intervals, GARCH: garch}
    reading = (
        "Interval score (Winkler) in percent points, lower is better, and relative to GARCH. The "
        "difference to GARCH is paired and resampled over days in blocks of "
        f"{BLOCK_SESSIONS} sessions: its mean, the interval that holds 95 % of the resampled "
        "means, and the bound that 95 % of them stay below. Every scale but GARCH's carries the "
        "same per-asset conformal quantiles over the trailing 500 rows, around the same forecast."
    )
    lines = ["## Intervals of the next-day ROI", "", reading, ""]
    for number, level in enumerate((80, 95)):
        lines += _interval_table(result, peers, number, level)
    return [*lines, *_half_years(result, peers), *_assets(result)]


def _peers(dataset: Dataset, result: WalkForward) -> dict[str, tuple[Intervals, ...]]:
    targets = result.targets
    # Fitted back from the first fold too: the conformal scores before it need scales.
    refits = [*range(targets.start, FIRST_FIT, -REFIT_EVERY)][:0:-1]
    refits += [fold.targets.start for fold in result.folds]
    scales = {
        "constant": constant_scale(dataset),
        "EWMA 0.97 of squares": ewma_scale(dataset),
        "HAR, least squares, own moves only": har_scale(dataset, refits),
    }
    return {
        name: intervals_of_scale(dataset, scale, targets, result.published)
        for name, scale in scales.items()
    }


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
        "### Half-years of the shipped intervals",
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
        "### Single assets, shipped intervals",
        "",
        "| asset | coverage at 80 % | at 95 % |",
        "|---|---|---|",
    ]
    for symbol, *values in zip(result.symbols, *coverage, strict=True):
        lines.append(f"| {symbol} | {values[0]:.3f} | {values[1]:.3f} |")
    return [*lines, ""]
