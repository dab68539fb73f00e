"""Reading dates, and finding out from all dates of a file how it writes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from roi_forecast.market.sources.csv_files.conventions import Dates

FIRST_DATE = date(1800, 1, 1)
"""No price is older; a date before it is a mistake."""

_ZONE = r"(?P<zone>Z|UTC|GMT|(?:UTC|GMT)?[+-]\d{2}(?::?\d{2})?(?: ?\([A-Za-z ]+\))?)"
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    rf"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?(?: ?{_ZONE})?"
)
_TIME = rf"(?:(?:[T ]|, ?) ?{_CLOCK})?"
_YEAR_FIRST = re.compile(
    rf"(?P<year>\d{{4}})([-/.])(?P<month>\d{{1,2}})\2(?P<day>\d{{1,2}})\.?{_TIME}"
)
_COMPACT = re.compile(
    rf"(?P<year>(?:18|19|20|21)\d\d)(?P<month>\d\d)(?P<day>\d\d)(?:\.0+|[T ]?\d{{6}}|{_TIME})"
)
_ASIAN = re.compile(r"(\d{4}) ?[年년] ?(\d{1,2}) ?[月월] ?(\d{1,2}) ?[日일]")
_MOMENT = re.compile(r"(-?\d{9,19})(?:\.0*)?")
DAY_MONTH = re.compile(
    rf"(?P<first>\d{{1,2}})(?P<mark>[-/.])(?P<second_part>\d{{1,2}})(?P=mark)"
    rf"(?P<year>\d{{4}}|\d{{2}}){_TIME}"
)
_WORD = r"(?P<name>[^\W\d_]{3,10})\.?"
_NAMED = (
    re.compile(
        rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:\.? |[-/.])(?:de )?{_WORD}(?:,? |[-/.])(?:de )?"
        rf"(?P<year>\d{{4}}|'?\d{{2}}){_TIME}"
    ),
    re.compile(rf"(?P<day>\d{{2}}){_WORD}(?P<year>\d{{4}}|\d{{2}}){_TIME}"),
    re.compile(
        rf"{_WORD}[ -](?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:, ?|[ -])(?P<year>\d{{4}}){_TIME}"
    ),
    re.compile(rf"(?P<year>\d{{4}})[- ]{_WORD}[- ](?P<day>\d{{1,2}}){_TIME}"),
)
_WEEKDAY = re.compile(r"[^\W\d_]{2,10}\.?,? (?=\S+ \S)")
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan ene gen sty", "feb fev lut", "mar mrt", "apr abr avr kwi", "may mai mag maj mei",
            "jun giu cze juin", "jul lug lip juil", "aug ago aou sie agu", "sep set wrz",
            "oct okt ott out paz", "nov lis", "dec dez dic gru",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
# A date and a time without marks is more likely than the milliseconds of a day in 1976.
_MINUTE = re.compile(r"(?:19|20|21)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d")
_UNITS = {9: 10**6, 10: 10**6, 11: 10**3, 12: 10**3, 13: 10**3, 16: 1, 19: 1}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1)
_NO_DAY = np.iinfo(np.int64).min


class _Written(NamedTuple):
    """A date as written: of a day and month in doubt, both parts."""

    year: int
    first: int
    second: int
    is_open: bool = False
    clock: time | None = None
    zone: timezone | None = None


class Moments(NamedTuple):
    """Dates as read, shape (texts,).

    Attributes:
        days: As datetime64[D]; NaT where a text is not a date.
        moments: As datetime64[us] in UTC, where the text names a time of day with a zone; else NaT.
    """

    days: npt.NDArray[np.datetime64]
    moments: npt.NDArray[np.datetime64]


def settles(example: str) -> bool:
    """Return whether csv_dates would settle how a text is read as a date."""
    match = DAY_MONTH.fullmatch(example)
    return match is not None


def last_date() -> date:
    """Return the last date that any exchange may have now."""
    return datetime.now(UTC).date() + timedelta(days=1)


def read_dates(texts: Sequence[str], order: Dates) -> Moments:
    """Read dates as text.

    A plain date, and midnight in any zone, count as written. Any other time of day with a zone is
    a moment, which each exchange has on its own date.

    Args:
        texts: The texts.
        order: Of day and month in `01/02/2024`; auto: such a text is no date.
    """
    days = np.full(len(texts), _NO_DAY, np.int64)
    moments = np.full(len(texts), _NO_DAY, np.int64)
    for at, text in enumerate(texts):
        found = _moment(text)
        if found is None:
            found = _day_and_moment(_written(text), order)
        if found is not None:
            days[at], moments[at] = found
    return Moments(days.astype("datetime64[D]"), moments.astype("datetime64[us]"))


def _moment(text: str) -> tuple[int, int] | None:
    """Read seconds, or parts of them, since 1970."""
    match = _MOMENT.fullmatch(text)
    unit = _UNITS.get(len(match[1].lstrip("-"))) if match else None
    if match is None or unit is None or _MINUTE.fullmatch(match[1]):
        return None
    since = int(match[1])
    microseconds = since // 1000 if len(match[1].lstrip("-")) == 19 else since * unit
    day, rest = divmod(microseconds, 86_400 * 10**6)
    return day, _NO_DAY if rest == 0 else microseconds


def _written(text: str) -> _Written | None:
    if not text.isascii():
        text = _ASIAN.sub(r"\1-\2-\3", text)
    match = _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text)
    if match:
        return _timed(match, int(match["year"]), int(match["month"]), int(match["day"]))
    match = DAY_MONTH.fullmatch(text)
    if match:
        year = whole_year(match["year"])
        first, second = int(match["first"]), int(match["second_part"])
        written = _timed(match, year, first, second)
        return written and written._replace(is_open=True)
    for candidate in (text, _WEEKDAY.sub("", text, count=1)):
        for pattern in _NAMED:
            match = pattern.fullmatch(candidate)
            month = _month(match["name"]) if match else None
            if match and month:
                return _timed(match, whole_year(match["year"]), month, int(match["day"]))
    return None


def _timed(match: re.Match[str], year: int, first: int, second: int) -> _Written | None:
    found = match.groupdict()
    if found.get("hour") is None:
        return _Written(year, first, second)
    hour, minute, seconds = int(found["hour"]), int(found["minute"]), int(found["second"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (found["half"] in "Pp")
    if hour > 23 or minute > 59 or seconds > 59:
        return None
    zone = found["zone"]
    return _Written(
        year,
        first,
        second,
        is_open=False,
        clock=time(hour, minute, seconds),
        zone=_zone(zone) if zone else None,
    )


def _zone(text: str) -> timezone:
    digits = re.sub(r"\(.*\)|[^\d+-]", "", text)
    if not digits:
        return UTC
    hours, minutes = int(digits[1:3]), int(digits[3:5] or 0)
    offset = timedelta(hours=min(hours, 23), minutes=minutes)
    return timezone(-offset if digits[0] == "-" else offset)


def _day_and_moment(written: _Written | None, order: Dates) -> tuple[int, int] | None:
    if written is None or (written.is_open and order == "auto"):
        return None
    month, day_of_month = written.first, written.second
    if written.is_open and order == "day_first":
        month, day_of_month = day_of_month, month
    day = day_of(written.year, month, day_of_month)
    if day is None:
        return None
    number = (day - _EPOCH_DAY).days
    # Years near 1 or 9999 cannot be converted to every zone; they are refused later.
    if written.zone is None or not written.clock or written.clock == time() or day.year > 9000:
        return number, _NO_DAY
    moment = datetime.combine(day, written.clock, written.zone)
    if day < FIRST_DATE:
        return number, _NO_DAY
    return number, (moment - _EPOCH) // timedelta(microseconds=1)


def day_of(year: int, month: int, day: int) -> date | None:
    """Return a day, or None if there is none such."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def whole_year(text: str) -> int:
    """Return a year of two or four digits; two stand for 1969 to 2068."""
    digits = text.lstrip("'")
    year = int(digits)
    return year if len(digits) == 4 else year + (1900 if year >= 69 else 2000)


def _month(name: str) -> int | None:
    letters = unicodedata.normalize("NFKD", name.lower())
    letters = "".join(c for c in letters if not unicodedata.combining(c))
    return _MONTHS.get(letters[:4]) or _MONTHS.get(letters[:3])
