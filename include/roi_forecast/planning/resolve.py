"""Resolving a run: check its parameters and preconditions, decide its dates, and store it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select

from roi_forecast.config import (
    BacktestRunConfig,
    RunConfig,
    SharedConfig,
    TuningRunConfig,
    parse_config,
    parse_run_config,
)
from roi_forecast.database.tables import datasets, model_versions
from roi_forecast.errors import ConfigError
from roi_forecast.market.calendars import session_on_or_before
from roi_forecast.market.due_sessions import due_at, last_due_session
from roi_forecast.market.reference_sessions import log_reference
from roi_forecast.market.sources.registry import open_source
from roi_forecast.market.sources.source import PriceSource
from roi_forecast.market.sources.special_session import is_special_session
from roi_forecast.planning.fallback import resolve_with_fallback, source_required
from roi_forecast.planning.own_symbols import own_symbols
from roi_forecast.planning.parameter_check import (
    Kind,
    check_parameters,
    require_due,
    require_start_before,
)
from roi_forecast.planning.preflight import check_preconditions
from roi_forecast.planning.tuned import require_no_later_study, with_tuned_parameters
from roi_forecast.quoting import listed
from roi_forecast.runs.claims import claim_run, store_unclaimed
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.settings import Settings
from roi_forecast.universe import Asset, load_universe, reference_exchange

logger = logging.getLogger(__name__)

_MAX_LOGGED = 50
"""Values of a parameter that the log names."""
_HISTORY_DAYS = round(2.5 * 365.25)
"""Days of prices before the as-of date, without a `start_date`."""


def resolve_run(
    engine: Engine,
    settings: Settings,
    run_id: str,
    parameters: Mapping[str, Any],
    is_active: Callable[[str], bool],
    *,
    now: datetime,
    session: date | None = None,
    will_retry: bool = False,
) -> ResolvedRun:
    """Check everything that can be checked before any work, and store the resolved run.

    If the source does not answer and there is a `fallback_source`, the run takes that one, under a
    model name of its own. Resolved again, it takes its own source if that answers by then.

    Args:
        engine: Market database.
        settings: The installation.
        run_id: Identifies the run.
        parameters: The run parameters that a person gave.
        is_active: Returns whether another run's id belongs to a queued or running run.
        now: When the run was due, with time zone; a session counts if its forecasts were due then.
        session: The session that the run was started for, if any. Forecasts of the given assets and
            context may be due later than `now`; the session counts once they are.
        will_retry: Whether the caller tries again if the source does not answer.

    Raises:
        SourceUnavailableError: The source does not answer, and `will_retry`.
        ConfigError: A parameter is wrong.
        PreflightError: The run needs something that is missing.
        RunConflictError: Another active run holds the model name.
    """
    config = _checked(RunConfig, parameters, settings, now, session)
    if config.tuned_study is not None:
        config = parse_run_config(with_tuned_parameters(engine, parameters))

    def resolve(config: RunConfig) -> ResolvedRun:
        return _resolve(engine, settings, run_id, config, now, session)

    run = resolve_with_fallback(config, resolve, will_retry=will_retry)
    require_no_later_study(engine, run)
    run = run.model_copy(update=_champions_symbols(engine, run))
    claim_run(engine, run, is_active, now=datetime.now(UTC))
    _log(run, run.config)
    return run


def resolve_backtest(
    engine: Engine,
    settings: Settings,
    run_id: str,
    parameters: Mapping[str, Any],
    *,
    now: datetime,
    session: date | None = None,
) -> ResolvedRun:
    """Check everything that can be checked before a backtest, and store the resolved run.

    It trains no candidate, so it claims no model name and waits for no other run. The arguments
    are those of `resolve_run`.

    Raises:
        ConfigError: A parameter is wrong.
        PreflightError: The run needs something that is missing, or its id belongs to a daily run.
    """
    config = _checked(BacktestRunConfig, parameters, settings, now, session)
    with source_required():
        run = _resolve(engine, settings, run_id, config.as_daily(), now, session)
    first, start, last = config.first_target_date, run.start_date, run.as_of_date
    if first is not None and not start < first <= last:
        raise ConfigError(
            f"first_target_date: received {first}; it must lie after the start date {start} and "
            f"not after the as-of date {last}"
        )
    return _store_unclaimed(engine, run.model_copy(update={"backtest": config.walk()}), config)


def resolve_tuning(
    engine: Engine,
    settings: Settings,
    run_id: str,
    parameters: Mapping[str, Any],
    *,
    now: datetime,
    session: date | None = None,
) -> ResolvedRun:
    """Check everything that can be checked before a search, and store the resolved run.

    As `resolve_backtest`, for a hyperparameter search.
    """
    config = _checked(TuningRunConfig, parameters, settings, now, session)
    with source_required():
        run = _resolve(engine, settings, run_id, config.as_daily(), now, session)
    return _store_unclaimed(engine, run.model_copy(update={"tuning": config.search()}), config)


def _checked(
    kind: type[Kind],
    parameters: Mapping[str, Any],
    settings: Settings,
    now: datetime,
    session: date | None,
) -> Kind:
    latest = now if session is None else max(now, datetime.now(UTC))
    return check_parameters(kind, parameters, now=latest, settings=settings)


def _store_unclaimed(engine: Engine, run: ResolvedRun, config: SharedConfig) -> ResolvedRun:
    store_unclaimed(engine, run, now=datetime.now(UTC))
    _log(run, config)
    return run


def _resolve(
    engine: Engine,
    settings: Settings,
    run_id: str,
    config: RunConfig,
    now: datetime,
    session: date | None,
) -> ResolvedRun:
    source = open_source(config, settings)
    named = load_universe().select(config.symbols[:1])
    check_preconditions(engine, settings, source, named[0] if named else None)
    symbols = config.symbols or own_symbols(source, config.as_of_date or now.date())
    context = config.context
    assets = load_universe().select(symbols)
    # A later version of the universe file, or of the price file, changes no run that is resolved.
    decided = {"symbols": symbols, "context_symbols": context.symbols}
    config = parse_config(RunConfig, {**config.model_dump(), **decided})
    if session is not None:
        now = max(now, min(due_at(session, assets, context), datetime.now(UTC)))
    as_of_date = _decide_as_of_date(config, assets, source, now)
    start_date = config.start_date or as_of_date - timedelta(days=_HISTORY_DAYS)
    require_start_before(as_of_date, start_date)
    return ResolvedRun(
        run_id=run_id,
        config=config,
        model_name=config.resolved_model_name,
        source_key=source.key,
        start_date=start_date,
        as_of_date=as_of_date,
        published_at=due_at(as_of_date, assets, context),
        resolved_at=now,
    )


def _decide_as_of_date(
    config: RunConfig, assets: tuple[Asset, ...], source: PriceSource, now: datetime
) -> date:
    """Return the last reference session whose prices the run may use.

    That is the given date or the last session whose forecasts are due, but never later than the end
    of a file. Of a file, only rows of the run's assets up to that session count.
    """
    given = config.as_of_date
    if given is None:
        last_due = last_due_session(assets, config.context, now)
        end_of_source = source.last_trading_date(assets, last_due)
        if end_of_source is None or end_of_source >= last_due:
            return last_due
        return _session_on_or_before(end_of_source, assets, source)
    require_due(given, assets, config.context, now)
    return _session_on_or_before(given, assets, source)


def _session_on_or_before(day: date, assets: tuple[Asset, ...], source: PriceSource) -> date:
    """Return the date itself if it was a session, even a special one, else the session before."""
    session = session_on_or_before(reference_exchange(assets), day)
    if session == day:
        return day
    if is_special_session(source, assets, day):
        logger.info("%s is a session that the calendar lacks", day)
        return day
    logger.info("%s is no session; the as-of date is %s", day, session)
    return session


def _champions_symbols(engine: Engine, run: ResolvedRun) -> dict[str, tuple[str, ...]]:
    """Return the fields of the run with the assets and context assets of the serving champion."""
    statement = (
        select(
            model_versions.c.symbols,
            datasets.c.manifest["context_symbols"].label("context_symbols"),
        )
        .join_from(model_versions, datasets)
        .where(
            model_versions.c.model_name == run.model_name,
            model_versions.c.state == "champion",
            model_versions.c.source == run.source_key,
        )
    )
    with engine.connect() as connection:
        champion = connection.execute(statement).one_or_none()
    if champion is None:
        return {}
    return {
        "champion_symbols": tuple(champion.symbols),
        "champion_context_symbols": load_universe().declared(champion.context_symbols or ()),
    }


def _log(run: ResolvedRun, config: SharedConfig) -> None:
    logger.info(
        "run %s: model name %s, source %s, %d assets, %d context assets, %s to %s, due at %s",
        run.run_id,
        run.model_name,
        run.source_key,
        len(run.config.symbols),
        len(run.context.assets),
        run.start_date,
        run.as_of_date,
        f"{run.published_at:%Y-%m-%d %H:%M} UTC",
    )
    log_reference(run.assets, run.start_date, run.as_of_date)
    resolved = config.model_copy(
        update={"symbols": run.config.symbols, "context_symbols": run.context.symbols}
    )
    for name, value in resolved.model_dump(mode="json").items():
        named = isinstance(value, list) and len(value) > _MAX_LOGGED
        logger.info("parameter %s = %s", name, listed(value, _MAX_LOGGED) if named else value)
