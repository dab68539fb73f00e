"""How forecasts turned out: hits and misses, coverage by day, error against zero, calibration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import accumulate

from markupsafe import Markup

from roi_forecast.reading.records import Forecast, Outcome
from roi_forecast.reading.track_record import Tally
from roi_web.formatting import count, day, number, percent, share, short_day, signed
from roi_web.svg import Scale, element, path, round_up, stretched
from roi_web.svg import percent as at

_HEIGHT = 180
_AXIS_HEIGHT = 22
_TWO_SIDED_95 = 1.96


def hit_chart(forecasts: Sequence[Forecast], outcomes: Sequence[Outcome]) -> Markup:
    """Return past forecasts of one asset: each interval, and what happened, by target date.

    What happened is a disc within the 80 % interval and a diamond outside of it.

    Args:
        forecasts: Forecasts of the next session with their bounds.
        outcomes: Those of them whose target session is past; the others are not drawn.
    """
    bounds = {(row.version_id, row.as_of_date): row for row in forecasts}
    known = sorted(
        (row for row in outcomes if (row.version_id, row.as_of_date) in bounds),
        key=lambda row: (row.target_date, row.created_at),
    )
    reaches = [
        max(
            abs(row.realised_roi_pct),
            *(
                abs(edge)
                for edge in (
                    bounds[row.version_id, row.as_of_date].lower_80_pct,
                    bounds[row.version_id, row.as_of_date].upper_80_pct,
                )
            ),
        )
        for row in known
    ]
    reach = max(reaches, default=1.0) * 1.08
    upward = Scale(-reach, reach, _HEIGHT - _AXIS_HEIGHT, 6)
    across = Scale(-0.5, len(known) - 0.5, 0.0, 1.0)
    marks = []
    for index, row in enumerate(known):
        interval = bounds[row.version_id, row.as_of_date]
        x = at(across(index))
        words = (
            f"{day(row.target_date)}: realised {percent(row.realised_roi_pct)}, 80 % interval "
            f"{percent(interval.lower_80_pct, 1)} to {percent(interval.upper_80_pct, 1)}"
            + (", backfill" if row.backfill else "")
        )
        marks.append(
            element(
                "g",
                element("title", words),
                element(
                    "line",
                    x1=x,
                    x2=x,
                    y1=upward(interval.lower_80_pct),
                    y2=upward(interval.upper_80_pct),
                    class_="upright-80",
                ),
                _mark(x, upward(row.realised_roi_pct), row.inside_80),
                class_="backfill" if row.backfill else None,
            )
        )
    inside = sum(row.inside_80 for row in known)
    words = (
        f"{inside} of {count(len(known), 'realised ROI')} lay within the 80 % interval"
        if known
        else "No outcome yet"
    )
    return _chart(
        words,
        [*_grid(upward), *marks, *_percents(upward), *_ends([row.target_date for row in known])],
    )


def coverage_chart(days: Mapping[date, Tally]) -> Markup:
    """Return for each target date the share of the assets that lay within their 80 % interval."""
    dates = list(days)
    upward = Scale(0, 1, _HEIGHT - _AXIS_HEIGHT, 8)
    across = Scale(0, max(len(dates), 1), 0.0, 1.0)
    gap = 0.15 if len(dates) <= 130 else 0.0
    parts = [
        element("line", x1="0", x2="100%", y1=upward(level), y2=upward(level), class_="grid")
        for level in (0.0, 0.5, 1.0)
    ]
    for index, (target_date, tally) in enumerate(days.items()):
        inside = tally.inside_80 / tally.forecasts
        left, right = across(index + gap / 2), across(index + 1 - gap / 2)
        words = (
            f"{day(target_date)}: {tally.inside_80} of {tally.forecasts} within the 80 % interval"
        )
        column = {"x": at(left), "width": at(right - left)}
        parts.append(
            element(
                "g",
                element("title", words),
                element(
                    "rect",
                    y=upward(inside),
                    height=upward(0) - upward(inside),
                    class_="inside",
                    **column,
                ),
                element(
                    "rect",
                    y=upward(1),
                    height=upward(inside) - upward(1),
                    class_="outside",
                    **column,
                ),
            )
        )
    parts.append(
        element("line", x1="0", x2="100%", y1=upward(0.8), y2=upward(0.8), class_="claimed")
    )
    parts.append(element("text", "80 % claimed", x="4", y=upward(0.8) - 5, class_="tick strong"))
    words = f"Share of assets within their 80 % interval on each of {count(len(dates), 'session')}"
    return _chart(words, [*parts, *_ends(dates)])


def advantage_chart(days: Mapping[date, Tally]) -> Markup:
    """Return how much closer than zero the forecasts were, added up over the target dates.

    Each day adds the mean absolute error of forecasting zero less the forecasts' own, in
    percentage points: a line above zero is a forecast better than none.
    """
    dates = list(days)
    gains = accumulate(
        tally.absolute_error_of_zero - tally.absolute_error for tally in days.values()
    )
    line = [0.0, *gains]
    reach = max(max(map(abs, line)), 0.05) * 1.15
    upward = Scale(-reach, reach, _HEIGHT - _AXIS_HEIGHT, 6)
    across = Scale(0, max(len(line) - 1, 1), 0.0, 1.0)
    points = [(across(index), upward(value)) for index, value in enumerate(line)]
    words = (
        f"Added up over {count(len(dates), 'session')} the forecasts were {number(abs(line[-1]))} "
        f"percentage points {'closer than' if line[-1] > 0 else 'further off than'} zero"
    )
    drawing = stretched(0, _HEIGHT, element("path", d=path(points), class_="price"))
    return _chart(words, [*_grid(upward), drawing, *_percents(upward), *_ends(dates)])


def calibration_chart(tally: Tally) -> Markup:
    """Return for both levels the share that was claimed and the share that was inside.

    The whisker is the 95 % interval of a binomial share (Wald). Assets move together, so the truth
    is less certain than it says.
    """
    rows = (("80 %", 0.8, tally.inside_80), ("95 %", 0.95, tally.inside_95))
    shares = [inside / tally.forecasts for _, _, inside in rows]
    low = min(0.7, *(math.floor(20 * value - 1) / 20 for value in shares))
    across = Scale(max(low, 0.0), 1.0, 0.09, 0.97)
    parts = []
    for tick in across.ticks(4):
        parts.append(
            element(
                "line", x1=at(across(tick)), x2=at(across(tick)), y1="4", y2="96", class_="grid"
            )
        )
        parts.append(
            element("text", f"{100 * tick:g} %", x=at(across(tick)), y="114", class_="tick middle")
        )
    for index, ((label, claimed, inside), observed) in enumerate(zip(rows, shares, strict=True)):
        y = 28 + 44 * index
        spread = _TWO_SIDED_95 * math.sqrt(observed * (1 - observed) / tally.forecasts)
        parts.append(
            element(
                "g",
                element(
                    "title",
                    f"{label} interval: {inside} of {tally.forecasts} inside, {share(observed)}",
                ),
                element("text", label, x="0", y=y + 4, class_="tick strong"),
                element(
                    "line",
                    x1=at(across(claimed)),
                    x2=at(across(claimed)),
                    y1=y - 13,
                    y2=y + 13,
                    class_="claimed",
                ),
                element(
                    "line",
                    x1=at(across(observed - spread)),
                    x2=at(across(observed + spread)),
                    y1=y,
                    y2=y,
                    class_="whisker",
                ),
                element("circle", cx=at(across(observed)), cy=y, r="5.5", class_="point"),
            )
        )
    words = "; ".join(
        f"of the {label} intervals {share(observed)} held"
        for (label, _, _), observed in zip(rows, shares, strict=True)
    )
    return element(
        "svg",
        element("title", words),
        *parts,
        class_="chart",
        width="100%",
        height="120",
        role="img",
        aria_label=words,
    )


def _mark(x: str, y: float, inside: bool) -> Markup:
    if inside:
        return element("circle", cx=x, cy=y, r="3.5", class_="hit")
    # A nested drawing puts the diamond, which needs numbers, at a percentage.
    diamond = element("path", d="M0 -5 L5 0 L0 5 L-5 0Z", class_="miss")
    return element("svg", diamond, x=x, y=y, overflow="visible")


def _levels(upward: Scale) -> list[float]:
    step = round_up(upward.high / 2)
    return [tick for tick in (-2 * step, -step, 0.0, step, 2 * step) if abs(tick) <= upward.high]


def _grid(upward: Scale) -> list[Markup]:
    return [
        element(
            "line",
            x1="0",
            x2="100%",
            y1=upward(tick),
            y2=upward(tick),
            class_="grid" if tick else "zero",
        )
        for tick in _levels(upward)
    ]


def _percents(upward: Scale) -> list[Markup]:
    """Return the labels of the grid, to be drawn over everything else."""
    return [
        element(
            "text",
            f"{signed(tick, len(f'{tick:g}'.partition('.')[2]))} %",
            x="2",
            y=upward(tick) - 4,
            class_="tick",
        )
        for tick in _levels(upward)
    ]


def _ends(dates: Sequence[date]) -> list[Markup]:
    if not dates:
        return []
    y = _HEIGHT - 5
    labels = [element("text", short_day(dates[0]), x="0", y=y, class_="tick")]
    if len(dates) > 1:
        labels.append(
            element("text", short_day(dates[-1]), x="100%", y=y, text_anchor="end", class_="tick")
        )
    return labels


def _chart(words: str, parts: Sequence[Markup]) -> Markup:
    return element(
        "svg",
        element("title", words),
        *parts,
        class_="chart",
        width="100%",
        height=_HEIGHT,
        role="img",
        aria_label=words,
    )
