"""Past prices of an asset and where its forecasts place the next ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from roi_forecast.reading.histories import PriceHistory
from roi_forecast.reading.records import Forecast
from roi_web.formatting import day, number, percent, short_day
from roi_web.svg import Scale, element, path, stretched
from roi_web.svg import percent as at

_SPARKLINE_HEIGHT = 44
_CHART_HEIGHT = 300
_AXIS_HEIGHT = 22


@dataclass(frozen=True)
class _Bounds:
    """Where a forecast places the price of its target date."""

    lower_95: float
    lower_80: float
    middle: float
    upper_80: float
    upper_95: float


def _bounds(row: Forecast, start: float) -> _Bounds:
    return _Bounds(
        *(
            start * (1 + pct / 100)
            for pct in (
                row.lower_95_pct,
                row.lower_80_pct,
                row.predicted_roi_pct,
                row.upper_80_pct,
                row.upper_95_pct,
            )
        )
    )


def sparkline(history: PriceHistory | None, row: Forecast) -> Markup:
    """Return the last prices as a line and the next one as an upright interval."""
    if history is None or len(history.prices) < 2:
        return element("span", "no prices", class_="quiet")
    bounds = _bounds(row, history.prices[-1])
    reach = (*history.prices, bounds.lower_95, bounds.upper_95)
    upward = Scale(min(reach), max(reach), _SPARKLINE_HEIGHT - 4, 4)
    across = Scale(0, len(history.prices) - 1, 0.0, 0.9)
    points = [(across(index), upward(price)) for index, price in enumerate(history.prices)]
    words = (
        f"{row.symbol}: {len(history.prices)} closes from {day(history.dates[0])} to "
        f"{day(history.dates[-1])}, {number(history.prices[0])} to {number(history.prices[-1])}"
    )
    upright = [
        element(
            "line", x1="95%", x2="95%", y1=upward(low), y2=upward(high), class_=f"upright-{level}"
        )
        for level, low, high in (
            ("95", bounds.lower_95, bounds.upper_95),
            ("80", bounds.lower_80, bounds.upper_80),
        )
    ]
    return element(
        "svg",
        element("title", words),
        stretched(0, _SPARKLINE_HEIGHT, element("path", d=path(points), class_="price")),
        *upright,
        element("circle", cx=at(points[-1][0]), cy=points[-1][1], r="2.5", class_="now"),
        class_="chart",
        width="100%",
        height=_SPARKLINE_HEIGHT,
        role="img",
        aria_label=words,
    )


def price_chart(history: PriceHistory, ahead: Sequence[Forecast]) -> Markup:
    """Return the last prices and the fan of what is ahead.

    Args:
        history: Prices up to the as-of date, at least two.
        ahead: Forecasts from that date, by horizon; a single one is a fan of one step.
    """
    last = history.prices[-1]
    fan = [_bounds(row, last) for row in ahead]
    reach = [*history.prices, *(edge for step in fan for edge in (step.lower_95, step.upper_95))]
    margin = 0.06 * (max(reach) - min(reach) or 1.0)
    bottom = _CHART_HEIGHT - _AXIS_HEIGHT
    upward = Scale(min(reach) - margin, max(reach) + margin, bottom, 8)
    # One step would be a sliver: what is ahead gets at least this share of the width.
    future = max(0.09, min(0.4, len(ahead) / (len(history.prices) + len(ahead)))) if ahead else 0.0
    now = 0.98 - future
    past = Scale(0, len(history.prices) - 1, 0.0, now)
    steps = [now + future * row.horizon / ahead[-1].horizon for row in ahead]

    start = (now, upward(last))
    edges = {
        name: [
            start,
            *((x, upward(getattr(step, name))) for x, step in zip(steps, fan, strict=True)),
        ]
        for name in ("lower_95", "lower_80", "middle", "upper_80", "upper_95")
    }
    bands = [
        element(
            "path",
            d=path([*edges[f"lower_{level}"], *reversed(edges[f"upper_{level}"])], closed=True),
            class_=f"fan-{level}",
        )
        for level in ("95", "80")
    ]
    line = [(past(index), upward(price)) for index, price in enumerate(history.prices)]
    words = (
        f"Adjusted closes from {day(history.dates[0])} to {day(history.dates[-1])}, last "
        f"{number(last)}"
    )
    if ahead:
        words += (
            f"; forecast for {day(ahead[-1].target_date)}: 80 % interval "
            f"{percent(ahead[-1].lower_80_pct, 1)} to {percent(ahead[-1].upper_80_pct, 1)}"
        )
    return element(
        "svg",
        element("title", words),
        *_price_grid(upward),
        stretched(
            0,
            _CHART_HEIGHT,
            *bands,
            element("path", d=path(line), class_="price"),
            element("path", d=path(edges["middle"]), class_="middle-line"),
        ),
        element("line", x1=at(now), x2=at(now), y1="8", y2=bottom, class_="today"),
        element("circle", cx=at(now), cy=upward(last), r="3.5", class_="now"),
        *_date_labels(history, ahead, past, now),
        class_="chart",
        width="100%",
        height=_CHART_HEIGHT,
        role="img",
        aria_label=words,
    )


def _price_grid(upward: Scale) -> list[Markup]:
    parts = []
    for tick in upward.ticks(4):
        y = upward(tick)
        parts.append(element("line", x1="0", x2="100%", y1=y, y2=y, class_="grid"))
        words = number(tick, 0 if abs(tick) >= 100 else 2)
        parts.append(element("text", words, x="2", y=y - 4, class_="tick"))
    return parts


def _date_labels(
    history: PriceHistory, ahead: Sequence[Forecast], past: Scale, now: float
) -> list[Markup]:
    y = _CHART_HEIGHT - 6
    half = len(history.dates) // 2
    labels = [(0.0, short_day(history.dates[0]), "start")]
    if past(half) > 0.2:
        labels.append((past(half), short_day(history.dates[half]), "middle"))
    labels.append((now, short_day(history.dates[-1]), "end"))
    parts = [
        element("text", words, x=at(share), y=y, text_anchor=anchor, class_="tick")
        for share, words, anchor in labels
    ]
    if ahead:
        # Above the fan: on a phone there is no room beside the last session.
        words = short_day(ahead[-1].target_date)
        parts.append(element("text", words, x="100%", y="14", text_anchor="end", class_="tick"))
    return parts
