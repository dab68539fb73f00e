"""What a run was asked for and what each of its stages did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Connection, func, select

from roi_forecast.config import (
    BacktestRunConfig,
    Config,
    RunConfig,
    TuningRunConfig,
    parameter_schemas,
)
from roi_forecast.database.views import view_columns
from roi_forecast.reading.forecasts import Forecast
from roi_forecast.reading.pagination import Record, row_of
from roi_forecast.reading.versions import Promotion
from roi_forecast.universe import load_universe

RunState = Literal["done", "failed", "running", "waiting"]


@row_of("run_history", "-started_at", "run_id")
class Run(Record):
    """A DAG run: what it extracted, checked and decided."""

    run_id: str
    model_name: str | None
    state: RunState
    started_at: datetime
    ended_at: datetime | None
    as_of_date: date | None
    failed_stage: str | None
    reason: str | None
    dag_id: str
    source: str | None
    simulated: bool
    assets: int
    failed_extractions: int
    failed_checks: int
    version_id: str | None
    verdict_passed: bool | None
    verdict_reason: str | None


@row_of("resolved_runs", "-claimed_at", "run_id")
class ResolvedRun(Record):
    """A run whose dates and parameters are decided, and its dataset if that is known."""

    run_id: str
    model_name: str
    kind: Literal["daily", "backtest", "search"]
    source: str
    simulated: bool
    start_date: date | None
    as_of_date: date
    published_at: datetime | None
    parameters: dict[str, Any]
    walk: dict[str, Any] | None
    search: dict[str, Any] | None
    claimed_at: datetime
    dataset_id: str | None
    dataset_first_date: date | None
    dataset_last_date: date | None
    dataset_rows: int | None


StageState = Literal["running", "succeeded", "skipped", "waiting", "retrying", "failed"]


@row_of("stage_history", "attempt_id")
class StageAttempt(Record):
    """An attempt at a stage of a run."""

    attempt_id: int
    run_id: str
    dag_id: str | None
    model_name: str | None
    stage: str
    map_index: int
    attempt: int
    state: StageState
    started_at: datetime
    ended_at: datetime | None
    reason: str | None


@row_of("extraction_history", "run_id", "symbol")
class Extraction(Record):
    """What a run requested from its source for an asset or context asset, and the result."""

    model_name: str
    run_id: str
    symbol: str
    name: str | None
    context: bool
    source: str
    simulated: bool
    status: Literal["ok", "failed"]
    requested_start: date
    requested_end: date
    rows: int
    error: str | None
    missing_columns: list[str] | None
    finished_at: datetime


@dataclass(frozen=True)
class StoredForecasts:
    """The forecasts of a version that a run stored.

    Attributes:
        version_id: The version.
        as_of_date: The session from whose prices they are.
        assets: Number of assets.
        horizons: Sessions ahead, ascending.
        rows: Number of forecasts.
    """

    version_id: str
    as_of_date: date
    assets: int
    horizons: tuple[int, ...]
    rows: int


@dataclass(frozen=True)
class Parameter:
    """A parameter of a run next to its default.

    Attributes:
        name: Of the parameter.
        value: As the run has it, as a JSON value.
        default: What it is where nobody says so, as a JSON value.
    """

    name: str
    value: Any
    default: Any

    @property
    def differs(self) -> bool:
        """Whether the run has another value than the default."""
        return bool(self.value != self.default)


_KINDS: Mapping[str, type[Config]] = {
    "daily": RunConfig,
    "backtest": BacktestRunConfig,
    "search": TuningRunConfig,
}


def parameters_of(run: ResolvedRun) -> list[Parameter]:
    """Return the parameters of a run, those that differ from their default first."""
    values = {**run.parameters, **(run.walk or {}), **(run.search or {})}
    # A search takes the longest window for its dataset, and keeps the run's own apart.
    if "own_seq_len" in values:
        values["seq_len"] = values["own_seq_len"]
    universe = load_universe()
    usual = {
        "symbols": [asset.symbol for asset in universe.assets],
        "context_symbols": [asset.symbol for asset in universe.context],
    }
    found = [
        Parameter(name, values[name], usual.get(name, schema["default"]))
        for name, schema in parameter_schemas(_KINDS[run.kind]).items()
        if name in values
    ]
    return sorted(found, key=lambda parameter: not parameter.differs)


def read_stored_forecasts(connection: Connection, run_id: str) -> list[StoredForecasts]:
    """Read which forecasts a run stored, by version and as-of date."""
    forecast = view_columns(
        Forecast.view.name, "run_id", "version_id", "as_of_date", "symbol", "horizon"
    ).c
    rows = connection.execute(
        select(
            forecast.version_id,
            forecast.as_of_date,
            func.count(forecast.symbol.distinct()).label("assets"),
            func.array_agg(forecast.horizon.distinct()).label("horizons"),
            func.count().label("rows"),
        )
        .where(forecast.run_id == run_id)
        .group_by(forecast.version_id, forecast.as_of_date)
        .order_by(forecast.as_of_date, forecast.version_id)
    )
    return [
        StoredForecasts(
            row.version_id, row.as_of_date, row.assets, tuple(sorted(row.horizons)), row.rows
        )
        for row in rows
    ]


def read_promotions_by(connection: Connection, run_id: str) -> list[Promotion]:
    """Read the changes of a champion that a run made; its author ends with the run's id."""
    author = Promotion.view.c.promoted_by
    found, _ = Promotion.read(connection, author.endswith(f"run {run_id}", autoescape=True))
    return found
