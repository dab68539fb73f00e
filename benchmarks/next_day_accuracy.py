"""What the published next-day forecasts know, of ridge and of the network, beside their peers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from roi_forecast.backtest.next_day_skill import next_day_skill
from roi_forecast.backtest.run import walk_through
from roi_forecast.backtest.walk_forward import WalkForward
from roi_forecast.config import BacktestConfig, RunConfig
from roi_forecast.evaluation import metrics
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import to_percent

NAMES = {
    "network": "`hybrid_ar`, seed 0",
    "ridge": "ridge",
    "no_skill": "mean known at the time (no-skill forecast)",
    "persistence": "persistence, not shrunk",
    "zero": "zero",
}


def skill_table(result: WalkForward) -> list[str]:
    """Return the skill of the walk-forward with ridge as lines of Markdown."""
    return [
        "## Next-day skill of the published forecast (ridge-implied, shrunk)",
        "",
        f"The same walk-forward, {len(result.folds)} folds.",
        "",
        *_table({"ridge": result}),
        "",
    ]


def network_walk(dataset: Dataset, first: date) -> list[str]:
    """Walk forward with the network and ridge over the same folds; return lines of Markdown."""
    backtest = BacktestConfig(first_target_date=first)
    with TemporaryDirectory() as directory:
        walks = walk_through(dataset, backtest, RunConfig(), Path(directory))
    walk = walks["network"]
    lines = [
        "## The network walking forward, beside ridge",
        "",
        (
            f"`hybrid_ar` (seed 0) trained anew for each of {len(walk.folds)} folds of "
            f"{len(walk.folds[0].targets)} sessions (the most neural folds of a backtest), ridge "
            f"refitted for the same folds: {walk.dates[0]} to {walk.dates[-1]}, {len(walk.dates)} "
            "sessions. What `make backtest` does on these prices."
        ),
        "",
        *_table({name: walks[name] for name in NAMES}),
        "",
        "R2 of the smoothed ROI, fold by fold:",
        "",
        "| fold | sessions | `hybrid_ar` | ridge | persistence | no-skill forecast |",
        "|---|---|---|---|---|---|",
    ]
    for fold in walk.folds:
        start = walk.targets.start
        rows = slice(fold.targets.start - start, fold.targets.stop - start)
        values = " | ".join(
            f"{_smoothed_r2(walks[name], rows):.4f}"
            for name in ("network", "ridge", "persistence", "no_skill")
        )
        lines.append(f"| {fold.first_date} to {fold.last_date} | {len(fold.targets)} | {values} |")
    return [*lines, ""]


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
    skill = next_day_skill(walk.scored, walk.known_mean_pct)
    direction = skill.directional_accuracy
    factors = [fold.shrinkage for fold in walk.folds]
    error = metrics.mean_absolute_error.overall(walk.actual_pct, to_percent(walk.published))
    scores = [float(np.nanmean(each.score(walk.actual_pct))) for each in walk.intervals]
    covered = [float(np.nanmean(each.covers(walk.actual_pct))) for each in walk.intervals]
    return {
        "R2 of the smoothed ROI, unscaled": f"{_smoothed_r2(walk, slice(None)):.4f}",
        "R2 against the zero forecast": f"{skill.r2_against_zero:+.4f}",
        "R2 against the mean known at the time": f"{skill.r2_against_mean:+.4f}",
        "MAE in percent points": f"{error:.4f}",
        f"daily rank correlation, {len(walk.dates)} days": _known(
            skill.rank_correlation, f"{skill.rank_correlation:+.4f}"
        )
        + _known(skill.rank_correlation_t, f" (t = {skill.rank_correlation_t:.2f})"),
        "directional accuracy": _known(
            direction.mean,
            f"{direction.mean:.4f} (95 %: {direction.lower_95:.4f} to {direction.upper_95:.4f})",
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
