from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, MetaData, Table, Text, insert

from roi_forecast.database.engine import create_database_engine
from roi_forecast.errors import PreflightError
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.planning.preflight import check_preconditions
from roi_forecast.settings import POOLS, Settings
from roi_forecast.universe import load_universe
from roi_local.postgres.server import EmbeddedPostgres

ASSET = load_universe().assets[0]


def check(engine: Engine, settings: Settings) -> None:
    check_preconditions(engine, settings, SimulatedSource(), ASSET)


def pools_database(postgres: EmbeddedPostgres, name: str, pools: list[str]) -> str:
    """Create a database with the table in which Airflow keeps its pools."""
    postgres.create_database(name)
    url = postgres.url(name)
    engine = create_database_engine(url)
    slot_pool = Table("slot_pool", MetaData(), Column("pool", Text))
    slot_pool.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(slot_pool), [{"pool": pool} for pool in pools])
    engine.dispose()
    return url


def test_all_preconditions_met_pass(
    postgres: EmbeddedPostgres, market_engine: Engine, settings: Settings
) -> None:
    metadata_url = pools_database(postgres, "pools_there", ["default_pool", *POOLS])
    check(
        market_engine,
        Settings(settings.database_url, settings.data_directory, metadata_url=metadata_url),
    )


def test_a_missing_pool_is_named_with_the_command_that_creates_it(
    postgres: EmbeddedPostgres, market_engine: Engine, settings: Settings
) -> None:
    metadata_url = pools_database(postgres, "pools_missing", ["default_pool", "prices"])
    lacking = Settings(settings.database_url, settings.data_directory, metadata_url=metadata_url)
    with pytest.raises(PreflightError, match=r"lacks the pool training: run `airflow pools set"):
        check(market_engine, lacking)


def test_an_unreachable_database_is_named_without_its_password(tmp_path: Path) -> None:
    url = "postgresql+psycopg://someone:secret@127.0.0.1:1/market"
    engine = create_database_engine(url)
    with pytest.raises(PreflightError, match="does not answer") as refusal:
        check(engine, Settings(url, tmp_path))
    assert "secret" not in str(refusal.value)


def test_an_unmigrated_database_is_named(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    postgres.create_database("unmigrated")
    engine = create_database_engine(postgres.url("unmigrated"))
    with pytest.raises(PreflightError, match="has no tables yet"):
        check(engine, Settings(postgres.url("unmigrated"), tmp_path))
    engine.dispose()
