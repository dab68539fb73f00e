"""The resolved run: everything its stages need to know, decided once and stored."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Engine, select

from roi_forecast.config import BacktestConfig, ResolvedSearch, RunConfig
from roi_forecast.database.tables import runs
from roi_forecast.errors import PreflightError
from roi_forecast.universe import Asset, load_universe


class ResolvedRun(BaseModel):
    """A run whose dates, names and assets to extract are decided.

    Attributes:
        run_id: Identifies the run; Airflow's run id within Airflow.
        config: The parameters as given.
        model_name: The name under which the candidate competes.
        source_key: `yahoo`, `simulated` or `csv:<name>`.
        start_date: First date of the prices used.
        as_of_date: Last session whose prices the run may use; a reference session.
        extraction_symbols: The run's symbols and those of the serving champion.
        resolved_at: When the run was due; the bars of its as-of date were final then.
        backtest: How to walk through the prices, if the run is a backtest.
        tuning: What to search, if the run is a hyperparameter search.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    config: RunConfig
    model_name: str
    source_key: str
    start_date: date
    as_of_date: date
    extraction_symbols: tuple[str, ...]
    resolved_at: datetime
    backtest: BacktestConfig | None = None
    tuning: ResolvedSearch | None = None

    @property
    def assets(self) -> tuple[Asset, ...]:
        """The assets the candidate is trained on."""
        return load_universe().select(self.config.symbols)


def load_run(engine: Engine, run_id: str) -> ResolvedRun:
    """Read a stored run.

    Raises:
        PreflightError: No resolved run has this id.
    """
    with engine.connect() as connection:
        resolved = connection.scalar(select(runs.c.resolved).where(runs.c.run_id == run_id))
    if resolved is None:
        raise PreflightError(f"run {run_id!r} was never resolved; start with the stage resolve_run")
    return ResolvedRun.model_validate(resolved)
