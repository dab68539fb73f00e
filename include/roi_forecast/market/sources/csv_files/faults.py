"""What is wrong with lines of a price file, and what stands between its bars."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """What is wrong with lines of one symbol.

    Attributes:
        line: The first of them.
        text: The fault.
        lines: Number of such lines.
        is_of_line: Whether the line as a whole is faulty, rather than a value.
    """

    line: int
    text: str
    lines: int = 1
    is_of_line: bool = True


def described(place: str, fault: Fault, symbol: str) -> str:
    """Return a fault in words."""
    plural = "s" * (fault.lines > 1)
    return f"{place} {fault.line}: {fault.text} ({fault.lines} such line{plural} of {symbol})"


def is_event(text: str) -> bool:
    """Return whether a text tells of a dividend or a split, as Yahoo's page does between bars."""
    lowered = text.lower()
    return "dividend" in lowered or "split" in lowered or "capital gain" in lowered
