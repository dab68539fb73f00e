"""`make clean`: deleting only what nobody uses, and only after a yes."""

from __future__ import annotations

from pathlib import Path

import pytest

from roi_local.commands.clean import delete_home
from roi_local.environment import RUN_PURPOSE, UP_PURPOSE, Home
from roi_local.errors import LocalError
from roi_local.postgres.server import start_postgres
from roi_local.private_files import hold_lock


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "roi")
    (home.data_directory / "models").mkdir(parents=True)
    return home


def test_data_are_deleted_once_confirmed(home: Home) -> None:
    assert delete_home(home, confirmed=True) == 0
    assert not home.directory.exists()
    assert delete_home(home, confirmed=True) == 0


def test_nothing_is_deleted_where_nobody_can_be_asked(home: Home) -> None:
    with pytest.raises(LocalError, match="add YES=1"):
        delete_home(home, confirmed=False)

    assert (home.data_directory / "models").exists()


@pytest.mark.parametrize("purpose", [RUN_PURPOSE, UP_PURPOSE])
def test_data_in_use_stay(home: Home, purpose: str) -> None:
    with hold_lock(home.lock(purpose), "free"), pytest.raises(LocalError):
        delete_home(home, confirmed=True)

    assert (home.data_directory / "models").exists()


def test_data_stay_while_postgres_is_in_use(home: Home) -> None:
    with (
        start_postgres(home.postgres_directory),
        pytest.raises(LocalError, match="PostgreSQL is in use"),
    ):
        delete_home(home, confirmed=True)

    assert (home.postgres_directory / "PG_VERSION").exists()
