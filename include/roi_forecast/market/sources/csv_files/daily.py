"""Whether the rows of a symbol are one bar a trading date: a run takes them for that."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from roi_forecast.market.calendar_data import is_in_week, load_calendar
from roi_forecast.market.sources.csv_files.faults import Fault
from roi_forecast.universe import Exchange

_LEAST_DAYS = 10
"""Number of dates from which a rhythm shows."""

_LAST_DAYS = 60
"""Number of dates that show the week; exchanges traded on Saturdays once."""

_WEEK = 4
"""Median distance of dates in days that no daily bars have."""


def doubled(
    lines: npt.NDArray[np.int32],
    days: npt.NDArray[np.datetime64],
    values: Mapping[str, npt.NDArray[np.float64]],
) -> Fault | None:
    """Return the fault of dates with two different bars; exact doubles do no harm.

    Args:
        lines: Number of each row's line, shape (rows,).
        days: Each row's trading date, shape (rows,).
        values: Each row's prices and volume, shape (rows,) each.
    """
    order = np.argsort(days, kind="stable")
    first, second = order[:-1], order[1:]
    is_same_day = days[first] == days[second]
    if not is_same_day.any():
        return None
    first, second = first[is_same_day], second[is_same_day]
    differs = np.zeros(len(first), bool)
    for own in values.values():
        differs |= ~((own[first] == own[second]) | (np.isnan(own[first]) & np.isnan(own[second])))
    if not differs.any():
        return None
    first, second = first[differs], second[differs]
    at = int(np.argmin(lines[second]))
    text = f"two different bars of {days[second[at]]}, the other in line {lines[first[at]]}"
    dates = len(np.unique(days[~np.isnat(days)]))
    if len(np.unique(days[second])) * 2 > dates > 1 or len(second) > dates:
        text += "; most dates have several: build daily bars of them, or keep one kind of row"
    else:
        text += "; expected one bar per trading date"
    return Fault(int(lines[second[at]]), text, len(second), is_of_line=False)


def sparse(lines: npt.NDArray[np.int32], days: npt.NDArray[np.datetime64]) -> Fault | None:
    """Return the fault of bars that are weeks or months apart."""
    dates = np.unique(days[~np.isnat(days)])
    if len(dates) < _LEAST_DAYS:
        return None
    distance = float(np.median(np.diff(dates).astype(int)))
    if distance < _WEEK:
        return None
    text = f"dates are {distance:.0f} days apart, as of weekly or monthly bars; expected daily bars"
    return Fault(int(lines.min()), text, len(lines), is_of_line=False)


def shifted(
    lines: npt.NDArray[np.int32], days: npt.NDArray[np.datetime64], exchange: Exchange
) -> Fault | None:
    """Return the fault of dates a day off: on days without a session, but on none of a weekday."""
    dates = np.unique(days[~np.isnat(days)])[-_LAST_DAYS:]
    if len(dates) < _LEAST_DAYS:
        return None
    weeks = load_calendar(exchange.calendar).weeks
    outside = ~np.logical_or.reduce([is_in_week(dates, week) for week in weeks])
    weekdays = (dates.astype(int) + 3) % 7
    regular = {at for week in weeks for at, mark in enumerate(week) if mark == "1"}
    if outside.mean() < 0.1 or regular <= set(weekdays.tolist()):
        return None
    named = ", ".join(f"{_WEEKDAYS[at]}" for at in sorted(regular - set(weekdays.tolist())))
    text = (
        f"dates on {_WEEKDAYS[int(weekdays[outside][0])]} and none on {named}: a day off, as of "
        "times in another zone than the exchange's; write the exchange's dates"
    )
    at = int(np.flatnonzero(days == dates[outside][0])[0])
    return Fault(int(lines[at]), text, int(np.isin(days, dates[outside]).sum()), is_of_line=False)


_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
