"""What is forecast beyond the next session, where the database has such forecasts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from roi_forecast.reading.listings import FORECASTS
from roi_forecast.reading.records import Forecast
from roi_forecast.reading.views import published_forecasts


def read_forecast_path(connection: Connection, newest: Forecast) -> Sequence[Forecast]:
    """Read the forecasts of an asset that start where its newest one starts, by horizon.

    Args:
        connection: As `roi_reader`.
        newest: The asset's newest forecast of the next session.

    Returns:
        One forecast for each horizon, the next session first.
    """
    columns = published_forecasts.c
    rows, _ = FORECASTS.read(
        connection,
        columns.version_id == newest.version_id,
        columns.symbol == newest.symbol,
        columns.as_of_date == newest.as_of_date,
    )
    return rows
