"""Numbers in sentences for terminals, logs and stored reasons, with plain minus signs.

No text says nan, inf, None or -0: a figure that is not defined is a word, and zero has no sign.
"""

from __future__ import annotations

import math

UNDEFINED = "undefined"
_NEARLY_ALL = 0.9
"""If the share of forecasts with a direction is smaller, it is told too."""


def written(figure: float | None, digits: int = 4) -> str:
    """Return a figure with so many decimals."""
    if figure is None or not math.isfinite(figure):
        return UNDEFINED
    return without_sign_of_zero(f"{figure:.{digits}f}")


def signed(figure: float | None, digits: int = 4) -> str:
    """Return a figure with its sign; zero has none."""
    text = written(figure, digits)
    return text if text == UNDEFINED or text.startswith("-") or is_zero(text) else f"+{text}"


def short(figure: float) -> str:
    """Return a number that a person chose, such as a limit, with no more digits than it needs."""
    return without_sign_of_zero(f"{figure:.6g}")


def percent(share: float | None, digits: int = 0) -> str:
    """Return a share as a percentage: 80 %."""
    text = written(None if share is None else 100 * share, digits)
    return text if text == UNDEFINED else f"{text} %"


def with_bounds(figure: float | None, lower: float | None, upper: float | None) -> str:
    """Return a figure with its 95 % bounds, or what it lacks."""
    bounds = (signed(lower), signed(upper))
    if signed(figure) == UNDEFINED or UNDEFINED in bounds:
        return f"{signed(figure)} (no bounds)"
    return f"{signed(figure)} (95 %: {bounds[0]} to {bounds[1]})"


def direction(accuracy: float | None, directions_share: float | None) -> str:
    """Return in how many forecasts the direction was right; nothing where none has a direction.

    Args:
        accuracy: Share of correct signs among the forecasts with a direction.
        directions_share: Share of these, where neither ROI is zero, among all; None if unknown.
    """
    text = percent(accuracy, 1)
    if text == UNDEFINED:
        return ""
    if directions_share is None or directions_share >= _NEARLY_ALL:
        return f"direction right in {text}"
    return (
        f"direction right in {text} of the {percent(directions_share, 1)} of forecasts that have "
        "one"
    )


def without_sign_of_zero(text: str) -> str:
    """Return a number's text, without the minus sign if all of its digits are zero."""
    return text.removeprefix("-") if is_zero(text) else text


def is_zero(text: str) -> bool:
    """Tell whether a number's text has no digit but zero."""
    return not any(digit in text for digit in "123456789")
