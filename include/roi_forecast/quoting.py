"""Quoting input in messages: short, on one line and without control characters."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from pathlib import Path

MAX_QUOTE = 80
"""Maximum length of a quoted text; of a longer one, the beginning and the end are shown."""

MAX_LISTED = 10
"""Maximum number of names listed; the others are counted."""

_MAX_NAME = 400
_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = MAX_QUOTE
_short.maxlist = _short.maxtuple = _short.maxdict = _short.maxset = _short.maxfrozenset = 4
_short.maxlevel = 3


def quoted(value: object) -> str:
    """Quote a value."""
    return _short.repr(value)


def named(name: str | Path) -> str:
    """Return a name or path as it is, or quoted if it is not printable or very long."""
    text = str(name)
    return text if text.isprintable() and len(text) <= _MAX_NAME else quoted(text)


def listed(names: Sequence[str], most: int = MAX_LISTED) -> str:
    """List names, with the number of those beyond the first `most`."""
    some = ", ".join(
        name if name.isprintable() and len(name) <= MAX_QUOTE else quoted(name)
        for name in names[:most]
    )
    more = len(names) - most
    return f"{some} and {more} more" if more > 0 else some
