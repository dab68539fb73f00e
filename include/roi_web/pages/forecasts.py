"""The newest forecast of every asset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from roi_forecast.reading.context import read_context
from roi_forecast.reading.forecasts import (
    LatestForecast,
    ListedForecast,
    read_listed_forecasts,
)
from roi_forecast.reading.health import ChampionCheck
from roi_forecast.reading.histories import read_price_histories
from roi_forecast.reading.track_record import newest_skill, read_live_skill
from roi_forecast.reading.versions import read_next_day_skill
from roi_web.charts.intervals import interval_axis, interval_bar, shared_scale
from roi_web.charts.prices import sparkline
from roi_web.chosen import Chosen, ChosenName
from roi_web.database import ReadConnection
from roi_web.navigation import Tab
from roi_web.rendering import render

TAB = Tab("", "Forecasts", position=1)

router = APIRouter()

ASSETS_ON_A_PAGE = 50
SPARKLINE_BARS = 60

Order = Literal["symbol", "forecast", "width"]
ORDERS: dict[Order, tuple[str, Callable[[ListedForecast], float]]] = {
    "symbol": ("Symbol", lambda _: 0.0),
    "forecast": ("Forecast, highest first", lambda row: -row.predicted_roi_pct),
    "width": ("Interval, widest first", lambda row: row.lower_80_pct - row.upper_80_pct),
}
"""The label of each order, and the number that it sorts by before the symbol."""


@router.get(f"/{TAB.path}")
def show_forecasts(
    request: Request,
    connection: ReadConnection,
    chosen: ChosenName,
    search: Annotated[str, Query(max_length=100)] = "",
    order: Order = "symbol",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> HTMLResponse:
    """Show one page of the list of assets, after searching and sorting all of them."""
    rows = read_listed_forecasts(connection, chosen.model_name) if chosen.model_name else []
    _, sort_key = ORDERS[order]
    words = search.casefold().split()
    found = sorted(
        (row for row in rows if not words or _matches(row, words)),
        key=lambda row: (sort_key(row), row.symbol),
    )
    pages = max(1, -(-len(found) // ASSETS_ON_A_PAGE))
    page = min(page, pages)
    places = slice((page - 1) * ASSETS_ON_A_PAGE, page * ASSETS_ON_A_PAGE)
    # The heading is that of the first asset, whatever is found.
    latest = _read_latest(connection, chosen, [row.symbol for row in (*found[places], *rows[:1])])
    first = latest.get(rows[0].symbol) if rows else None
    shown = [latest[row.symbol] for row in found[places] if row.symbol in latest]
    histories = (
        read_price_histories(
            connection,
            shown[0].source,
            [row.symbol for row in shown],
            SPARKLINE_BARS,
            shown[0].as_of_date,
        )
        if shown
        else {}
    )
    alerts, _ = ChampionCheck.read(
        connection,
        ChampionCheck.view.c.version_id == (first.version_id if first else None),
        ChampionCheck.view.c.serving,
        ChampionCheck.view.c.newest,
        ChampionCheck.view.c.state == "below",
    )
    scale = shared_scale(rows)
    return render(
        request,
        "forecasts.html",
        tab=TAB,
        chosen=chosen,
        first=first,
        total=len(rows),
        found=len(found),
        shown=[
            (row, sparkline(histories.get(row.symbol), row), interval_bar(row, scale))
            for row in shown
        ],
        axis=interval_axis(scale),
        skill=read_next_day_skill(connection, first.version_id) if first else None,
        context=read_context(connection, first.model_name) if first else [],
        lately=newest_skill(read_live_skill(connection, first.model_name)) if first else None,
        missing=sorted({symbol for row in rows for symbol in row.missing_context}),
        alerts=alerts,
        search=search,
        order=order,
        orders={name: label for name, (label, _) in ORDERS.items()},
        page=page,
        pages=pages,
    )


def _read_latest(
    connection: Connection, chosen: Chosen, symbols: Sequence[str]
) -> dict[str, LatestForecast]:
    """Read all that is known of some assets' newest next-session forecasts, by their symbols."""
    latest = LatestForecast.view.c
    rows, _ = LatestForecast.read(
        connection,
        latest.model_name == chosen.model_name,
        latest.horizon == 1,
        latest.symbol.in_(symbols),
    )
    return {row.symbol: row for row in rows}


def _matches(row: ListedForecast, words: list[str]) -> bool:
    name = f"{row.symbol} {row.name or ''}".casefold()
    return all(word in name for word in words)
