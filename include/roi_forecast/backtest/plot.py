"""The picture of a backtest: skill and coverage fold by fold, with their uncertainty."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from roi_forecast.array_types import FloatArray
from roi_forecast.backtest.walk_forward import WalkForward
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.bootstrap import bootstrap_mean
from roi_forecast.evaluation.plot_style import default_style
from roi_forecast.features.returns import to_percent

# Targets of the smoothed ROI overlap over a week of sessions.
_BLOCK_SESSIONS = 5
_DOTS_PER_INCH = 130


@dataclass(frozen=True)
class _Style:
    color: str
    marker: str
    label: str


# Colours of Okabe and Ito, which people who are colour-blind can tell apart; markers differ too.
_STYLES = {
    "model": _Style("#0072B2", "o", "model"),
    "linear": _Style("#D55E00", "s", "linear part"),
    "no_skill": _Style("#000000", "_", "no-skill forecast"),
}
_LEVEL_STYLES = (_Style("#56B4E9", "o", "80 %"), _Style("#CC79A7", "s", "95 %"))


@default_style()
def draw_backtest(walks: Mapping[str, WalkForward], title: str) -> bytes:
    """Draw the folds of a backtest.

    Bars hold 95 % of the means of resampled days (blocks of 5 sessions within the fold); a fold of
    fewer sessions has none.

    Args:
        walks: The walk-forwards by predictor, all over the same folds.
        title: Written above.

    Returns:
        A PNG.
    """
    figure = Figure(figsize=(11, 9.5), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12)
    smoothed, next_day, coverage = figure.subplots(3, 1, sharex=True)
    fitted = [name for name in ("model", "linear") if name in walks]
    _draw_skill(
        smoothed,
        walks,
        [*fitted, "no_skill"],
        "Smoothed ROI: R2\n(four fifths are known a day ahead)",
        is_smoothed=True,
    )
    _draw_skill(
        next_day,
        walks,
        fitted,
        "Next-day ROI:\nR2 against the zero forecast",
        is_smoothed=False,
    )
    next_day.axhline(0.0, color="#777777", linewidth=1, linestyle="--")
    _draw_coverage(coverage, walks[fitted[0]], fitted[0])
    walk = walks[fitted[0]]
    coverage.set_xticks(
        range(len(walk.folds)),
        [f"{fold.first_date:%Y-%m-%d}" for fold in walk.folds],
        rotation=90 if len(walk.folds) > 12 else 0,
        fontsize=8,
    )
    coverage.set_xlabel("first session of the fold")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DOTS_PER_INCH)
    return content.getvalue()


def _draw_skill(
    axes: Axes,
    walks: Mapping[str, WalkForward],
    names: list[str],
    label: str,
    *,
    is_smoothed: bool,
) -> None:
    for place, name in enumerate(names):
        walk = walks[name]
        skill = _smoothed_skill if is_smoothed else _next_day_skill
        entries = [skill(walk, rows) for rows in _rows_of_folds(walk)]
        _draw_points(axes, entries, _STYLES[name], offset=_offset(place, len(names)))
    _finish(axes, label)


def _smoothed_skill(walk: WalkForward, rows: slice) -> FloatArray:
    """Return entries whose mean over an asset's rows is its R2 within the fold."""
    actual = walk.actual_smoothed[rows]
    variance = metrics.squared_loss(actual, metrics.mean_of_counted(actual))
    return 1.0 - (actual - walk.smoothed[rows]) ** 2 / variance


def _next_day_skill(walk: WalkForward, rows: slice) -> FloatArray:
    """Return entries whose mean is R2 against zero: paired, since most of both losses is shared."""
    actual, forecast = walk.actual_pct[rows], to_percent(walk.published[rows])
    return (actual**2 - (actual - forecast) ** 2) / metrics.squared_loss(actual, 0.0)


def _draw_coverage(axes: Axes, walk: WalkForward, name: str) -> None:
    for place, (intervals, style) in enumerate(zip(walk.intervals, _LEVEL_STYLES, strict=True)):
        covered = intervals.covers(walk.actual_pct)
        entries = [covered[rows] for rows in _rows_of_folds(walk)]
        _draw_points(axes, entries, style, offset=_offset(place, len(_LEVEL_STYLES)))
        axes.axhline(intervals.level, color=style.color, linewidth=1, linestyle="--")
    _finish(axes, f"Coverage of the intervals\n({_STYLES[name].label})")


def _draw_points(axes: Axes, entries: list[FloatArray], style: _Style, offset: float) -> None:
    means = np.concatenate([metrics.mean_of_counted(fold.reshape(-1, 1)) for fold in entries])
    bars = np.full((2, len(entries)), np.nan)
    for number, fold in enumerate(entries):
        if len(fold) >= _BLOCK_SESSIONS and np.isfinite(fold).any():
            found = bootstrap_mean(fold, block_sessions=_BLOCK_SESSIONS)
            bars[:, number] = found.mean - found.lower_95, found.upper_95 - found.mean
    axes.errorbar(
        np.arange(len(entries)) + offset,
        means,
        yerr=np.maximum(bars, 0.0),
        fmt=style.marker,
        color=style.color,
        label=style.label,
        capsize=3,
        markersize=6,
        linewidth=1.2,
    )


def _rows_of_folds(walk: WalkForward) -> list[slice]:
    start = walk.targets.start
    return [slice(fold.targets.start - start, fold.targets.stop - start) for fold in walk.folds]


def _offset(place: int, count: int) -> float:
    return 0.12 * (place - (count - 1) / 2)


def _finish(axes: Axes, label: str) -> None:
    axes.set_ylabel(label)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
