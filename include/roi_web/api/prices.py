"""Stored prices, and charts of one asset as data."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from roi_forecast.quoting import quoted
from roi_forecast.reading.forecasts import LatestForecast, Outcome
from roi_forecast.reading.histories import Price, read_currency, read_price_histories
from roi_forecast.reading.model_names import ModelName
from roi_web.api.routes import ApiRoute
from roi_web.api.shapes import RESPONSES, Page, PeriodQuery, Word, require_known
from roi_web.database import ReadConnection
from roi_web.explorable.chart import Chart
from roi_web.explorable.outcomes import explorable_outcomes
from roi_web.explorable.prices import explorable_prices

router = APIRouter(tags=["prices"], responses=RESPONSES, route_class=ApiRoute)


class PriceQuery(PeriodQuery):
    """Prices of one asset, from the source of a model name."""

    model_name: Word = Field(exclude=True, description="The model name whose source is read.")
    symbol: Word = Field(description="The asset, by its Yahoo symbol.")


class AssetQuery(BaseModel):
    """An asset under a model name."""

    model_name: Word = Field(description="The model name.")
    symbol: Word = Field(description="The asset, by its Yahoo symbol.")


@router.get("/prices")
def list_prices(connection: ReadConnection, query: Annotated[PriceQuery, Query()]) -> Page[Price]:
    """List the stored daily bars of an asset, newest first."""
    price = Price.view.c
    is_wanted = price.source == _source_of(connection, query.model_name)
    return query.read(connection, Price, is_wanted, *query.in_period(price.trading_date))


@router.get("/charts/prices")
def get_price_chart(connection: ReadConnection, query: Annotated[AssetQuery, Query()]) -> Chart:
    """Return all stored prices of an asset and the fan of its newest forecasts as a chart."""
    source = _source_of(connection, query.model_name)
    histories = read_price_histories(connection, source, [query.symbol]) if source else {}
    history = histories.get(query.symbol)
    if source is None or history is None:
        require_known(connection, symbol=query.symbol)
        raise HTTPException(
            404, f"no price of {quoted(query.symbol)} is stored for {quoted(query.model_name)}"
        )
    ahead = LatestForecast.read_all(
        connection,
        LatestForecast.view.c.model_name == query.model_name,
        LatestForecast.view.c.symbol == query.symbol,
    )
    return explorable_prices(
        query.symbol, read_currency(connection, source, query.symbol), history, ahead
    )


@router.get("/charts/outcomes")
def get_outcome_chart(connection: ReadConnection, query: Annotated[AssetQuery, Query()]) -> Chart:
    """Return every next-session forecast of an asset with its outcome as a chart."""
    require_known(connection, model_name=query.model_name, symbol=query.symbol)
    outcomes = Outcome.read_all(
        connection,
        Outcome.view.c.model_name == query.model_name,
        Outcome.view.c.symbol == query.symbol,
        Outcome.view.c.horizon == 1,
    )
    return explorable_outcomes(query.symbol, outcomes)


def _source_of(connection: Connection, model_name: str) -> str | None:
    """Return the source of a model name's prices, or None if none of its runs had one."""
    require_known(connection, model_name=model_name)
    (name,), _ = ModelName.read(connection, ModelName.view.c.model_name == model_name)
    return name.source
