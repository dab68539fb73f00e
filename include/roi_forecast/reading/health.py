"""The state of the prices and of the newest run, in a few figures."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, Field
from sqlalchemy import Connection, func, select

from roi_forecast.reading import views
from roi_forecast.reading.records import ModelName, Run


class HealthSummary(BaseModel):
    """What the newest run of a model name left behind."""

    name: ModelName
    run: Run | None = Field(description="The newest run, or null where none is on record.")
    assets: int = Field(description="Assets that the run tried to extract.")
    assets_up_to_date: int = Field(description="Of these, with a bar of the run's as-of date.")
    oldest_last_bar: date | None = Field(description="The last bar of the asset furthest behind.")


def read_health(connection: Connection, model_name: str | None = None) -> list[HealthSummary]:
    """Return one summary for each model name, or for the one that is given."""
    names, runs, assets = views.model_names, views.run_history, views.asset_health
    chosen = select(names).order_by(names.c.model_name)
    newest_runs = select(runs).join(names, names.c.last_run_id == runs.c.run_id)
    counts = select(
        assets.c.model_name,
        func.count().label("assets"),
        func.count().filter(assets.c.last_bar_date >= assets.c.as_of_date).label("up_to_date"),
        func.min(assets.c.last_bar_date).label("oldest"),
    ).group_by(assets.c.model_name)
    if model_name is not None:
        chosen = chosen.where(names.c.model_name == model_name)
        newest_runs = newest_runs.where(names.c.model_name == model_name)
        counts = counts.where(assets.c.model_name == model_name)
    run_of = {row["model_name"]: row for row in connection.execute(newest_runs).mappings()}
    counted = {row.model_name: row for row in connection.execute(counts)}
    summaries = []
    for row in connection.execute(chosen).mappings():
        name = ModelName.model_validate(dict(row))
        run, count = run_of.get(name.model_name), counted.get(name.model_name)
        summaries.append(
            HealthSummary(
                name=name,
                run=None if run is None else Run.model_validate(dict(run)),
                assets=0 if count is None else count.assets,
                assets_up_to_date=0 if count is None else count.up_to_date,
                oldest_last_bar=None if count is None else count.oldest,
            )
        )
    return summaries
