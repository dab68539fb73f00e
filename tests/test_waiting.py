"""Whoever changes what others read waits for whoever is at it: the advisory locks, one by one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import optuna
import pandas as pd
import pytest
from sqlalchemy import Engine, text

from roi_forecast.database.engine import lock_until_commit
from roi_forecast.database.migrate import migrate
from roi_forecast.database.roles import OPTUNA_SCHEMA
from roi_forecast.market.store import register_assets, upsert_bars
from roi_forecast.runs.claims import claim_run
from roi_forecast.serving import fallback, promotion, rollback
from roi_forecast.serving.fallback import open_whole_champion
from roi_forecast.serving.promotion import promote_model
from roi_forecast.serving.retention import prune_registry
from roi_forecast.serving.rollback import roll_back_champion
from roi_forecast.settings import Settings
from roi_forecast.tuning import study
from roi_forecast.universe import load_universe
from roi_local.postgres.databases import prepare_market
from roi_local.postgres.server import EmbeddedPostgres
from runs.test_claims import active, run
from serving_version import MODEL_NAME, Served
from tuning.test_trial import begin

NOW = datetime(2025, 3, 4, 12, tzinfo=UTC)
CHAMPION = ("champion", MODEL_NAME)


@pytest.fixture(autouse=True)
def no_load_check(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (fallback, promotion, rollback):
        monkeypatch.setattr(module, "check_loads", lambda directory: None)


def waits(engine: Engine, lock: tuple[str, ...], act: Callable[[], object]) -> bool:
    """Tell whether an action waits while the lock is held; it is over when this returns."""
    thread = Thread(target=act)
    with engine.begin() as holder:
        lock_until_commit(holder, *lock)
        thread.start()
        waiting = False
        while thread.is_alive() and not waiting:
            waiting = advisory_locks(engine, granted=False) > 0
            time.sleep(0.01)
    thread.join()
    return waiting


def advisory_locks(engine: Engine, *, granted: bool) -> int:
    """Count the advisory locks of a database that are held, or waited for."""
    with engine.connect() as connection:
        return connection.execute(
            text(
                "SELECT count(*) FROM pg_locks JOIN pg_database ON database = pg_database.oid "
                "WHERE datname = current_database() AND locktype = 'advisory' "
                "AND granted = :granted"
            ),
            {"granted": granted},
        ).scalar_one()


def test_a_promotion_waits_for_another_change_of_the_champion(served: Served) -> None:
    version_id = served.add_candidate("next")

    def act() -> None:
        promote_model(served.engine, served.models, version_id, version_id, "test")

    assert waits(served.engine, CHAMPION, act)
    assert served.champion.version_id == version_id


def test_a_rollback_waits_for_another_change_of_the_champion(served: Served) -> None:
    first = served.champion.version_id
    promote_model(served.engine, served.models, served.add_candidate("next"), "next", "test")

    def act() -> None:
        roll_back_champion(
            served.engine, served.models, MODEL_NAME, first, rolled_back_by="test", reason="test"
        )

    assert waits(served.engine, CHAMPION, act)
    assert served.champion.version_id == first


def test_falling_back_from_a_damaged_champion_waits_for_another_change(served: Served) -> None:
    first = served.champion.version_id
    promote_model(served.engine, served.models, served.add_candidate("next"), "next", "test")
    model = served.champion_directory / "model.keras"
    os.truncate(model, model.stat().st_size // 2)

    def act() -> None:
        open_whole_champion(served.engine, served.models, MODEL_NAME, "run")

    assert waits(served.engine, CHAMPION, act)
    assert served.champion.version_id == first


def test_retention_waits_for_a_change_of_the_champion(served: Served) -> None:
    def act() -> None:
        prune_registry(
            served.engine,
            served.settings,
            keep_versions=2,
            keep_candidates=0,
            keep_backtests=1,
            is_active=lambda run_id: False,
            now=NOW,
        )

    assert waits(served.engine, CHAMPION, act)


def test_a_run_waits_for_another_claim_of_its_name(market_engine: Engine) -> None:
    def act() -> None:
        claim_run(market_engine, run("first"), active, now=NOW)

    assert waits(market_engine, ("claim", "reference"), act)


def test_bars_of_a_symbol_wait_for_other_bars_of_it(market_engine: Engine) -> None:
    bar = {"symbol": "TCS.NS", "trading_date": pd.Timestamp("2024-12-30"), "volume": 1}
    bars = pd.DataFrame([bar | dict.fromkeys(("open", "high", "low", "close", "adj_close"), 1.0)])
    bars["trading_date"] = bars["trading_date"].dt.as_unit("us")
    with market_engine.begin() as connection:
        register_assets(connection, load_universe().select(["TCS.NS"]))

    def act() -> None:
        with market_engine.begin() as connection:
            upsert_bars(connection, "yahoo", bars)

    assert waits(market_engine, ("daily_prices", "yahoo", "TCS.NS"), act)


def test_searches_wait_for_each_other_until_optuna_has_its_tables(
    market_engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    search, dataset = begin(market_engine, settings, "search")
    open_study, held = study.open_study, []

    def watched(*arguments: Any, **options: Any) -> optuna.Study:
        held.append(advisory_locks(market_engine, granted=True))
        return open_study(*arguments, **options)

    monkeypatch.setattr(study, "open_study", watched)

    def act() -> None:
        study.open_search(market_engine, search, dataset, lambda other: False)

    assert waits(market_engine, ("optuna",), act)
    assert held == [1]
    with market_engine.connect() as connection:
        names = connection.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = :schema"),
            {"schema": OPTUNA_SCHEMA},
        ).all()
    assert "trials" in names


def test_a_migration_waits_for_another(market_engine: Engine, market_url: str) -> None:
    assert waits(market_engine, ("migrate",), lambda: migrate(market_url))


def test_creating_the_logins_waits_for_another_process_at_it(
    market_engine: Engine, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = str(market_engine.url.database)
    monkeypatch.setattr("roi_local.postgres.databases.MARKET_DATABASE", database)
    assert waits(market_engine, ("logins",), lambda: prepare_market(postgres))
