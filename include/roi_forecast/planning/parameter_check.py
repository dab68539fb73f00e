"""What is wrong with a run's parameters, as far as no database and no network is needed to know.

Every way to start a run asks here: the commands, Airflow's forms and API, and the run itself. So a
refusal reads the same everywhere, and comes before anything starts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from roi_forecast.config import BacktestRunConfig, Config, DataConfig, RunConfig, parse_config
from roi_forecast.errors import ConfigError, PreflightError
from roi_forecast.market.sources.price_path import no_such_path, price_path
from roi_forecast.price_sources import PRICE_SOURCES
from roi_forecast.quoting import quoted
from roi_forecast.settings import Settings, key_variable
from roi_forecast.universe import Asset, Context, load_universe

_LONG_DUE = timedelta(days=90)
"""Forecasts of a session are due long before: the next opening is 60 days later at most."""

Kind = TypeVar("Kind", bound=Config)


def check_parameters(
    kind: type[Kind], parameters: Mapping[str, Any], *, now: datetime, settings: Settings | None
) -> Kind:
    """Return the checked parameters of any kind of run.

    Args:
        kind: The kind of run.
        parameters: As a person gave them.
        now: A moment that is not before the one at which the run is due, with time zone.
        settings: The installation; None: keys and folders of the tasks are not known here.

    Raises:
        ConfigError: A parameter is wrong; the message names each one that is.
    """
    config = parse_config(kind, _with_longest_window(kind, parameters))
    if isinstance(config, DataConfig):
        if settings is not None:
            _check_source(config, settings)
        _check_dates(config, now)
    return config


def check_start(
    kind: type[Config],
    parameters: Mapping[str, Any],
    *,
    now: datetime,
    settings: Settings | None,
) -> None:
    """Check the parameters of a run that is not started yet, and that its price file exists.

    A run that has started waits a while for a file that is missing; the arguments are those of
    `check_parameters`.

    Raises:
        ConfigError: A parameter is wrong.
        PreflightError: There is no file or folder at csv_path.
    """
    config = check_parameters(kind, parameters, now=now, settings=settings)
    if settings is None or not isinstance(config, DataConfig) or config.source != "csv":
        return
    path = price_path(config, settings)
    # A relative path is one to the folder in which a task runs.
    if path.is_absolute() and not os.path.lexists(path):
        raise PreflightError(f"the run cannot start: {no_such_path(path)}")


def _with_longest_window(kind: type[Config], parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return parameters that contradict no window length which a study may still set."""
    if kind is RunConfig and parameters.get("tuned_study") is not None:
        return {"seq_len": 500, **parameters}
    return parameters


def _check_source(config: DataConfig, settings: Settings) -> None:
    key_from = PRICE_SOURCES[config.source].key_from
    if key_from is not None and config.source not in settings.source_keys:
        raise ConfigError(
            f"source: received {quoted(config.source)}, which needs a key: put one from {key_from} "
            f"into the environment variable {key_variable(config.source)}"
        )
    if config.source == "csv":
        price_path(config, settings)


def _check_dates(config: DataConfig, now: datetime) -> None:
    """Refuse dates that no prices can make right."""
    first = config.first_target_date if isinstance(config, BacktestRunConfig) else None
    dates = (config.as_of_date, config.start_date, first)
    # The calendars take a second to load.
    if all(day is None or day < now.date() - _LONG_DUE for day in dates):
        return
    last = _last_possible(config, load_universe().select(config.symbols), now)
    if config.start_date is not None:
        require_start_before(last, config.start_date)
    if first is not None and first > last:
        raise ConfigError(
            f"first_target_date: received {first}; it must not lie after the as-of date {last}"
        )


def _last_possible(config: DataConfig, assets: tuple[Asset, ...], now: datetime) -> date:
    """Return the last date that the as-of date can be."""
    given = config.as_of_date
    if assets and given is not None:
        require_due(given, assets, config.context, now)
    elif assets:
        from roi_forecast.market.due_sessions import last_due_session

        return last_due_session(assets, config.context, now)
    # Whose sessions count is known once the file is read.
    today = now.date()
    if given is not None and given > today:
        raise ConfigError(
            f"as_of_date: received {given}; it must not lie in the future, today is {today}"
        )
    return given or today


def require_due(
    as_of_date: date, assets: tuple[Asset, ...], context: Context, now: datetime
) -> None:
    """Check that the forecasts of a given as-of date are due.

    Args:
        as_of_date: The date.
        assets: The assets of the run.
        context: The context assets, and when the run publishes.
        now: When the run is due, with time zone.

    Raises:
        ConfigError: They are not.
    """
    from roi_forecast.market.due_sessions import due_at, last_due_session

    if due_at(as_of_date, assets, context) > now:
        raise ConfigError(
            f"as_of_date: received {as_of_date}; the last session whose bars are final and whose "
            f"forecasts are due (publish: {context.publish}) is "
            f"{last_due_session(assets, context, now)}"
        )


def require_start_before(as_of_date: date, start_date: date) -> None:
    """Check that prices are used from a date before the as-of date.

    Raises:
        ConfigError: They are not.
    """
    if start_date >= as_of_date:
        raise ConfigError(
            f"start_date: received {start_date}; it must lie before the as-of date {as_of_date}"
        )
