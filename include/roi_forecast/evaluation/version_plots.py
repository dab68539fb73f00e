"""The pictures of a model version: training, forecasts, errors and intervals on its test rows."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from roi_forecast.array_types import DateArray, FloatArray
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.plot_style import default_style
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.number_text import written

MAX_PANELS = 24
"""Assets with a panel of their own; of more, those that stand evenly among all by their R2."""
MAX_NAMED = 60
"""Assets whose names fit next to a bar."""
_ROLLING_SESSIONS = 20

# Colours of Okabe and Ito, which people who are colour-blind can tell apart.
_ACTUAL, _SAID, _LIMIT, _AT_80, _AT_95 = "#555555", "#0072B2", "#000000", "#56B4E9", "#CC79A7"
_VALIDATION = "#D55E00"
_DOTS_PER_INCH = 110


@dataclass(frozen=True)
class VersionFigures:
    """What the pictures show; all rows are test targets.

    Attributes:
        title: Names the version, and says where its prices are simulated.
        symbols: The assets, in column order.
        dates: Target dates, shape (rows,), datetime64[D].
        actual: Actual scaled smoothed log ROI, shape (rows, assets), NaN where not counted.
        forecast: The version's forecast of it, same shape.
        no_skill: The oracle's forecast of it, same shape.
        actual_roi_pct: Actual plain next-day ROI, in percent, same shape, NaN where not counted.
        intervals: Published intervals of it, in percent, same shape.
        losses: For each member of the version its (loss, validation loss) by epoch, epoch 0 first;
            the loss of epoch 0 is None.
        best_epochs: For each member the epoch whose weights were kept.
    """

    title: str
    symbols: tuple[str, ...]
    dates: DateArray
    actual: FloatArray
    forecast: FloatArray
    no_skill: FloatArray
    actual_roi_pct: FloatArray
    intervals: tuple[Intervals, ...]
    losses: Sequence[Sequence[tuple[float | None, float]]]
    best_epochs: Sequence[int]


@default_style()
def draw_version(figures: VersionFigures) -> dict[str, bytes]:
    """Draw a version's pictures.

    Returns:
        A PNG by name: `loss_curves`, `forecast_and_outcome`, `error_by_asset` and
        `interval_calibration`.
    """
    return {
        "loss_curves": _draw_losses(figures),
        "forecast_and_outcome": _draw_forecasts(figures),
        "error_by_asset": _draw_errors(figures),
        "interval_calibration": _draw_calibration(figures),
    }


def shown_assets(r2: FloatArray, most: int) -> list[int]:
    """Return which assets are shown, at most so many, in column order.

    Of more assets the best, the worst and those between at even distances are taken.

    Args:
        r2: Shape (assets,); NaN counts as the worst.
        most: At least 2.
    """
    if len(r2) <= most:
        return list(range(len(r2)))
    order = np.argsort(np.nan_to_num(r2, nan=-np.inf), kind="stable")
    places = np.linspace(0, len(r2) - 1, most).round().astype(int)
    return sorted(int(asset) for asset in order[places])


def _draw_losses(figures: VersionFigures) -> bytes:
    figure = _figure(9, 4.5, f"{figures.title}: loss by epoch")
    axes = figure.subplots()
    several = len(figures.losses) > 1
    for number, (losses, best) in enumerate(zip(figures.losses, figures.best_epochs, strict=True)):
        epochs = range(len(losses))
        fitted = [np.nan if loss is None else loss for loss, _ in losses]
        validation = [loss for _, loss in losses]
        strength = 0.5 if several else 1.0
        label = number == 0
        axes.plot(
            epochs,
            fitted,
            color=_SAID,
            alpha=strength,
            label="training, with dropout" if label else None,
        )
        axes.plot(
            epochs,
            validation,
            color=_VALIDATION,
            alpha=strength,
            linestyle="--",
            label="validation" if label else None,
        )
        axes.plot(
            [best],
            [validation[best]],
            color=_VALIDATION,
            marker="o",
            linestyle="none",
            label="weights kept" if label else None,
        )
    axes.set_yscale("log")
    axes.set_xlabel("epoch; 0 is the untrained network")
    axes.set_ylabel("loss, scaled")
    axes.legend(frameon=False)
    _calm(axes)
    return _png(figure)


def _draw_forecasts(figures: VersionFigures) -> bytes:
    r2 = metrics.r2(figures.actual, figures.forecast)
    shown = shown_assets(r2, MAX_PANELS)
    columns = min(4, len(shown))
    lines = math.ceil(len(shown) / columns)
    some = "" if len(shown) == len(r2) else f", {len(shown)} of {len(r2)} assets"
    title = (
        f"{figures.title}: scaled smoothed ROI on test rows, forecast and actual{some}\n"
        "four of the five days in it are known when the forecast is made"
    )
    figure = _figure(max(8.0, 3.4 * columns), max(3.5, 1.7 * lines + 1.0), title)
    panels = np.atleast_1d(figure.subplots(lines, columns, sharex=True, squeeze=False)).ravel()
    dates = figures.dates.astype("datetime64[D]").astype(object)
    for axes, asset in zip(panels, shown, strict=False):
        axes.plot(dates, figures.actual[:, asset], color=_ACTUAL, linewidth=1.6, label="actual")
        axes.plot(dates, figures.forecast[:, asset], color=_SAID, linewidth=0.9, label="forecast")
        axes.set_title(
            f"{figures.symbols[asset]}   R2 {written(r2[asset], 2)}", fontsize=9, loc="left"
        )
        axes.tick_params(labelsize=7)
        axes.tick_params(axis="x", rotation=45)
        _calm(axes)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    panels[0].legend(frameon=False, fontsize=7)
    return _png(figure)


def _draw_errors(figures: VersionFigures) -> bytes:
    errors = metrics.mean_absolute_error(figures.actual, figures.forecast)
    limits = metrics.mean_absolute_error(figures.actual, figures.no_skill)
    order = np.argsort(np.nan_to_num(errors, nan=np.inf), kind="stable")
    named = len(order) <= MAX_NAMED
    height = 1.5 + 0.24 * len(order) if named else 5.0
    title = f"{figures.title}: mean absolute error on test rows, scaled"
    figure = _figure(8.5, height, title)
    axes = figure.subplots()
    places = np.arange(len(order))
    axes.barh(places, errors[order], color=_AT_80, height=0.7, label="the version")
    axes.plot(
        limits[order], places, color=_LIMIT, marker="|", linestyle="none", label="no-skill forecast"
    )
    if named:
        axes.set_yticks(places, [figures.symbols[asset] for asset in order], fontsize=8)
    else:
        axes.set_ylabel(f"{len(order)} assets")
    axes.legend(frameon=False, loc="lower right")
    _calm(axes)
    return _png(figure)


def _draw_calibration(figures: VersionFigures) -> bytes:
    title = f"{figures.title}: share of next-day ROIs inside the published intervals, test rows"
    figure = _figure(10, 4.6, title)
    by_asset, by_date = figure.subplots(1, 2, sharey=True)
    dates = figures.dates.astype("datetime64[D]").astype(object)
    for intervals, color in zip(figures.intervals, (_AT_80, _AT_95), strict=True):
        inside = intervals.covers(figures.actual_roi_pct)
        counts = np.isfinite(inside).sum(axis=0)
        shares = metrics.mean_of_counted(inside)
        order = np.argsort(np.nan_to_num(shares, nan=-1.0), kind="stable")
        spread = math.sqrt(intervals.level * (1 - intervals.level) / max(1, int(counts.max())))
        by_asset.axhspan(
            intervals.level - 2 * spread, intervals.level + 2 * spread, color=color, alpha=0.15
        )
        label = f"{round(100 * intervals.level)} %"
        by_asset.plot(
            range(len(order)), shares[order], color=color, marker="o", linestyle="none", label=label
        )
        by_date.plot(dates, _rolling_mean(inside, _ROLLING_SESSIONS), color=color, label=label)
        for axes in (by_asset, by_date):
            axes.axhline(intervals.level, color=color, linewidth=1, linestyle="--")
    by_asset.set_xlabel("assets, by their share; band: two standard errors around what is promised")
    by_date.set_xlabel(f"all assets, mean of {_ROLLING_SESSIONS} sessions")
    by_date.tick_params(axis="x", rotation=45)
    by_asset.set_xticks([])
    by_asset.legend(frameon=False, loc="lower right")
    by_asset.set_ylim(0.5, 1.02)
    for axes in (by_asset, by_date):
        axes.xaxis.label.set_size(8)
        _calm(axes)
    return _png(figure)


def _rolling_mean(inside: FloatArray, sessions: int) -> FloatArray:
    """Return the mean of the last sessions over all assets, shape (rows,); NaN until there are."""
    counted = np.isfinite(inside)
    sums = np.cumsum(np.where(counted, inside, 0.0).sum(axis=1))
    counts = np.cumsum(counted.sum(axis=1))
    sums[sessions:] -= sums[:-sessions].copy()
    counts[sessions:] -= counts[:-sessions].copy()
    means: FloatArray = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    means[: sessions - 1] = np.nan
    return means


def _figure(width: float, height: float, title: str) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11)
    return figure


def _calm(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # Without the library's version the same figures give the same bytes.
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()
