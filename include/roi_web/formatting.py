"""Numbers and dates for people."""

from __future__ import annotations

import json as standard_json
import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime

from roi_forecast.number_text import is_zero, without_sign_of_zero

MINUS = "\N{MINUS SIGN}"
ABSENT = "\N{EN DASH}"
_MINUS = re.compile(r"(?<!\w)-(?=\d)")


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with a real minus sign, or a dash for none."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return without_sign_of_zero(f"{value:,.{digits}f}").replace("-", MINUS)


def signed(value: float | None, digits: int = 2) -> str:
    """Return a number with its sign; zero has none."""
    text = number(value, digits)
    return text if is_zero(text) or text.startswith(MINUS) else f"+{text}"


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


def verdict(passed: bool) -> str:
    """Return the gate's verdict on a candidate."""
    return "promoted" if passed else "rejected"


def count(amount: int, singular: str, plural: str | None = None) -> str:
    """Return an amount with its noun: 1 forecast, 2 forecasts."""
    return f"{amount:,} {singular if amount == 1 else plural or singular + 's'}"


def prose(text: str | None) -> str:
    """Return a stored sentence with real minus signs; nothing for none."""
    return _MINUS.sub(MINUS, text or "")


def listed(words: Iterable[str]) -> str:
    """Return words as a list in a sentence: a, b and c."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def seconds(amount: float | None) -> str:
    """Return a duration: 0.4 s, 12 s, 3 min 5 s, 2 h 10 min."""
    if amount is None:
        return ABSENT
    if amount < 10:
        return f"{max(amount, 0.0):.1f} s"
    whole = round(amount)
    minutes, rest = divmod(whole, 60)
    if minutes == 0:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def json(value: object) -> str:
    """Return a parameter as a run's configuration states it, with numbers at sensible length."""
    return standard_json.dumps(_shortened(value), ensure_ascii=False)


def plain(value: object) -> str:
    """Return a parameter as words: none, yes, 0.001, or the items of a list."""
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(plain, value))
    return json(value)


def _shortened(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    return value
