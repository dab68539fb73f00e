"""Checks before any work: database, pools, disk, memory, training device and price source."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import psutil
from sqlalchemy import Engine, column, create_engine, select, table
from sqlalchemy.exc import SQLAlchemyError

from roi_forecast.data_path import DataPath
from roi_forecast.database.migrate import require_current_schema
from roi_forecast.errors import PreflightError, RoiForecastError, SourceUnavailableError
from roi_forecast.files.artifacts import create_folder
from roi_forecast.files.leftovers import server_time
from roi_forecast.local_cache import cache_directory
from roi_forecast.market.sources.source import PriceSource
from roi_forecast.network.device import visible_device
from roi_forecast.settings import DATA_DIRECTORY_VARIABLE, POOLS, Settings
from roi_forecast.universe import Asset

logger = logging.getLogger(__name__)

MIN_FREE_DISK_GIB = 1.0
MIN_FREE_MEMORY_GIB = 1.5

_GIB = 1024**3


def check_preconditions(
    engine: Engine, settings: Settings, source: PriceSource, asset: Asset | None
) -> None:
    """Check everything a run needs, and log the results.

    Args:
        engine: Market database.
        settings: The installation.
        source: The price source of the run.
        asset: An asset of the run, for a request to the source; None if the run takes the symbols
            that the source holds.

    Raises:
        SourceUnavailableError: Nothing is missing but an answer of the source.
        PreflightError: Something is missing; the message names all of it in one line.
    """
    checks: list[Callable[[], str]] = [
        lambda: _check_database(engine),
        lambda: _check_pools(settings.metadata_url),
        lambda: check_data_directory(settings.data_directory),
        _check_memory,
        lambda: f"the training device is {visible_device()}",
        lambda: _check_source(source, asset),
    ]
    missing: list[RoiForecastError] = []
    for check in checks:
        try:
            logger.info("preflight: %s", check())
        except RoiForecastError as error:
            missing.append(error)
    if len(missing) == 1 and isinstance(missing[0], SourceUnavailableError):
        raise missing[0]
    if missing:
        raise PreflightError("the run cannot start: " + "; ".join(map(str, missing)))


def _check_database(engine: Engine) -> str:
    try:
        require_current_schema(engine)
    except SQLAlchemyError as error:
        where = engine.url.render_as_string(hide_password=True)
        raise PreflightError(
            f"the market database {where} does not answer: {_first_line(error)}"
        ) from error
    return "the market database answers and is migrated"


def _check_pools(metadata_url: str | None) -> str:
    if metadata_url is None:
        return "Airflow's pools were not checked (ROI_AIRFLOW_METADATA_URL is not set)"
    slot_pool = table("slot_pool", column("pool"))
    engine = create_engine(metadata_url)
    try:
        with engine.connect() as connection:
            found = set(connection.scalars(select(slot_pool.c.pool)))
    except SQLAlchemyError as error:
        raise PreflightError(f"Airflow's pools cannot be read: {_first_line(error)}") from error
    finally:
        engine.dispose()
    lacking = [name for name in POOLS if name not in found]
    if lacking:
        commands = " and ".join(f"`airflow pools set {name} {POOLS[name]} ''`" for name in lacking)
        raise PreflightError(f"Airflow lacks the pool {', '.join(lacking)}: run {commands}")
    return f"Airflow has the pools {', '.join(POOLS)}"


def check_data_directory(directory: DataPath) -> str:
    """Check that a data folder or object store can be written to; return what was found.

    Raises:
        PreflightError: It cannot, or the disk is nearly full.
    """
    local = directory if isinstance(directory, Path) else cache_directory()
    try:
        create_folder(directory)
        server_time(directory)
    except OSError as error:
        raise PreflightError(
            f"nothing can be written to {directory} ({error}); check {DATA_DIRECTORY_VARIABLE}, "
            "and the credentials and the address of an object store"
        ) from error
    return f"{directory} can be written to, and {_check_disk(local)}"


def _check_disk(directory: Path) -> str:
    free = shutil.disk_usage(directory).free / _GIB
    if free < MIN_FREE_DISK_GIB:
        raise PreflightError(
            f"{directory} has {free:.2f} GiB free; at least {MIN_FREE_DISK_GIB:g} GiB are needed"
        )
    return f"{free:.0f} GiB of disk are free"


def _check_memory() -> str:
    free = psutil.virtual_memory().available / _GIB
    if free < MIN_FREE_MEMORY_GIB:
        raise PreflightError(
            f"{free:.2f} GiB of memory are free; at least {MIN_FREE_MEMORY_GIB:g} GiB are needed"
        )
    return f"{free:.1f} GiB of memory are free"


def _check_source(source: PriceSource, asset: Asset | None) -> str:
    if asset is None:
        return f"the source {source.key} holds {len(source.symbols())} symbols"
    source.check_reachable(asset)
    return f"the source {source.key} is reachable"


def _first_line(error: SQLAlchemyError) -> str:
    """Return the database's message without the statement that SQLAlchemy adds."""
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
