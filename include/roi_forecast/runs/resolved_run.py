"""The resolved run: everything its stages need to know, decided once and stored."""

from __future__ import annotations

import itertools
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Engine, select

from roi_forecast.config import BacktestConfig, ResolvedSearch, RunConfig
from roi_forecast.database.tables import runs
from roi_forecast.errors import PreflightError
from roi_forecast.universe import Asset, Context, load_universe


class ResolvedRun(BaseModel):
    """A run whose dates, names and assets to extract are decided.

    Attributes:
        run_id: Identifies the run; Airflow's run id within Airflow.
        config: The parameters as given; of the context assets, those that it came to.
        model_name: The name under which the candidate competes.
        source_key: The name of the source, such as `yahoo`, or `csv:<name>`.
        start_date: First date of the prices used.
        as_of_date: Last session whose prices the run may use; a reference session.
        published_at: When forecasts of the as-of date are due; the run uses no bar that became
            final later.
        champion_symbols: The assets of the serving champion.
        champion_context_symbols: The context assets of the serving champion.
        resolved_at: When the run was due, not before `published_at`.
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
    published_at: datetime
    champion_symbols: tuple[str, ...] = ()
    champion_context_symbols: tuple[str, ...] = ()
    resolved_at: datetime
    backtest: BacktestConfig | None = None
    tuning: ResolvedSearch | None = None

    @property
    def assets(self) -> tuple[Asset, ...]:
        """The assets the candidate is trained on."""
        return load_universe().select(self.config.symbols)

    @property
    def context(self) -> Context:
        """The run's context assets, and when it publishes."""
        return self.config.context

    @property
    def asset_symbols(self) -> tuple[str, ...]:
        """The run's symbols, followed by other symbols of the serving champion."""
        return _each_once(self.config.symbols, self.champion_symbols)

    @property
    def all_context_symbols(self) -> tuple[str, ...]:
        """The run's context assets, followed by others of the serving champion."""
        return _each_once(self.context.symbols, self.champion_context_symbols)

    @property
    def extraction_symbols(self) -> tuple[str, ...]:
        """Every symbol to extract, each once; one may be both an asset and a context asset."""
        return _each_once(self.asset_symbols, self.all_context_symbols)

    def is_context(self, symbol: str) -> bool:
        """Tell whether a symbol to extract is no asset, of the run or of the champion."""
        return symbol not in self.config.symbols and symbol not in self.champion_symbols

    def last_date(self, asset: Asset) -> date:
        """Return the last date whose bar of an asset the run may use.

        That is the as-of date. Of a context asset it is the last date whose bar is final when the
        forecasts are due, which may be an earlier date or a later one.
        """
        if asset.symbol not in self.all_context_symbols:
            return self.as_of_date
        last = asset.exchange.last_final_date(self.published_at)
        return last if self.is_context(asset.symbol) else max(last, self.as_of_date)


def _each_once(*symbols: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(itertools.chain(*symbols)))


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
