"""A summary of the prices and of the newest run of each model name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Connection, func, select

from roi_forecast.database.views import view_columns
from roi_forecast.reading.model_names import ModelName
from roi_forecast.reading.pagination import Record, row_of
from roi_forecast.reading.runs import Run


@row_of("asset_health", "model_name", "symbol")
class AssetHealth(Record):
    """The prices of one asset or context asset after the newest run of a model name."""

    model_name: str
    run_id: str
    symbol: str
    name: str | None
    context: bool
    source: str
    simulated: bool
    as_of_date: date
    last_bar_date: date | None
    fetched_at: datetime | None
    extraction_status: str
    extracted_rows: int
    extraction_error: str | None
    finished_at: datetime
    missing_columns: list[str] | None
    stated_currency: str | None
    failed_checks: int


class AssetState(NamedTuple):
    """What drawing thousands of assets, and finding those to look at, takes of their health.

    No `Record`, since checking the type of each value takes longer than reading it.
    """

    symbol: str
    context: bool
    as_of_date: date
    last_bar_date: date | None
    extraction_status: str
    extraction_error: str | None
    missing_columns: list[str] | None
    failed_checks: int


_states = view_columns("asset_health", "model_name", *AssetState._fields).c


def read_asset_states(connection: Connection, model_name: str) -> list[AssetState]:
    """Read all assets and context assets of a model name's newest run, ordered by symbol."""
    statement = (
        select(*(_states[name] for name in AssetState._fields))
        .where(_states.model_name == model_name)
        .order_by(_states.symbol)
    )
    return [AssetState(*row) for row in connection.execute(statement)]


@row_of("failed_price_checks", "-checked_at", "id")
class FailedCheck(Record):
    """A failed check of the prices."""

    model_name: str
    id: int
    run_id: str
    source: str
    simulated: bool
    symbol: str | None
    trading_date: date | None
    check_name: str
    severity: str
    observed: float | None
    allowed: float | None
    message: str
    checked_at: datetime


@row_of("champion_checks", "-checked_at", "run_id", "horizon", "measure")
class ChampionCheck(Record):
    """A check of one of a champion's live figures against its limit."""

    model_name: str
    version_id: str
    serving: bool
    newest: bool
    as_of_date: date
    horizon: int
    measure: str
    scope: str
    sessions: int
    threshold: float
    observed: float | None
    upper_95: float | None
    state: str
    reason: str
    run_id: str
    checked_at: datetime
    simulated: bool


@row_of("latest_drift", "model_name", "symbol")
class Drift(Record):
    """Distance of an asset's newest log ROIs from the champion's training rows."""

    model_name: str
    symbol: str
    name: str | None
    drifting: bool
    wasserstein: float | None
    wasserstein_limit: float | None
    scale_ratio: float | None
    scale_ratio_low: float | None
    scale_ratio_high: float | None
    window_first_date: date | None
    window_last_date: date | None
    as_of_date: date
    version_id: str
    run_id: str
    measured_at: datetime
    simulated: bool


@dataclass(frozen=True)
class DriftSummary:
    """The newest drift of a model name.

    Attributes:
        assets: Number of assets whose drift was measured.
        as_of_date: The session up to which it was, or None.
        drifting: Number of assets that drift.
        first: The first of these, by symbol.
    """

    assets: int
    as_of_date: date | None
    drifting: int
    first: list[Drift]


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


def read_drift(connection: Connection, model_name: str, limit: int) -> DriftSummary:
    """Read how many assets of a model name drift, and the first of them.

    Args:
        connection: As `roi_reader`.
        model_name: The model name.
        limit: Most assets to return.
    """
    drift = Drift.view.c
    assets, as_of_date, drifting = connection.execute(
        select(func.count(), func.max(drift.as_of_date), func.count().filter(drift.drifting)).where(
            drift.model_name == model_name
        )
    ).one()
    first, _ = Drift.read(connection, drift.model_name == model_name, drift.drifting, limit=limit)
    return DriftSummary(assets, as_of_date, drifting, first)
