"""The trials of a search as points in their order, with the best score so far as a line."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from roi_forecast.reading.experiments import TuningTrial
from roi_web.formatting import count, number
from roi_web.svg import Scale, chart, element, horizontal_line, path, stretched, titled
from roi_web.svg import percent as at

_HEIGHT = 220
_BOTTOM = _HEIGHT - 26
_SPREAD = 0.02
"""R2 that the chart shows at least: smaller differences are noise."""


def trial_chart(trials: Sequence[TuningTrial]) -> Markup:
    """Return the validation R2 of each trial; pruned ones are crosses at the lower edge.

    Args:
        trials: Of one study, at least one.
    """
    ordered = sorted(trials, key=lambda row: row.trial)
    scored = [(row, row.validation_r2) for row in ordered if row.validation_r2 is not None]
    values = sorted(value for _, value in scored)
    # One trial that failed to learn must not squeeze all others into a line.
    high = values[-1] if values else 1.0
    low = min(high - _SPREAD, values[len(values) // 4] if values else 0.0)
    upward = Scale(low - 0.5 * (high - low), high + 0.1 * (high - low), _BOTTOM, 10)
    across = Scale(ordered[0].trial, max(ordered[-1].trial, ordered[0].trial + 1), 0.16, 0.93)
    parts = []
    for tick in upward.ticks(4) if values else ():
        parts.append(horizontal_line(upward(tick), "grid"))
        parts.append(element("text", number(tick, 3), x="0", y=upward(tick) - 3, class_="tick"))
    best: list[tuple[float, float]] = []
    so_far = -float("inf")
    for row, value in scored:
        if best:
            best.append((across(row.trial), best[-1][1]))
        so_far = max(so_far, value)
        best.append((across(row.trial), upward(so_far)))
    if len(best) > 1:
        line = element("path", d=path(best), class_="middle-line")
        parts.append(stretched(0, _BOTTOM, line))
    for row in ordered:
        x = across(row.trial)
        if row.validation_r2 is None:
            mark = element(
                "text", "\N{MULTIPLICATION SIGN}", x=at(x), y=_BOTTOM, class_="tick middle"
            )
            parts.append(
                titled(f"trial {row.trial}: pruned after {count(row.epochs, 'epoch')}", mark)
            )
            continue
        shape = {"cx": at(x), "cy": upward(row.validation_r2), "r": "4.5"}
        words = f"trial {row.trial}: {number(row.validation_r2, 4)}"
        below = ", below the scale" if row.validation_r2 < upward.low else ""
        class_ = "miss" if below else "point"
        parts.append(titled(words + below, element("circle", **shape, class_=class_)))
    for row in (ordered[0], ordered[-1]) if len(ordered) > 1 else (ordered[0],):
        words = f"trial {row.trial}"
        parts.append(
            element("text", words, x=at(across(row.trial)), y=_HEIGHT - 6, class_="tick middle")
        )
    pruned = len(ordered) - len(scored)
    words = f"Validation R2 of {count(len(scored), 'trial')}"
    if values:
        words += f", {number(values[0], 4)} to {number(high, 4)}"
    if pruned:
        words += f"; {pruned} pruned"
    return chart(words, _HEIGHT, *parts)
