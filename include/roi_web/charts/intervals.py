"""One forecast as a bar: both intervals and the forecast itself, on a scale all assets share."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from roi_forecast.reading.records import Forecast
from roi_web.formatting import number, percent
from roi_web.svg import Scale, element, round_up
from roi_web.svg import percent as at

_HEIGHT = 34
_MIDDLE = _HEIGHT / 2
_COVERED = 0.95
"""Share of the forecasts whose 95 % interval fits the scale; wilder ones are cut and marked."""


def shared_scale(forecasts: Sequence[Forecast]) -> Scale:
    """Return a scale around zero that nearly all 95 % intervals fit on."""
    reaches = sorted(max(abs(row.lower_95_pct), abs(row.upper_95_pct)) for row in forecasts)
    reach = reaches[min(len(reaches) - 1, int(_COVERED * len(reaches)))] if reaches else 1.0
    step = round_up(reach / 3)
    limit = step * max(1, -(-reach // step))
    return Scale(-limit, limit, 0.02, 0.98)


def interval_axis(scale: Scale) -> Markup:
    """Return the axis above a column of bars."""
    ticks = [
        element(
            "text",
            f"{number(tick, 0 if tick == int(tick) else 1)} %",
            x=at(scale(tick)),
            y="13",
            class_="tick middle",
        )
        for tick in scale.ticks(4)
    ]
    return element(
        "svg", *ticks, class_="chart axis", width="100%", height="18", aria_hidden="true"
    )


def interval_bar(row: Forecast, scale: Scale) -> Markup:
    """Return the bar of one forecast."""
    words = (
        f"{row.symbol}: forecast {percent(row.predicted_roi_pct)}; "
        f"80 % interval {percent(row.lower_80_pct, 1)} to {percent(row.upper_80_pct, 1)}; "
        f"95 % interval {percent(row.lower_95_pct, 1)} to {percent(row.upper_95_pct, 1)}"
    )
    parts = [
        element(
            "line",
            x1=at(scale(tick)),
            x2=at(scale(tick)),
            y1="0",
            y2=_HEIGHT,
            class_="zero" if tick == 0 else "grid",
        )
        for tick in scale.ticks(4)
    ]
    for level, lower, upper, height in (
        ("95", row.lower_95_pct, row.upper_95_pct, 3.0),
        ("80", row.lower_80_pct, row.upper_80_pct, 12.0),
    ):
        left, right = scale(lower), scale(upper)
        parts.append(
            element(
                "rect",
                x=at(left),
                y=_MIDDLE - height / 2,
                width=at(right - left),
                height=height,
                rx="1.5",
                class_=f"interval-{level}",
            )
        )
    for beyond, edge, arrow in (
        (row.lower_95_pct < scale.low, "0", "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"),
        (row.upper_95_pct > scale.high, "100%", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"),
    ):
        if beyond:
            anchor = "start" if edge == "0" else "end"
            parts.append(
                element("text", arrow, x=edge, y=_MIDDLE + 5, text_anchor=anchor, class_="beyond")
            )
    parts.append(
        element("circle", cx=at(scale(row.predicted_roi_pct)), cy=_MIDDLE, r="4", class_="point")
    )
    return element(
        "svg",
        element("title", words),
        *parts,
        class_="chart",
        width="100%",
        height=_HEIGHT,
        role="img",
        aria_label=words,
    )
