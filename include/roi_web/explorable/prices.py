"""The stored prices of an asset and the fan of its forecasts."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from datetime import date

from roi_forecast.reading.forecasts import Forecast
from roi_forecast.reading.histories import PriceHistory
from roi_web.explorable.chart import Chart, Ranges, Values
from roi_web.formatting import day

BARS_SHOWN_FIRST = 120


def explorable_prices(
    name: str, currency: str | None, history: PriceHistory, ahead: Sequence[Forecast]
) -> Chart:
    """Return the prices, and the forecasts as prices at their target dates.

    Args:
        name: The asset, for the title.
        currency: Of the prices; None if it is unknown.
        history: At least one price.
        ahead: Forecasts from one as-of date, by horizon; those from before the history are left
            out, since their prices are unknown.
    """
    known = bisect_right(history.dates, ahead[0].as_of_date) if ahead else 0
    fan = list(ahead) if known else []
    start = history.prices[known - 1] if fan else math.nan
    dates = sorted({*history.dates, *(row.target_date for row in fan)})

    def column(values: dict[date, float]) -> list[float | None]:
        return [values.get(date_of_row) for date_of_row in dates]

    def forecast(field: str) -> list[float | None]:
        prices = {row.target_date: start * (1 + getattr(row, field) / 100) for row in fan}
        # The fan opens at the last price that the forecasts know.
        return column({history.dates[known - 1]: start, **prices} if fan else {})

    bands = [
        Ranges(
            name=f"{level} % interval",
            kind="band",
            colour=colour,
            lower=forecast(f"lower_{level}_pct"),
            upper=forecast(f"upper_{level}_pct"),
        )
        for level, colour in (("95", "wide"), ("80", "narrow"))
    ]
    closes = dict(zip(history.dates, history.prices, strict=True))
    return Chart(
        title=f"{name}: adjusted close"
        + (f" and forecast from {day(fan[0].as_of_date)}" if fan else ""),
        unit=currency or "",
        digits=price_digits(history.prices[-1]),
        dates=dates,
        series=[
            *(bands if fan else ()),
            Values(name="Adjusted close", kind="line", colour="price", values=column(closes)),
            *(
                [
                    Values(
                        name="Forecast",
                        kind="dashed",
                        colour="point",
                        values=forecast("predicted_roi_pct"),
                    )
                ]
                if fan
                else ()
            ),
        ],
        first_shown=history.dates[-min(BARS_SHOWN_FIRST, len(history.dates))],
    )


def price_digits(price: float) -> int:
    """Return the decimal digits that a price needs: two, or five significant ones below ten."""
    if not 0 < price < 10:
        return 2
    return min(10, 4 - math.floor(math.log10(price)))
