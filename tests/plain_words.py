"""What a text for people must not hold: words of the program, and numbers that are none."""

from __future__ import annotations

import re
from html import unescape

from roi_forecast.labels import BOUNDS, FIGURES, METRICS, PREDICTORS, RULES, TARGETS

NAMES = {
    f"{name}{suffix}"
    for name in (*METRICS, *FIGURES, *TARGETS, *PREDICTORS, *RULES)
    for suffix in ("", *BOUNDS)
    if "_" in name + suffix and name != "as_of_date"
}
"""Of metrics, targets, predictors and rules; the as-of date is also a parameter."""
_NO_NUMBER = re.compile(r"(?<![\w-])(?:nan|NaN|inf|Infinity|None)(?![\w-])")
_NEGATIVE_ZERO = re.compile(r"(?<![\w.])[-\N{MINUS SIGN}]0(?:\.0*)?(?![\d.])")
# More than six decimals after the zeros that follow the point.
_LONG_NUMBER = re.compile(r"(?<![\w.])(?:0\.0*[1-9]\d{6,}|[1-9]\d*\.\d{7,})")
_WORD = re.compile(r"[A-Za-z]\w*_\w+")


def not_for_people(text: str) -> list[str]:
    """Return everything in a text that people should not have to read."""
    found = [*_NO_NUMBER.findall(text), *_NEGATIVE_ZERO.findall(text), *_LONG_NUMBER.findall(text)]
    return found + [word for word in _WORD.findall(text) if word in NAMES]


def visible_text(html: str) -> str:
    """Return what a page shows, its titles and labels included, without scripts."""
    html = re.sub(r"<(script|style|pre)\b.*?</\1>", " ", html, flags=re.DOTALL)
    spoken = re.findall(r'(?:aria-label|alt|title)="([^"]*)"', html)
    return unescape(" ".join([re.sub(r"<[^>]+>", " ", html), *spoken]))
