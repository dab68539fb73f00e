"""How good the forecasts several sessions ahead and their intervals are, beside simple peers."""

from __future__ import annotations

import numpy as np
from horizon_walk import HorizonWalk

from roi_forecast.array_types import FloatArray
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.bootstrap import bootstrap_mean
from roi_forecast.features.returns import to_percent
from roi_forecast.forecaster.calibration import METHODS

HORIZONS = (1, 5, 10, 20, 30)


def horizon_tables(walk: HorizonWalk) -> list[str]:
    """Return the tables, as lines of Markdown."""
    counts = [np.isfinite(walk.actual_pct(horizon)).sum() for horizon in walk.horizons]
    told = ", ".join(
        f"{count} of {horizon}" for horizon, count in zip(walk.horizons, counts, strict=True)
    )
    reading = (
        f"Forecasts of the linear part from each of {len(walk.dates)} sessions, {walk.dates[0]} "
        f"to {walk.dates[-1]}; known outcomes by horizon: {told}. Outcomes of "
        "neighbouring sessions overlap: at horizon 20 only every twentieth shares no session with "
        "the one before, and all assets move together, so chance explains large differences."
    )
    lines = ["## Several sessions ahead", "", reading, "", *_skill(walk)]
    for number, level in enumerate((80, 95)):
        lines += _intervals(walk, number, level)
    return [*lines, *_half_years(walk)]


def _skill(walk: HorizonWalk) -> list[str]:
    lines = [
        "| horizon | forecast | MAE, % | MAE of zero | R2 against zero |",
        "|---|---|---|---|---|",
    ]
    for horizon in walk.horizons:
        actual = walk.actual_pct(horizon)
        zero = metrics.mean_absolute_error.overall(actual, np.zeros(actual.shape))
        for method in METHODS:
            forecast = to_percent(walk.log_roi(method, horizon))
            error = metrics.mean_absolute_error.overall(actual, forecast)
            gain = metrics.r2_against_zero.overall(actual, forecast)
            lines.append(f"| {horizon} | {method} | {error:.3f} | {zero:.3f} | {gain:+.4f} |")
    return [*lines, ""]


def _intervals(walk: HorizonWalk, number: int, level: int) -> list[str]:
    reading = (
        f"Intervals at {level} %: interval score in percent points, and relative to that of two "
        "peers: GARCH(1,1) with Student's t, by simulated paths and without conformal quantiles, "
        "and the interval of the next session times the root of the horizon. The difference to "
        "GARCH has bounds that hold 95 % of the resampled means (blocks of twice the horizon, at "
        "least 20 sessions)."
    )
    header = (
        *("horizon", "forecast", "score", "relative to GARCH", "to root of time"),
        *("less GARCH's", "coverage", "single assets", "coverage, GARCH", "root of time"),
    )
    lines = [reading, "", f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for horizon in walk.horizons:
        actual = walk.actual_pct(horizon)
        peers = walk.garch[horizon][number], walk.root_of_time[horizon][number]
        garch, root = (peer.score(actual) for peer in peers)
        peers_covered = [np.nanmean(peer.covers(actual)) for peer in peers]
        for method in METHODS:
            shipped = walk.intervals(method, horizon)[number]
            own, covered = shipped.score(actual), shipped.covers(actual)
            assets = np.nanmean(covered, axis=0)
            less = bootstrap_mean(own - garch, block_sessions=max(20, 2 * horizon))
            lines.append(
                f"| {horizon} | {method} | {np.nanmean(own):.3f} | "
                f"{np.nanmean(own) / np.nanmean(garch):.4f} | "
                f"{np.nanmean(own) / np.nanmean(root):.4f} | "
                f"{less.mean:+.3f} ({less.lower_95:+.3f} to {less.upper_95:+.3f}) | "
                f"{np.nanmean(covered):.3f} | {assets.min():.3f} to {assets.max():.3f} | "
                f"{peers_covered[0]:.3f} | {peers_covered[1]:.3f} |"
            )
    return [*lines, ""]


def _half_years(walk: HorizonWalk) -> list[str]:
    halves = np.array(
        [
            f"{day.year} {'first' if day.month <= 6 else 'second'} half"
            for day in walk.dates.tolist()
        ]
    )
    columns = [(horizon, method) for horizon in walk.horizons[1:] for method in METHODS]
    lines = [
        "Coverage at 80 % / 95 % by the half-year of the first forecast session:",
        "",
        "| half-year | " + " | ".join(f"{horizon}, {method}" for horizon, method in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    covered = [
        [each.covers(walk.actual_pct(horizon)) for each in walk.intervals(method, horizon)]
        for horizon, method in columns
    ]
    for half in dict.fromkeys(halves.tolist()):
        days = halves == half
        cells = [" / ".join(_share(each[days]) for each in levels) for levels in covered]
        lines.append(f"| {half} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _share(covered: FloatArray) -> str:
    known = covered[np.isfinite(covered)]
    return f"{known.mean():.3f}" if len(known) else ""
