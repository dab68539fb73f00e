"""A summary of the prices and of the newest run of each model name."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Connection, func, select

from roi_forecast.reading.records import AssetHealth, ModelName, Run


class HealthSummary(BaseModel):
    """The newest run of a model name and the state of its prices."""

    name: ModelName
    run: Run | None = Field(description="The newest run; null if none is on record.")
    assets: int = Field(description="Assets that the run tried to extract, without context assets.")
    assets_up_to_date: int = Field(description="Of these, those with a bar of the as-of date.")
    oldest_last_bar: date | None = Field(description="Last bar of the asset furthest behind.")


def read_health(connection: Connection, model_name: str | None = None) -> list[HealthSummary]:
    """Return a summary of each model name, or only of the given one."""
    names, runs, asset = ModelName.view, Run.view, AssetHealth.view.c

    def is_wanted(name: ColumnElement[str]) -> list[ColumnElement[bool]]:
        return [] if model_name is None else [name == model_name]

    newest_runs = connection.execute(
        select(runs)
        .join(names, names.c.last_run_id == runs.c.run_id)
        .where(*is_wanted(names.c.model_name))
    ).mappings()
    counts = connection.execute(
        select(
            asset.model_name,
            func.count().label("assets"),
            func.count().filter(asset.last_bar_date >= asset.as_of_date).label("assets_up_to_date"),
            func.min(asset.last_bar_date).label("oldest_last_bar"),
        )
        .where(~asset.context, *is_wanted(asset.model_name))
        .group_by(asset.model_name)
    ).mappings()
    run_of = {row["model_name"]: dict(row) for row in newest_runs}
    counts_of = {row["model_name"]: dict(row) for row in counts}
    none_counted = {"assets": 0, "assets_up_to_date": 0, "oldest_last_bar": None}
    return [
        HealthSummary.model_validate(
            {
                **counts_of.get(row["model_name"], none_counted),
                "name": dict(row),
                "run": run_of.get(row["model_name"]),
            }
        )
        for row in connection.execute(
            select(names).where(*is_wanted(names.c.model_name)).order_by(names.c.model_name)
        ).mappings()
    ]
