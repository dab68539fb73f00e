"""Parsing the text of bars into dates and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from roi_forecast.errors import SourceDataError
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.sources.csv_files.lines import Line
from roi_forecast.quoting import quoted

FIRST_DATE = date(1800, 1, 1)
"""No price is older; a date before it is a mistake."""

_NUMBER = r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?)"
# Texts in memory at once; daily bars have a few thousand different dates.
_MAX_TEXTS = 100_000
_NOTHING = frozenset({"", "nan", "na", "n/a", "#n/a", "null", "none"})
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?"
_ZONE = r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)"
_MOMENT = rf"{_DATE}(?:{_TIME}{_ZONE}?)?"
_MOMENT_ELSEWHERE = rf"{_DATE}{_TIME}{_ZONE}"
_MIDNIGHT = rf"{_DATE}[T ]00:00(?::00(?:\.0+)?)?{_ZONE}?"


def read_bars(lines: Sequence[Line], name: str, timezone: ZoneInfo) -> pd.DataFrame:
    """Parse the lines of one symbol in one file; there is at least one.

    Args:
        lines: The lines.
        name: The file's name in errors.
        timezone: Of the exchange.

    Returns:
        Shape (lines, 7), columns `BAR_COLUMNS`: dates without a zone, prices and volume as float64,
        NaN where there is none.

    Raises:
        SourceDataError: A value cannot be parsed; names file, line and value.
    """
    faulty = [line for line in lines if line.fault]
    if faulty:
        raise _refusal(name, faulty[0].number, str(faulty[0].fault), len(faulty), lines[0].symbol)
    texts = pd.DataFrame(
        [line.fields for line in lines], columns=list(BAR_COLUMNS), dtype=object
    ).map(str.lower)
    numbers = [line.number for line in lines]

    def require(is_valid: pd.Series[bool], column: str, expected: str) -> None:
        invalid = (~is_valid).to_numpy().nonzero()[0]
        if len(invalid):
            first = invalid[0]
            written = quoted(lines[first].fields[BAR_COLUMNS.index(column)])
            spelled = "date" if column == "trading_date" else column
            fault = f"{spelled} is {written}; expected {expected}"
            raise _refusal(name, numbers[first], fault, len(invalid), lines[0].symbol)

    last = datetime.now(UTC).date() + timedelta(days=1)
    dates = read_dates([line.fields[0] for line in lines], timezone)
    require(
        dates.notna() & dates.between(pd.Timestamp(FIRST_DATE), pd.Timestamp(last)),
        "trading_date",
        f"a date like 2024-12-31, with or without a time, from {FIRST_DATE} to {last}",
    )
    bars: dict[str, pd.Series[Any]] = {"trading_date": dates}
    for column in BAR_COLUMNS[1:]:
        is_number = texts[column].str.fullmatch(_NUMBER)
        require(
            is_number | texts[column].isin(_NOTHING),
            column,
            "a number with a decimal point, or nothing",
        )
        bars[column] = texts[column].where(is_number, "nan").astype("float64")
    return pd.DataFrame(bars)


def read_dates(texts: Sequence[str], timezone: ZoneInfo) -> pd.Series[pd.Timestamp]:
    """Return the exchange's dates, NaT where a text is not a date.

    A plain date, and midnight in any zone, count as written. Any other time of day with a zone is
    converted to the exchange's zone.
    """
    written = pd.Series(list(texts), dtype=object)
    written = written.where(written.str.fullmatch(_MOMENT), "")
    day = pd.to_datetime(written.str[:10], format="%Y-%m-%d", errors="coerce").dt.as_unit("us")
    # Years near 1 or 9999 cannot be converted to every zone; they are rejected or ignored later.
    is_moment = written.str.fullmatch(_MOMENT_ELSEWHERE) & ~written.str.fullmatch(_MIDNIGHT)
    is_moment &= day.between(pd.Timestamp(FIRST_DATE), pd.Timestamp("9000-01-01"))
    moment = pd.to_datetime(
        written.where(is_moment, ""), format="ISO8601", utc=True, errors="coerce"
    )
    local = moment.dt.tz_convert(timezone).dt.tz_localize(None).dt.normalize().dt.as_unit("us")
    # A time such as 25:00 makes the date invalid.
    clock = pd.to_datetime(written, format="ISO8601", utc=True, errors="coerce")
    return day.where(~is_moment, local).where(clock.notna())


class WrittenDates:
    """Collects dates as text and finds the last one up to `until`."""

    def __init__(self, until: date) -> None:
        self._until = pd.Timestamp(until)
        self._texts: dict[ZoneInfo, set[str]] = {}
        self._latest: list[date] = []

    def add(self, timezone: ZoneInfo, texts: Iterable[str]) -> None:
        """Add dates as text; invalid ones do not count."""
        own = self._texts.setdefault(timezone, set())
        own.update(texts)
        if len(own) > _MAX_TEXTS:
            self._settle()

    def merge(self, other: WrittenDates) -> None:
        """Add the dates of another collection."""
        self._latest += other._latest
        for timezone, texts in other._texts.items():
            self.add(timezone, texts)

    def latest(self) -> date | None:
        """Return the last date up to `until`, or None."""
        self._settle()
        return max(self._latest, default=None)

    def _settle(self) -> None:
        for timezone, texts in self._texts.items():
            days = read_dates(list(texts), timezone)
            days = days[days <= self._until]
            self._latest += [days.max().date()] if len(days) else []
        self._texts.clear()


def _refusal(name: str, number: int, fault: str, count: int, symbol: str) -> SourceDataError:
    return SourceDataError(
        f"{name}, line {number}: {fault} ({count} such line{'s' * (count > 1)} of {symbol})"
    )
