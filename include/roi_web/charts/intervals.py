"""One forecast as a bar: both intervals and the forecast, on a scale that all assets share."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from roi_forecast.reading.forecasts import Forecast, ListedForecast
from roi_web.formatting import number, percent
from roi_web.svg import Scale, chart, column_axis, column_grid, element, round_up
from roi_web.svg import percent as at

_HEIGHT = 34
_MIDDLE = _HEIGHT / 2
_COVERED = 0.95
"""Share of the forecasts whose 95 % interval fits the scale; wider ones are cut and marked."""


def shared_scale(forecasts: Sequence[Forecast | ListedForecast]) -> Scale:
    """Return a scale around zero that fits nearly all 95 % intervals."""
    reaches = sorted(max(abs(row.lower_95_pct), abs(row.upper_95_pct)) for row in forecasts)
    reach = reaches[min(len(reaches) - 1, int(_COVERED * len(reaches)))] if reaches else 1.0
    step = round_up(reach / 3)
    limit = step * max(1, -(-reach // step))
    return Scale(-limit, limit, 0.02, 0.98)


def interval_axis(scale: Scale) -> Markup:
    """Return the axis above a column of bars."""
    return column_axis(scale, lambda tick: f"{number(tick, 0 if tick == int(tick) else 1)} %")


def _parts(row: Forecast) -> str:
    if row.gap_roi_pct is None:
        return ""
    return (
        f", opening gap {percent(row.gap_roi_pct)}, "
        f"open to close {percent(row.open_to_close_roi_pct)}"
    )


def interval_bar(row: Forecast, scale: Scale) -> Markup:
    """Return the bar of one forecast."""
    words = (
        f"{row.symbol}: forecast {percent(row.predicted_roi_pct)}{_parts(row)}; "
        f"80 % interval {percent(row.lower_80_pct, 1)} to {percent(row.upper_80_pct, 1)}; "
        f"95 % interval {percent(row.lower_95_pct, 1)} to {percent(row.upper_95_pct, 1)}"
    )
    parts = []
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
    for beyond, x, anchor, arrow in (
        (
            row.lower_95_pct < scale.low,
            "0",
            "start",
            "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
        ),
        (
            row.upper_95_pct > scale.high,
            "100%",
            "end",
            "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
        ),
    ):
        if beyond:
            parts.append(
                element("text", arrow, x=x, y=_MIDDLE + 5, text_anchor=anchor, class_="beyond")
            )
    parts.append(
        element("circle", cx=at(scale(row.predicted_roi_pct)), cy=_MIDDLE, r="4", class_="point")
    )
    return chart(words, _HEIGHT, *column_grid(scale, _HEIGHT), *parts)
