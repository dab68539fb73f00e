"""Building SVG: escaped elements, scales from values to positions, and the parts charts share.

Positions along the width are percentages, so that a chart fills any screen while its text keeps its
size. Only paths need numbers: they lie in a nested drawing of fixed width that is stretched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

PLOT_WIDTH = 1000
"""Width of the nested drawing that paths use."""


def element(name: str, *content: Markup | str, **attributes: object) -> Markup:
    """Return an element; `class_` becomes class, other underscores become hyphens."""
    # A page has thousands: Markup.format takes three times as long.
    words = "".join(
        f' {_name(key)}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    # Names come from the code; values and content are escaped.
    return Markup(f"<{name}{words}>{Markup('').join(content)}</{name}>")  # noqa: S704  # nosec B704


def stretched(top: float, height: float, *content: Markup) -> Markup:
    """Return a nested drawing over the whole width, for paths made by `path`."""
    return element(
        "svg",
        *content,
        x="0",
        y=top,
        width="100%",
        height=height,
        viewBox=f"0 0 {PLOT_WIDTH} {height:g}",
        preserveAspectRatio="none",
        # Safari draws nothing of an overflowing nested drawing otherwise.
        overflow="visible",
    )


def path(points: Sequence[tuple[float, float]], *, closed: bool = False) -> str:
    """Return the `d` of a line through points: share of the width from 0 to 1, and pixels."""
    steps = " L".join(f"{share * PLOT_WIDTH:.1f} {y:.1f}" for share, y in points)
    return f"M{steps}" + ("Z" if closed else "")


def chart(words: str, height: float, *parts: Markup) -> Markup:
    """Return a chart over the whole width that says in words what it shows."""
    return element(
        "svg",
        element("title", words),
        *parts,
        class_="chart",
        width="100%",
        height=height,
        role="img",
        aria_label=words,
    )


def titled(words: str, *parts: Markup, class_: str | None = None) -> Markup:
    """Return parts of a chart with words of their own."""
    return element("g", element("title", words), *parts, class_=class_)


def vertical_line(share: float, top: float, bottom: float, class_: str) -> Markup:
    """Return a line at a share of the width."""
    x = percent(share)
    return element("line", x1=x, x2=x, y1=top, y2=bottom, class_=class_)


def horizontal_line(y: float, class_: str) -> Markup:
    """Return a line over the whole width."""
    return element("line", x1="0", x2="100%", y1=y, y2=y, class_=class_)


def column_axis(scale: Scale, label: Callable[[float], str]) -> Markup:
    """Return the axis above a column of charts that share a scale."""
    ticks = [
        element("text", label(tick), x=percent(scale(tick)), y="13", class_="tick middle")
        for tick in scale.ticks(4)
    ]
    return element(
        "svg", *ticks, class_="chart axis", width="100%", height="18", aria_hidden="true"
    )


def column_grid(scale: Scale, height: float) -> list[Markup]:
    """Return the lines below the ticks of a `column_axis`."""
    return [
        vertical_line(scale(tick), 0, height, "grid" if tick else "zero") for tick in scale.ticks(4)
    ]


def percent(share: float) -> str:
    """Return a share of the width as SVG writes it."""
    return f"{100 * share:.2f}%"


@dataclass(frozen=True)
class Scale:
    """A linear map from values to positions.

    Attributes:
        low: Value at `start`.
        high: Value at `end`.
        start: Position of `low`.
        end: Position of `high`.
    """

    low: float
    high: float
    start: float = 0.0
    end: float = 1.0

    def __call__(self, value: float) -> float:
        """Return the position of a value; one outside the range gets the nearer end."""
        if self.high == self.low:
            return (self.start + self.end) / 2
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, intervals: int = 5) -> list[float]:
        """Return round values within the range that divide it into about so many intervals."""
        step = round_up((self.high - self.low) / intervals)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(step * index, 10) for index in range(first, last + 1)]


def round_up(value: float) -> float:
    """Return the next number that is 1, 2, 2.5 or 5 times a power of ten; 1 if not positive."""
    if not value > 0 or math.isinf(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 2.5, 5, 10) if power * step >= value * (1 - 1e-9))


def _name(key: str) -> str:
    if key == "class_":
        return "class"
    return key.replace("_", "-")


def _text(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
