"""The figures that the model has to reach, each with its bar, its goal and what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from horizon_walk import HorizonIntervals
from peer_accuracy import Actual, NextDay, NextDayFigures, gains, r2_against_zero

from roi_forecast.backtest.walk_forward import WalkForward
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.bootstrap import bootstrap_mean
from roi_forecast.evaluation.scores import actual_roi_pct
from roi_forecast.features.returns import to_percent
from roi_forecast.forecaster.intervals import Intervals

LEVELS = ("80 %", "95 %")


@dataclass(frozen=True)
class Aim:
    """One figure.

    Attributes:
        name: What is measured.
        bar: What it has to reach, in words.
        goal: What it should reach; empty without one.
        measured: What it is.
        is_reached: Whether that reaches the bar.
    """

    name: str
    bar: str
    goal: str
    measured: str
    is_reached: bool


def aims_table(aims: Sequence[Aim], name: str) -> list[str]:
    """Return the table of all aims as lines of Markdown.

    Args:
        aims: In order.
        name: Of the model that was measured.
    """
    lines = [
        f"## What is aimed at: {name}",
        "",
        "| | bar | goal | measured | bar |",
        "|---|---|---|---|---|",
    ]
    for aim in aims:
        verdict = "reached" if aim.is_reached else "missed"
        lines.append(f"| {aim.name} | {aim.bar} | {aim.goal} | {aim.measured} | {verdict} |")
    return [*lines, ""]


def next_day_aim(forecast: NextDay, actual: Actual) -> Aim:
    """Return the R2 of the next session against zero, with context."""
    skill = r2_against_zero(forecast, actual)
    value = metrics.r2_against_zero.overall(actual.roi_pct, to_percent(forecast.log_roi))
    t = skill.t()
    return Aim(
        "next-day R2 against zero",
        "+0.020, block t >= 3",
        "+0.027",
        f"{value:+.4f}, block t {t:.1f}",
        value >= 0.020 and t >= 3,
    )


def smoothed_aims(with_context: float, without: float) -> list[Aim]:
    """Return the R2 of the smoothed ROI less the no-skill forecast's, with and without context."""
    name = "R2 of the smoothed ROI less the no-skill forecast's"
    return [
        Aim(
            f"{name}, with context",
            "+0.003",
            "+0.007",
            f"{with_context:+.4f}",
            with_context >= 0.003,
        ),
        Aim(f"{name}, without", "-0.0005", "0", f"{without:+.4f}", without >= -0.0005),
    ]


def interval_aims(figures: NextDayFigures) -> list[Aim]:
    """Return interval scores relative to GARCH's and coverage."""
    bars, goals = (0.973, 0.966), (0.962, 0.955)
    relative = [
        Aim(
            f"interval score relative to GARCH(1,1)-t, {level}",
            f"{bar}",
            f"{goal}",
            f"{value:.4f} (bound {bound:.4f})",
            value <= bar,
        )
        for level, bar, goal, value, bound in zip(
            LEVELS, bars, goals, figures.relative, figures.bound, strict=True
        )
    ]
    levels = np.array([0.80, 0.95])
    # Rounded, so that a distance of 4 points is not 4.0000000000000036.
    overall = np.round(100 * np.abs(np.array(figures.coverage) - levels), 9)
    single = np.round(100 * np.abs(np.array(figures.of_assets) - levels[:, np.newaxis]), 9)
    return [
        *relative,
        Aim(
            "coverage overall, 80 / 95 %",
            "within 1.5 points",
            "",
            " / ".join(f"{value:.3f}" for value in figures.coverage),
            bool((overall <= 1.5).all()),
        ),
        Aim(
            "coverage of single assets, 80 / 95 %",
            "within 4 points",
            "",
            " / ".join(f"{least:.3f} to {largest:.3f}" for least, largest in figures.of_assets),
            bool((single <= 4).all()),
        ),
    ]


def horizon_aims(walk: WalkForward, garch: HorizonIntervals) -> list[Aim]:
    """Return interval scores of farther horizons relative to GARCH's.

    Args:
        walk: With forecasts at the horizons.
        garch: Intervals by horizon; those of horizons beyond the next session are aimed at.
    """
    aims = []
    for horizon in garch:
        if horizon == 1:
            continue
        actual = actual_roi_pct(walk.rows, walk.targets, horizon)
        own = walk.forecasts.intervals[walk.forecasts.horizons.index(horizon)]
        for level, shipped, theirs in zip(LEVELS, own, garch[horizon], strict=True):
            score = theirs.score(actual)
            difference = bootstrap_mean(
                shipped.score(actual) - score, block_sessions=max(20, 2 * horizon)
            )
            reference = float(np.nanmean(score))
            value = 1 + difference.mean / reference
            bound = 1 + difference.upper_one_sided_95 / reference
            aims.append(
                Aim(
                    f"horizon {horizon} relative to GARCH-t, {level}",
                    "below 0.985",
                    "0.97",
                    f"{value:.4f} (bound {bound:.4f})",
                    value < 0.985,
                )
            )
    return aims


def unhelped_aims(
    informed: NextDay, plain: NextDay, actual: Actual, columns: Sequence[int]
) -> list[Aim]:
    """Return what context costs the assets that it does not help: nothing that shows.

    The paired differences over blocks of days, with context less without: of the R2 against zero,
    and of the interval scores. One that is significantly worse misses the bar.

    Args:
        informed: The forecasts with context.
        plain: Those without, of the same rows.
        actual: What the targets became.
        columns: The assets.
    """
    chosen = list(columns)
    roi = actual.roi_pct[:, chosen]
    scored = [
        metrics.Scored(roi, to_percent(each.log_roi[:, chosen])) for each in (informed, plain)
    ]
    gain = bootstrap_mean(gains(scored[0]) - gains(scored[1]))
    name = "metals, with context against without"
    bar = "not worse by the paired bound"
    aims = [
        Aim(
            f"{name}: R2 against zero",
            bar,
            "",
            f"{gain.mean:+.4f} ({gain.lower_95:+.4f} to {gain.upper_95:+.4f})",
            gain.upper_95 >= 0,
        )
    ]
    for level, with_it, without in zip(LEVELS, informed.intervals, plain.intervals, strict=True):
        scores = [_columns(each, chosen).score(roi) for each in (with_it, without)]
        more = bootstrap_mean(scores[0] - scores[1])
        reference = float(np.nanmean(scores[1]))
        bounds = " to ".join(
            f"{1 + bound / reference:.4f}" for bound in (more.lower_95, more.upper_95)
        )
        aims.append(
            Aim(
                f"{name}: interval score, {level}",
                bar,
                "",
                f"{1 + more.mean / reference:.4f} ({bounds})",
                more.lower_95 <= 0,
            )
        )
    return aims


def without_context_aim(r2_by_set: Mapping[str, float]) -> Aim:
    """Return the published R2 of the next session on sets of assets without context."""
    return Aim(
        "published next-day R2 without context",
        ">= -0.0005 on any set",
        "",
        ", ".join(f"{name} {value:+.4f}" for name, value in r2_by_set.items()),
        min(r2_by_set.values()) >= -0.0005,
    )


def daily_aims(
    daily: tuple[Intervals, ...], walked: tuple[Intervals, ...], actual_pct: np.ndarray
) -> list[Aim]:
    """Return the interval score of a daily run over that of the walk-forward on the same rows."""
    aims = []
    for level, own, theirs in zip(LEVELS, daily, walked, strict=True):
        value = float(np.nanmean(own.score(actual_pct)) / np.nanmean(theirs.score(actual_pct)))
        aims.append(
            Aim(
                f"daily run over the walk-forward on the same rows, interval score, {level}",
                "within 0.1 %",
                "",
                f"{value:.5f}",
                abs(value - 1) <= 0.001,
            )
        )
    return aims


def _columns(intervals: Intervals, columns: list[int]) -> Intervals:
    return Intervals(intervals.level, intervals.lower[:, columns], intervals.upper[:, columns])
