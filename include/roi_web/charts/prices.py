"""Past prices of an asset, and where its forecasts place the next ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from roi_forecast.reading.forecasts import Forecast
from roi_forecast.reading.histories import PriceHistory
from roi_web.formatting import day, number, percent, short_day
from roi_web.svg import Scale, chart, element, horizontal_line, path, stretched, vertical_line
from roi_web.svg import percent as at

_SPARKLINE_HEIGHT = 44
_CHART_HEIGHT = 300
_AXIS_HEIGHT = 22


def sparkline(history: PriceHistory | None, row: Forecast) -> Markup:
    """Return the last prices as a line and the interval of the next one as an upright bar."""
    if history is None or len(history.prices) < 2:
        return element("span", "no prices", class_="quiet")
    next_price = _price_from(history.prices[-1])
    lowest, highest = next_price(row.lower_95_pct), next_price(row.upper_95_pct)
    reach = (*history.prices, lowest, highest)
    upward = Scale(min(reach), max(reach), _SPARKLINE_HEIGHT - 4, 4)
    across = Scale(0, len(history.prices) - 1, 0.0, 0.9)
    points = [(across(index), upward(price)) for index, price in enumerate(history.prices)]
    words = (
        f"{row.symbol}: {len(history.prices)} closes from {day(history.dates[0])} to "
        f"{day(history.dates[-1])}, {number(history.prices[0])} to {number(history.prices[-1])}"
    )
    return chart(
        words,
        _SPARKLINE_HEIGHT,
        stretched(0, _SPARKLINE_HEIGHT, element("path", d=path(points), class_="price")),
        vertical_line(0.95, upward(lowest), upward(highest), "upright-95"),
        vertical_line(
            0.95,
            upward(next_price(row.lower_80_pct)),
            upward(next_price(row.upper_80_pct)),
            "upright-80",
        ),
        element("circle", cx=at(points[-1][0]), cy=points[-1][1], r="2.5", class_="now"),
    )


def price_chart(history: PriceHistory, ahead: Sequence[Forecast]) -> Markup:
    """Return the last prices and the fan of the forecasts.

    Args:
        history: Prices up to the as-of date, at least two.
        ahead: Forecasts from that date, by horizon; a single one is a fan of one step.
    """
    last = history.prices[-1]
    next_price = _price_from(last)
    edges = {
        name: [next_price(getattr(row, f"{name}_pct")) for row in ahead]
        for name in ("lower_95", "lower_80", "predicted_roi", "upper_80", "upper_95")
    }
    reach = [*history.prices, *edges["lower_95"], *edges["upper_95"]]
    margin = 0.06 * (max(reach) - min(reach) or 1.0)
    bottom = _CHART_HEIGHT - _AXIS_HEIGHT
    upward = Scale(min(reach) - margin, max(reach) + margin, bottom, 8)
    # One step would be a sliver: the fan gets at least this share of the width.
    future = max(0.09, min(0.4, len(ahead) / (len(history.prices) + len(ahead)))) if ahead else 0.0
    now = 0.98 - future
    past = Scale(0, len(history.prices) - 1, 0.0, now)
    steps = [now, *(now + future * row.horizon / ahead[-1].horizon for row in ahead)]
    lines = {
        name: [(x, upward(price)) for x, price in zip(steps, (last, *prices), strict=True)]
        for name, prices in edges.items()
    }
    bands = [
        element(
            "path",
            d=path([*lines[f"lower_{level}"], *reversed(lines[f"upper_{level}"])], closed=True),
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
    return chart(
        words,
        _CHART_HEIGHT,
        *_price_grid(upward),
        stretched(
            0,
            _CHART_HEIGHT,
            *bands,
            element("path", d=path(line), class_="price"),
            element("path", d=path(lines["predicted_roi"]), class_="middle-line"),
        ),
        vertical_line(now, 8, bottom, "today"),
        element("circle", cx=at(now), cy=upward(last), r="3.5", class_="now"),
        *_date_labels(history, ahead, past, now),
    )


def _price_from(start: float) -> Callable[[float], float]:
    return lambda roi_pct: start * (1 + roi_pct / 100)


def _price_grid(upward: Scale) -> list[Markup]:
    parts = []
    for tick in upward.ticks(4):
        y = upward(tick)
        parts.append(horizontal_line(y, "grid"))
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
        # Above the fan: a phone has no room next to the last session.
        words = short_day(ahead[-1].target_date)
        parts.append(element("text", words, x="100%", y="14", text_anchor="end", class_="tick"))
    return parts
