"""Quoting what was received: short, on one line and without control characters."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from pathlib import Path

MAX_QUOTE = 80
"""Characters of one text that an error quotes; of a longer one, its beginning and its end."""

MAX_LISTED = 10
"""Names of a list that an error gives; of the others, how many they are."""

_MAX_NAME = 400
_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = MAX_QUOTE
_short.maxlist = _short.maxtuple = _short.maxdict = _short.maxset = _short.maxfrozenset = 4
_short.maxlevel = 3


def quoted(value: object) -> str:
    """Return a value as an error may quote it."""
    return _short.repr(value)


def named(name: str | Path) -> str:
    """Return a name or path as an error may give it: as it is, unless strange or very long."""
    text = str(name)
    return text if text.isprintable() and len(text) <= _MAX_NAME else quoted(text)


def listed(names: Sequence[str]) -> str:
    """Return some names as an error may list them."""
    some = ", ".join(
        name if name.isprintable() and len(name) <= MAX_QUOTE else quoted(name)
        for name in names[:MAX_LISTED]
    )
    more = len(names) - MAX_LISTED
    return f"{some} and {more} more" if more > 0 else some
