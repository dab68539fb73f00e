"""Faults of the machine, caused for real: nothing half-written stays, and a retry completes."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, delete, event, func, select, update
from sqlalchemy.exc import OperationalError

from daily_run import NOW, SMALL_RUN, prepare
from later_migration import go_one_migration_back
from manifests import read_manifest
from network.training.test_state import IDENTITY, state
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.migrate import migrate, require_current_schema
from roi_forecast.database.tables import (
    daily_prices,
    extractions,
    model_versions,
    predictions,
    promotions,
)
from roi_forecast.errors import PreflightError, RegistryError
from roi_forecast.features.build import build_dataset
from roi_forecast.files.artifacts import write_manifest
from roi_forecast.market.extraction import extract_prices
from roi_forecast.market.sources.registry import open_source
from roi_forecast.network.training.state import load_state, save_state
from roi_forecast.planning.resolve import resolve_run
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.serving import fallback, promotion, rollback
from roi_forecast.serving import serving_version as serving
from roi_forecast.serving.forecast_store import store_forecasts
from roi_forecast.serving.promotion import promote_model
from roi_forecast.serving.serving_version import open_champion
from roi_forecast.settings import Settings
from roi_local.postgres.server import start_postgres
from serving_version import MODEL_NAME, Served

SYMBOLS = ["TCS.NS", "GC=F"]


def forecast(served: Served, run: ResolvedRun, dataset_id: str, now: datetime) -> int:
    return store_forecasts(
        served.engine, run, dataset_id, served.models, candidate_id=None, now=now
    ).added


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of its own where root may mount one; else a limit on the size of a file."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        is_mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        is_mounted = False
    if is_mounted:
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG)


def partial_files(folder: Path) -> list[Path]:
    return list(folder.rglob("*.partial"))


def test_a_full_disk_leaves_no_part_of_a_dataset_and_space_completes_it(
    market_engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    run, whole = prepare(market_engine, settings, "run", {"symbols": SYMBOLS})
    with small_disk(tmp_path / "disk", 4096) as disk:
        with pytest.raises(OSError) as error:
            build_dataset(market_engine, run, disk / "datasets")
        assert is_full(error.value)
        assert list((disk / "datasets").iterdir()) == []
    again = build_dataset(market_engine, run, tmp_path / "datasets")
    assert again.dataset_id == whole.dataset_id


def test_a_full_disk_keeps_the_checkpoint_of_the_epoch_before(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64 * 1024) as disk:
        save_state(disk, state(1.0), IDENTITY)
        large = state(2.0)
        wide = (np.random.default_rng(0).random(200_000),)
        with pytest.raises(OSError) as error:
            save_state(disk, type(large)(**{**vars(large), "variables": wide}), IDENTITY)
        assert is_full(error.value)
        kept = load_state(disk, IDENTITY)
        assert kept is not None
        assert kept.variables[0][0, 0] == 1.0
        assert partial_files(disk) == []


def test_a_full_disk_while_publishing_leaves_the_champion_before_and_space_completes_it(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion, "check_loads", lambda directory: None)
    before = served.champion.version_id
    version_id = served.add_candidate("next")
    versions = served.models / MODEL_NAME / "versions"
    kept = versions.with_name("kept")
    versions.rename(kept)
    with small_disk(versions, 4096):
        with pytest.raises(OSError) as error:
            promote_model(served.engine, served.models, version_id, version_id, "test")
        assert is_full(error.value)
        assert list(versions.iterdir()) == []
    versions.rmdir()
    kept.rename(versions)
    assert open_champion(served.engine, served.models, MODEL_NAME).version.version_id == before
    assert served.version(version_id).state == "candidate"
    promote_model(served.engine, served.models, version_id, version_id, "test")
    assert served.champion.version_id == version_id


def test_postgres_restarted_in_a_transaction_stores_nothing_and_the_stage_again_everything(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("restarted")
    server = start_postgres(folder / "postgres")
    server.create_database("market")
    migrate(server.url("market"))
    settings = Settings(server.url("market"), folder / "data")
    engine = create_database_engine(settings.database_url)
    parameters = {**SMALL_RUN, "symbols": SYMBOLS}
    run = resolve_run(engine, settings, "run", parameters, lambda other: True, now=NOW)
    source = open_source(run.config, settings)
    restarts = []

    @event.listens_for(engine, "after_cursor_execute")
    def restart(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        # The bars are written by then; the transaction is not committed.
        if statement.startswith("DELETE FROM roi.price_checks") and not restarts:
            restarts.append(statement)
            server.stop()
            start_postgres(folder / "postgres")

    with pytest.raises(OperationalError):
        extract_prices(engine, run, SYMBOLS[0], source, now=NOW)
    assert len(restarts) == 1
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(daily_prices)) == 0
    # The same engine goes on: a stale connection is noticed before it is used.
    extract_prices(engine, run, SYMBOLS[0], source, now=NOW)
    with engine.connect() as connection:
        stored = connection.scalar(select(func.count()).select_from(daily_prices))
        (row,) = connection.execute(select(extractions.c.status, extractions.c.rows)).all()
    assert (row.status, row.rows) == ("ok", stored)
    engine.dispose()
    start_postgres(folder / "postgres").stop()


@pytest.fixture
def time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.mark.parametrize(
    "time_zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata"], indirect=True
)
def test_the_time_zone_of_the_machine_changes_neither_session_nor_moment(
    market_engine: Engine, settings: Settings, time_zone: str
) -> None:
    began = datetime.now(UTC)
    run, dataset = prepare(market_engine, settings, "run", {"symbols": SYMBOLS, "as_of_date": None})
    # NOW is 2025-01-15 12:00 UTC: New York has not closed on the 15th.
    assert str(run.as_of_date) == str(dataset.dates[-1]) == "2025-01-14"
    with market_engine.connect() as connection:
        moments = connection.scalars(select(daily_prices.c.fetched_at)).all()
    assert began <= min(moments) <= max(moments) <= datetime.now(UTC)


def test_a_clock_that_was_set_back_neither_rewrites_nor_reorders_what_is_stored(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion, "check_loads", lambda directory: None)
    run, dataset = served.outcome.run, served.outcome.dataset
    earlier = datetime(2024, 12, 28, tzinfo=UTC)
    added = forecast(served, run, dataset.dataset_id, earlier)
    assert added == 0
    promote_model(served.engine, served.models, served.add_candidate("next"), "next", "test")
    assert served.champion.version_id == "next"
    added = forecast(served, run, dataset.dataset_id, earlier)
    assert added == len(SYMBOLS) * len(run.config.horizons)
    with served.engine.connect() as connection:
        next_day = predictions.c.horizon == 1
        columns = select(predictions.c.version_id, predictions.c.backfill)
        rows = connection.execute(columns.where(next_day)).all()
    marks = {(row.version_id == "next", row.backfill) for row in rows}
    # What is a backfill is decided by the moment of each forecast, and stays.
    assert marks == {(False, True), (True, False)}


def test_a_kill_while_a_damaged_champion_is_replaced_is_completed_by_the_next_attempt(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, dataset = served.outcome.run, served.outcome.dataset
    before = served.champion.version_id
    promote_model(served.engine, served.models, served.add_candidate("next"), "next", "test")
    model = served.champion_directory / "model.keras"
    os.truncate(model, model.stat().st_size // 2)

    def forecast_again() -> int:
        return forecast(served, run, dataset.dataset_id, NOW)

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    for module, function, serves in (
        (rollback, "set_champion", "next"),
        (fallback, "mark_damaged", "next"),
        (serving, "point_champion_link", before),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(module, function, kill)
            with pytest.raises(KeyboardInterrupt):
                forecast_again()
        assert served.champion.version_id == serves
    with served.engine.begin() as connection:
        connection.execute(delete(predictions))
    assert forecast_again() == len(SYMBOLS) * len(run.config.horizons)
    with served.engine.connect() as connection:
        by = connection.scalars(select(predictions.c.version_id).distinct()).all()
        replaced = connection.scalars(
            select(promotions.c.version_id).where(promotions.c.from_version_id == "next")
        ).all()
    assert by == replaced == [before]
    assert (served.models / MODEL_NAME / "champion").readlink() == Path("versions", before)


def test_a_version_of_an_older_revision_of_the_code_serves_on(served: Served) -> None:
    directory = served.champion_directory
    manifest = read_manifest(directory, RegistryError)
    first_release = {
        *("version_id", "model_name", "run_id", "source", "simulated", "dataset_id", "symbols"),
        *("first_date", "last_date", "last_fitted_date", "hyperparameters", "seed"),
    }
    older = {name: manifest[name] for name in first_release}
    names = ("architecture", "lstm_units", "epochs", "seed")
    older["hyperparameters"] = {name: manifest["hyperparameters"][name] for name in names}
    digest = write_manifest(directory, {**older, "code_revision": "older"})
    with served.engine.begin() as connection:
        connection.execute(
            update(model_versions).values(
                checksum=digest,
                code_revision="older",
                hyperparameters=older["hyperparameters"],
                training_record=None,
            )
        )
    run, dataset = prepare(
        served.engine,
        served.settings,
        "later",
        {"symbols": SYMBOLS, "as_of_date": "2024-12-30"},
    )
    added = forecast(served, run, dataset.dataset_id, NOW)
    assert added == len(SYMBOLS) * len(run.config.horizons)


def test_a_database_one_migration_behind_is_refused_and_migrated_with_its_rows(
    served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with served.engine.connect() as connection:
        before = connection.scalar(select(func.count()).select_from(predictions))
    go_one_migration_back(served.engine, monkeypatch, tmp_path)
    with pytest.raises(PreflightError, match="is behind, at revision"):
        require_current_schema(served.engine)
    migrate(served.settings.database_url)
    require_current_schema(served.engine)
    with served.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(predictions)) == before
    assert open_champion(served.engine, served.models, MODEL_NAME)
