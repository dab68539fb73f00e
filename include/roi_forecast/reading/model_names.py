"""Rows of model names."""

from __future__ import annotations

from datetime import date, datetime

from roi_forecast.reading.pagination import Record, row_of


@row_of("model_names", "model_name")
class ModelName(Record):
    """A name under which candidates compete and one champion serves."""

    model_name: str
    champion_version_id: str | None
    source: str | None
    simulated: bool | None
    last_run_id: str | None
    last_as_of_date: date | None
    last_run_at: datetime | None
