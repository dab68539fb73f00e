"""Numbers and dates for people."""

from __future__ import annotations

from datetime import UTC, date, datetime

MINUS = "\N{MINUS SIGN}"
ABSENT = "\N{EN DASH}"


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with a real minus sign, or a dash for none."""
    if value is None or value != value:
        return ABSENT
    text = f"{value:,.{digits}f}"
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def signed(value: float | None, digits: int = 2) -> str:
    """Return a number with its sign; zero has none."""
    text = number(value, digits)
    nothing = text == ABSENT or not any(digit in text for digit in "123456789")
    return text if nothing or text.startswith(MINUS) else f"+{text}"


def percent(value: float | None, digits: int = 2) -> str:
    """Return a signed percentage."""
    text = signed(value, digits)
    return text if text == ABSENT else f"{text} %"


def share(part: float | None, whole: float = 1.0, digits: int = 1) -> str:
    """Return a share as an unsigned percentage, or a dash if the whole is zero."""
    if part is None or not whole:
        return ABSENT
    return f"{number(100 * part / whole, digits)} %"


def day(value: date | None) -> str:
    """Return a date with its weekday: Wed 25 Nov 2026."""
    return ABSENT if value is None else f"{value:%a} {value.day} {value:%b %Y}"


def short_day(value: date | None) -> str:
    """Return a date without year: 25 Nov."""
    return ABSENT if value is None else f"{value.day} {value:%b}"


def moment(value: datetime | None) -> str:
    """Return a time in UTC to the minute."""
    if value is None:
        return ABSENT
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def words(value: str) -> str:
    """Return the name of a rule, metric or state as words."""
    return value.replace("_", " ")


def count(amount: int, singular: str, plural: str | None = None) -> str:
    """Return an amount with its noun: 1 forecast, 2 forecasts."""
    return f"{amount:,} {singular if amount == 1 else plural or singular + 's'}"
