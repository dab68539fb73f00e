"""Forecasts against outcomes: hits and misses, coverage by day, gain over zero, calibration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import accumulate

from markupsafe import Markup

from roi_forecast.reading.forecasts import Outcome
from roi_forecast.reading.track_record import Tally
from roi_web.formatting import count, day, number, percent, share, short_day, signed
from roi_web.svg import (
    Scale,
    chart,
    element,
    horizontal_line,
    path,
    round_up,
    stretched,
    titled,
    vertical_line,
)
from roi_web.svg import percent as at

_HEIGHT = 180
_AXIS_HEIGHT = 22
_TWO_SIDED_95 = 1.96


def hit_chart(outcomes: Sequence[Outcome]) -> Markup:
    """Return past forecasts of one asset: each interval, and the actual ROI, by target date.

    The actual ROI is a disc within the 80 % interval and a diamond outside of it.

    Args:
        outcomes: Of forecasts of the next session.
    """
    known = sorted(outcomes, key=lambda row: (row.target_date, row.created_at))
    values = [
        value
        for row in known
        for value in (row.realised_roi_pct, row.lower_80_pct, row.upper_80_pct)
    ]
    reach = max(map(abs, values), default=1.0) * 1.08
    upward = Scale(-reach, reach, _HEIGHT - _AXIS_HEIGHT, 6)
    across = Scale(-0.5, len(known) - 0.5, 0.0, 1.0)
    marks = []
    for index, row in enumerate(known):
        x = across(index)
        lower, upper = upward(row.lower_80_pct), upward(row.upper_80_pct)
        words = (
            f"{day(row.target_date)}: actual {percent(row.realised_roi_pct)}, 80 % interval "
            f"{percent(row.lower_80_pct, 1)} to {percent(row.upper_80_pct, 1)}"
            + (", backfill" if row.backfill else "")
        )
        marks.append(
            titled(
                words,
                vertical_line(x, lower, upper, "upright-80"),
                _mark(at(x), upward(row.realised_roi_pct), row.inside_80),
                class_="backfill" if row.backfill else None,
            )
        )
    inside = sum(row.inside_80 for row in known)
    words = (
        f"{inside} of {count(len(known), 'actual ROI')} lay within the 80 % interval"
        if known
        else "No outcome yet"
    )
    dates = [row.target_date for row in known]
    return chart(words, _HEIGHT, *_grid(upward), *marks, *_percents(upward), *_ends(dates))


def coverage_chart(days: Mapping[date, Tally]) -> Markup:
    """Return for each target date the share of the assets within their 80 % interval."""
    dates = list(days)
    upward = Scale(0, 1, _HEIGHT - _AXIS_HEIGHT, 8)
    across = Scale(0, max(len(dates), 1), 0.0, 1.0)
    gap = 0.15 if len(dates) <= 130 else 0.0
    columns = []
    for index, (target_date, tally) in enumerate(days.items()):
        inside = tally.inside_80 / tally.forecasts
        left, right = across(index + gap / 2), across(index + 1 - gap / 2)
        parts = [
            element(
                "rect",
                x=at(left),
                y=upward(high),
                width=at(right - left),
                height=upward(low) - upward(high),
                class_=class_,
            )
            for low, high, class_ in ((0, inside, "inside"), (inside, 1, "outside"))
        ]
        words = f"{tally.inside_80} of {tally.forecasts} within the 80 % interval"
        columns.append(titled(f"{day(target_date)}: {words}", *parts))
    words = f"Share of assets within their 80 % interval on each of {count(len(dates), 'session')}"
    return chart(
        words,
        _HEIGHT,
        *(horizontal_line(upward(level), "grid") for level in (0.0, 0.5, 1.0)),
        *columns,
        horizontal_line(upward(0.8), "claimed"),
        element("text", "80 % claimed", x="4", y=upward(0.8) - 5, class_="tick strong"),
        *_ends(dates),
    )


def advantage_chart(days: Mapping[date, Tally]) -> Markup:
    """Return how much closer than zero the forecasts were, added up over the target dates.

    Each day adds the mean absolute error of a forecast of zero less that of the forecasts, in
    percentage points: above zero, the forecasts are better than none.
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
    return chart(words, _HEIGHT, *_grid(upward), drawing, *_percents(upward), *_ends(dates))


def calibration_chart(tally: Tally) -> Markup:
    """Return for both levels the claimed share and the share that was inside.

    The whisker is the 95 % interval of a binomial share (Wald). Assets move together, so the truth
    is less certain than it suggests.
    """
    levels = [
        (label, claimed, inside, inside / tally.forecasts)
        for label, claimed, inside in (
            ("80 %", 0.8, tally.inside_80),
            ("95 %", 0.95, tally.inside_95),
        )
    ]
    low = min(0.7, *(math.floor(20 * observed - 1) / 20 for *_, observed in levels))
    across = Scale(max(low, 0.0), 1.0, 0.09, 0.97)
    parts = []
    for tick in across.ticks(4):
        x = across(tick)
        parts.append(vertical_line(x, 4, 96, "grid"))
        parts.append(
            element("text", f"{number(100 * tick, 0)} %", x=at(x), y="114", class_="tick middle")
        )
    for index, (label, claimed, inside, observed) in enumerate(levels):
        y = 28 + 44 * index
        spread = _TWO_SIDED_95 * math.sqrt(observed * (1 - observed) / tally.forecasts)
        left, right = at(across(observed - spread)), at(across(observed + spread))
        parts.append(
            titled(
                f"{label} interval: {inside} of {tally.forecasts} inside, {share(observed)}",
                element("text", label, x="0", y=y + 4, class_="tick strong"),
                vertical_line(across(claimed), y - 13, y + 13, "claimed"),
                element("line", x1=left, x2=right, y1=y, y2=y, class_="whisker"),
                element("circle", cx=at(across(observed)), cy=y, r="5.5", class_="point"),
            )
        )
    words = "; ".join(
        f"of the {label} intervals {share(observed)} held" for label, *_, observed in levels
    )
    return chart(words, 120, *parts)


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
    return [horizontal_line(upward(tick), "grid" if tick else "zero") for tick in _levels(upward)]


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
