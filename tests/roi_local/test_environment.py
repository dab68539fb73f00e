"""Folders, secrets and environment of a local installation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roi_forecast.settings import Settings
from roi_local.environment import (
    HOME_VARIABLE,
    REPOSITORY,
    Home,
    airflow_environment,
    load_secrets,
)
from roi_local.postgres.server import EmbeddedPostgres


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "roi")


def test_home_lies_in_the_repository_unless_the_environment_names_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    assert Home.from_environment().directory == REPOSITORY / ".roi"

    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    assert Home.from_environment().directory == tmp_path.resolve()


def test_stages_find_their_settings_in_the_environment_of_tasks(
    home: Home, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in airflow_environment(home, postgres, inherited={}).items():
        monkeypatch.setenv(name, value)

    settings = Settings.from_environment()

    assert settings.database_url == postgres.url("market", login="roi_pipeline")
    assert settings.reader_database_url == postgres.url("market", login="roi_pages")
    assert settings.metadata_url == postgres.url("airflow", "postgresql+psycopg2")
    assert settings.data_directory == home.directory / "data"


def test_settings_of_another_airflow_are_not_inherited(
    home: Home, postgres: EmbeddedPostgres
) -> None:
    inherited = {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CELERY__BROKER_URL": "redis://elsewhere",
        "AIRFLOW_HOME": "/elsewhere",
        "PYTHONDONTWRITEBYTECODE": "1",
        "no_proxy": "intranet",
        "LANG": "de_DE.UTF-8",
    }

    environment = airflow_environment(home, postgres, port=9999, inherited=inherited)

    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert environment["AIRFLOW_HOME"] == str(home.airflow_directory)
    assert environment["AIRFLOW__API__PORT"] == "9999"
    assert environment["no_proxy"] == "intranet,127.0.0.1"
    assert environment["LANG"] == "de_DE.UTF-8"
    assert "AIRFLOW__CELERY__BROKER_URL" not in environment
    assert "PYTHONDONTWRITEBYTECODE" not in environment


def test_secrets_are_generated_once_and_private(home: Home, postgres: EmbeddedPostgres) -> None:
    first = load_secrets(home)
    airflow_environment(home, postgres, inherited={})

    assert load_secrets(home) == first
    assert first != load_secrets(Home(home.directory / "other"))
    passwords = home.airflow_directory / "passwords.json"
    assert json.loads(passwords.read_text()) == {"admin": first.administrator_password}
    for path in (home.directory / "secrets.json", passwords):
        assert path.stat().st_mode & 0o777 == 0o600
