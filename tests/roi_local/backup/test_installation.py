"""A backup of a whole local installation: it moves, is put back, or stays as it was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine, func, select, text

from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.tables import metadata
from roi_forecast.errors import RegistryError
from roi_forecast.serving.serving_version import open_champion
from roi_local.backup.installation import restore_installation, save_installation
from roi_local.backup.market import save_backup
from roi_local.commands.backup import FROM_VARIABLE, OUT_VARIABLE, YES_VARIABLE, restore, save
from roi_local.environment import (
    AIRFLOW_DATABASE,
    HOME_VARIABLE,
    MARKET_DATABASE,
    RUN_PURPOSE,
    UP_PURPOSE,
    Home,
    load_secrets,
)
from roi_local.errors import LocalError
from roi_local.postgres.server import start_postgres
from roi_local.private_files import hold_lock
from serving_version import MODEL_NAME, ServedTemplate


@dataclass(frozen=True)
class Backup:
    """A backup of an installation by docker compose, and the rows that it holds."""

    folder: Path
    rows: dict[str, int]


def agree() -> None:
    """Do not keep what is there."""


def count_rows(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in metadata.tables.items()
        }


@contextmanager
def open_database(home: Home, name: str) -> Iterator[Engine]:
    with start_postgres(home.postgres_directory) as postgres:
        engine = create_database_engine(postgres.url(name))
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def backup(
    _served_template: ServedTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backup]:
    folder = tmp_path_factory.mktemp("backup")
    with _served_template.clone("served_to_back_up", folder / "served") as served:
        save_backup(served.settings, folder / "backup")
        yield Backup(folder / "backup", count_rows(served.engine))


@pytest.fixture(scope="module")
def installed(backup: Backup, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A local installation that took over one by docker compose; tests leave it as it is."""
    home = Home(tmp_path_factory.mktemp("installed") / "roi")
    restore_installation(home, backup.folder, agree)
    with start_postgres(home.postgres_directory) as postgres:
        postgres.create_database(AIRFLOW_DATABASE)
    with open_database(home, AIRFLOW_DATABASE) as engine, engine.begin() as connection:
        connection.execute(text("CREATE TABLE connection AS SELECT 'smtp_default' AS conn_id"))
    load_secrets(home)
    return home


def test_an_installation_moves_with_every_row_champion_connection_and_secret(
    backup: Backup, installed: Home, tmp_path: Path
) -> None:
    moved, folder = Home(tmp_path / "elsewhere" / "roi"), tmp_path / "saved"
    save_installation(installed, folder)
    assert folder.stat().st_mode & 0o077 == 0
    restore_installation(moved, folder, agree)
    with open_database(moved, MARKET_DATABASE) as engine:
        assert count_rows(engine) == backup.rows
        assert backup.rows["roi.predictions"] > 0
        models = moved.data_directory / "models"
        open_champion(engine, models, MODEL_NAME)
        with engine.connect() as connection:
            connection.execute(text("SET ROLE roi_person"))
            assert connection.scalar(text("SELECT count(*) FROM roi.model_names")) == 1
    with open_database(moved, AIRFLOW_DATABASE) as engine, engine.connect() as connection:
        assert connection.scalar(text("SELECT conn_id FROM connection")) == "smtp_default"
    assert load_secrets(moved) == load_secrets(installed)
    # The champion's link is created anew, relative to its folder.
    assert (models / MODEL_NAME / "champion").resolve().is_relative_to(models)


def test_the_commands_replace_what_came_later_after_a_confirmation(
    backup: Backup,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home, saved = Home(tmp_path / "roi"), tmp_path / "saved"
    monkeypatch.setenv(HOME_VARIABLE, str(home.directory))
    monkeypatch.setenv(FROM_VARIABLE, str(backup.folder))
    restore()
    secrets = load_secrets(home)
    monkeypatch.setenv(OUT_VARIABLE, str(saved))
    save()
    assert f"make restore FROM={saved}" in capsys.readouterr().out
    later = home.data_directory / "models" / "later"
    later.mkdir()
    with open_database(home, MARKET_DATABASE) as engine, engine.begin() as connection:
        connection.execute(text("DELETE FROM roi.gate_decisions"))

    with pytest.raises(LocalError, match="add YES=1"):
        restore()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda question: "no")
    with pytest.raises(LocalError, match="nothing was restored"):
        restore()
    assert later.is_dir()
    monkeypatch.setenv(YES_VARIABLE, "1")
    restore()
    assert not later.exists()
    with open_database(home, MARKET_DATABASE) as engine:
        assert count_rows(engine) == backup.rows
    # A backup of an installation by docker compose has no secrets of this one.
    assert load_secrets(home) == secrets
    assert {path.name for path in tmp_path.iterdir()} == {"roi", "saved"}


def test_a_backup_that_is_not_named_or_not_there_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for given in ("", "absent"):
        monkeypatch.setenv(FROM_VARIABLE, given)
        with pytest.raises(LocalError, match=f"FROM: received '{given}'; name a folder"):
            restore()


@pytest.mark.parametrize("purpose", [RUN_PURPOSE, UP_PURPOSE])
def test_an_installation_at_work_is_not_replaced(
    backup: Backup, installed: Home, purpose: str
) -> None:
    with (
        hold_lock(installed.lock(purpose)),
        pytest.raises(LocalError, match=r"is at work|is up"),
    ):
        restore_installation(installed, backup.folder, agree)


def test_an_installation_whose_database_is_in_use_is_not_replaced(
    backup: Backup, installed: Home
) -> None:
    with (
        start_postgres(installed.postgres_directory),
        pytest.raises(LocalError, match="PostgreSQL is in use"),
    ):
        restore_installation(installed, backup.folder, agree)


def test_a_damaged_or_failing_backup_leaves_the_installation_as_it_was(
    backup: Backup, installed: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(backup.folder, damaged)
    dump = damaged / "market.dump"
    dump.write_bytes(dump.read_bytes()[:-1])
    with pytest.raises(RegistryError, match="damaged"):
        restore_installation(installed, damaged, agree)

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("roi_local.backup.installation.restore_backup", fail)
    with pytest.raises(LocalError, match=r"nothing was restored: .*No space left"):
        restore_installation(installed, backup.folder, agree)
    assert [path.name for path in installed.directory.parent.iterdir()] == ["roi"]
    with open_database(installed, MARKET_DATABASE) as engine:
        assert count_rows(engine) == backup.rows


def test_a_folder_that_is_no_backup_is_refused(installed: Home, tmp_path: Path) -> None:
    (version,) = (installed.data_directory / "models" / MODEL_NAME / "versions").iterdir()
    for folder in (version, tmp_path):
        with pytest.raises(RegistryError, match="is no backup; name a folder that"):
            restore_installation(installed, folder, agree)


def test_nothing_to_back_up_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="holds no installation yet"):
        save_installation(Home(tmp_path / "roi"), tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []
