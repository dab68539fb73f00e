"""One asset: its prices, its forecasts, and the outcomes of past forecasts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.responses import HTMLResponse

from roi_forecast.market.missing_columns import in_words, missed
from roi_forecast.reading.context import read_context
from roi_forecast.reading.forecasts import Forecast, LatestForecast, Outcome
from roi_forecast.reading.health import AssetHealth
from roi_forecast.reading.histories import read_currency, read_price_histories
from roi_forecast.reading.track_record import newest_skill, read_live_skill
from roi_forecast.reading.versions import read_next_day_skill
from roi_web.api.shapes import Word
from roi_web.charts.outcomes import hit_chart
from roi_web.charts.prices import price_chart
from roi_web.chosen import ChosenName
from roi_web.database import ReadConnection
from roi_web.pages.forecasts import TAB
from roi_web.rendering import render

router = APIRouter()

PRICE_BARS = 120
PAST_FORECASTS = 60


@router.get("/assets/{symbol}")
def show_asset(
    request: Request,
    connection: ReadConnection,
    chosen: ChosenName,
    symbol: Annotated[Word, Path()],
) -> HTMLResponse:
    """Show an asset under the chosen model name."""
    model_name = chosen.model_name
    published = Forecast.view.c
    past, _ = Forecast.read(
        connection,
        published.model_name == model_name,
        published.symbol == symbol,
        published.horizon == 1,
        limit=PAST_FORECASTS,
    )
    if not past:
        raise HTTPException(
            404, f"nothing was forecast for {symbol!r} under the model name {model_name!r}"
        )
    ahead, _ = LatestForecast.read(
        connection,
        LatestForecast.view.c.model_name == model_name,
        LatestForecast.view.c.symbol == symbol,
    )
    outcomes, _ = Outcome.read(
        connection,
        Outcome.view.c.model_name == model_name,
        Outcome.view.c.symbol == symbol,
        Outcome.view.c.horizon == 1,
        limit=PAST_FORECASTS,
    )
    newest = next((row for row in ahead if row.horizon == 1), None)
    reference = newest or past[0]
    health, _ = AssetHealth.read(
        connection,
        AssetHealth.view.c.model_name == model_name,
        AssetHealth.view.c.symbol == symbol,
    )
    missing = missed(health[0].missing_columns, context=health[0].context) if health else ()
    history = read_price_histories(
        connection, reference.source, [symbol], PRICE_BARS, reference.as_of_date
    ).get(symbol)
    return render(
        request,
        "asset.html",
        tab=TAB,
        chosen=chosen,
        symbol=symbol,
        newest=newest,
        reference=reference,
        ahead=ahead,
        skill=read_next_day_skill(connection, newest.version_id) if newest else None,
        context=read_context(connection, newest.model_name, symbol) if newest else [],
        lately=newest_skill(read_live_skill(connection, newest.model_name)) if newest else None,
        history=history,
        currency=read_currency(connection, reference.source, symbol),
        lacking=in_words(missing) if missing else None,
        prices=price_chart(history, ahead) if history and len(history.prices) > 1 else None,
        outcomes=outcomes,
        hits=hit_chart(outcomes),
        inside_80=sum(row.inside_80 for row in outcomes),
    )
