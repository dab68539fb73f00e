"""What the network adds to the linear part of the next-day forecasts, walking forward."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from peer_accuracy import gains

from roi_forecast.backtest.run import walk_through
from roi_forecast.backtest.walk_forward import WalkForward
from roi_forecast.config import BacktestConfig, RunConfig
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.bootstrap import bootstrap_mean
from roi_forecast.evaluation.skill import skill_figures
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import to_percent

NAMES = {
    "model": "`hybrid_linear`, seed 0",
    "linear": "linear part",
    "no_skill": "mean known at the time (no-skill forecast)",
    "persistence": "persistence, not shrunk",
    "zero": "zero",
}


def walk_with_network(
    dataset: Dataset, first: date, horizons: tuple[int, ...]
) -> dict[str, WalkForward]:
    """Walk forward with the network and its peers over the same folds; nothing is kept.

    Args:
        dataset: The rows.
        first: The first target is the first row on or after it.
        horizons: Ascending, the first being 1.
    """
    backtest = BacktestConfig(first_target_date=first)
    config = RunConfig(horizons=horizons)
    with TemporaryDirectory() as directory:
        return walk_through(dataset, backtest, config, Path(directory))


def network_tables(walks: Mapping[str, WalkForward]) -> list[str]:
    """Return what the network adds to the linear part, as lines of Markdown."""
    walk, linear = walks["model"], walks["linear"]
    lines = [
        "## What the network adds to the linear part, walking forward",
        "",
        (
            f"`hybrid_linear` (seed 0) trained anew for each of {len(walk.folds)} folds of "
            f"{len(walk.folds[0].targets)} sessions (the most neural folds of a backtest): "
            f"{walk.dates[0]} to {walk.dates[-1]}, {len(walk.dates)} sessions. What "
            f"`make backtest` does on these prices. {_added(walk, linear)}"
        ),
        "",
        *_table({name: walks[name] for name in NAMES if name in walks}),
        "",
        "R2 of the smoothed ROI, fold by fold:",
        "",
        "| fold | sessions | `hybrid_linear` | linear part | persistence | no-skill forecast |",
        "|---|---|---|---|---|---|",
    ]
    for fold in walk.folds:
        start = walk.targets.start
        rows = slice(fold.targets.start - start, fold.targets.stop - start)
        values = " | ".join(
            f"{_smoothed_r2(walks[name], rows):.4f}"
            for name in ("model", "linear", "persistence", "no_skill")
        )
        lines.append(f"| {fold.first_date} to {fold.last_date} | {len(fold.targets)} | {values} |")
    return [*lines, ""]


def _added(walk: WalkForward, linear: WalkForward) -> str:
    """Return in words what the network changes of the next day's R2 against zero."""
    difference = bootstrap_mean(gains(walk.scored) - gains(linear.scored))
    return (
        f"It changes the next day's R2 against zero by {difference.mean:+.4f} "
        f"({difference.lower_95:+.4f} to {difference.upper_95:+.4f}, blocks of days)."
    )


def _table(walks: Mapping[str, WalkForward]) -> list[str]:
    figures = {name: _figures(walk) for name, walk in walks.items()}
    lines = [
        "| measure | " + " | ".join(NAMES[name] for name in walks) + " |",
        "|---" * (1 + len(walks)) + "|",
    ]
    for measure in next(iter(figures.values())):
        values = " | ".join(figures[name][measure] for name in walks)
        lines.append(f"| {measure} | {values} |")
    return lines


def _figures(walk: WalkForward) -> dict[str, str]:
    skill = dict(skill_figures(walk.scored))
    hits = metrics.directional_accuracy.together(walk.scored)
    rank = skill["rank_correlation"]
    against_mean = metrics.r2_against("r2_against_mean", walk.known_mean_pct)
    factors = [fold.shrinkage for fold in walk.folds]
    error = metrics.mean_absolute_error.overall(walk.actual_pct, to_percent(walk.published))
    scores = [float(np.nanmean(each.score(walk.actual_pct))) for each in walk.intervals]
    covered = [float(np.nanmean(each.covers(walk.actual_pct))) for each in walk.intervals]
    return {
        "R2 of the smoothed ROI, unscaled": f"{_smoothed_r2(walk, slice(None)):.4f}",
        "R2 against the zero forecast": (
            f"{metrics.r2_against_zero.together(walk.scored):+.4f}"
            + _known(skill["r2_against_zero_t"], f" (t = {skill['r2_against_zero_t']:.2f})")
        ),
        "R2 against the mean known at the time": f"{against_mean.together(walk.scored):+.4f}",
        "MAE in percent points": f"{error:.4f}",
        f"daily rank correlation, {len(walk.dates)} days": _known(
            rank, f"{rank:+.4f} (t = {skill['rank_correlation_t']:.2f})"
        ),
        "directional accuracy": _known(
            hits,
            f"{hits:.4f} (95 %: {skill['directional_accuracy_lower_95']:.4f} to "
            f"{skill['directional_accuracy_upper_95']:.4f})",
        ),
        "interval score at 80 and 95 %": ", ".join(f"{score:.3f}" for score in scores),
        "coverage at 80 and 95 %": ", ".join(f"{share:.3f}" for share in covered),
        "shrinkage factor over the folds": (
            f"{np.min(factors):.2f} to {np.max(factors):.2f}, mean {np.mean(factors):.2f}"
        ),
    }


def _known(value: float, text: str) -> str:
    return text if np.isfinite(value) else ""


def _smoothed_r2(walk: WalkForward, rows: slice) -> float:
    return metrics.r2.overall(walk.actual_smoothed[rows], walk.smoothed[rows])
