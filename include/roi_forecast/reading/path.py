"""What a serving champion forecasts of an asset beyond the next session."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from roi_forecast.reading.listings import FORECAST_PATHS
from roi_forecast.reading.records import PathForecast
from roi_forecast.reading.views import latest_forecast_path


def read_forecast_path(
    connection: Connection, model_name: str, symbol: str
) -> Sequence[PathForecast]:
    """Read the newest path of an asset: one forecast for each horizon, the next session first."""
    rows, _ = FORECAST_PATHS.read(
        connection,
        latest_forecast_path.c.model_name == model_name,
        latest_forecast_path.c.symbol == symbol,
    )
    return rows
