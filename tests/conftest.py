"""What all tests share: a PostgreSQL of their own, fresh databases on it, and the real prices."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

# Before numpy loads: test processes share the cores, and its threads spin while they wait.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from sqlalchemy import Engine

from databases import REAL_PRICES, fresh_market, new_name
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.migrate import migrate
from roi_forecast.settings import Settings
from roi_local.postgres.server import EmbeddedPostgres, start_postgres

if TYPE_CHECKING:
    from upath import UPath

    from live_stack import SharedStack
    from object_store import ObjectStore
    from planted import Planted
    from roi_forecast.data_path import DataPath
    from serving_version import Served, ServedTemplate

OBJECT_STORE = "object store"
_TEMPLATE = "market_template"
_LIVE_FILES = pytest.StashKey[set[Path]]()

# How long an example takes on a busy machine decides nothing.
settings.register_profile("any-speed", deadline=None)
settings.load_profile("any-speed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that take longest, so that no process works alone at the end."""
    longest = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in longest)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Remember the files that use the live Airflow: the last one stops it."""
    session.stash[_LIVE_FILES] = {
        item.path for item in session.items if "shared_stack" in getattr(item, "fixturenames", ())
    }


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    # Deleted with the session, unlike pytest's own folders, since it grows large.
    with (
        TemporaryDirectory(prefix="roi-tests-") as directory,
        start_postgres(Path(directory) / "postgres") as server,
    ):
        yield server


@pytest.fixture(scope="session")
def market_template(postgres: EmbeddedPostgres) -> str:
    """Migrate once; a copy of the result costs a tenth of a migration."""
    postgres.create_database(_TEMPLATE)
    migrate(postgres.url(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def market_url(postgres: EmbeddedPostgres, market_template: str) -> Iterator[str]:
    with fresh_market(postgres, market_template) as url:
        yield url


@pytest.fixture
def market_engine(market_url: str) -> Iterator[Engine]:
    engine = create_database_engine(market_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def real_prices_path() -> Path:
    if not REAL_PRICES.is_file():
        pytest.skip(f"the real prices are not at {REAL_PRICES}")
    return REAL_PRICES


@pytest.fixture
def settings(market_url: str, tmp_path: Path) -> Settings:
    """An installation on a fresh market database, with a data folder of its own."""
    return Settings(market_url, tmp_path / "data")


@pytest.fixture(scope="session")
def _served_template(
    postgres: EmbeddedPostgres, market_template: str, tmp_path_factory: pytest.TempPathFactory
) -> ServedTemplate:
    # TensorFlow loads for seconds: only the tests that need a model wait for it.
    from serving_version import build_template

    return build_template(postgres, market_template, tmp_path_factory.mktemp("served"))


@pytest.fixture
def served(
    request: pytest.FixtureRequest, _served_template: ServedTemplate, tmp_path: Path
) -> Iterator[Served]:
    """An installation of the test's own in which a version serves.

    Its data lie in a folder, or where the test says so by `IN_BOTH` of `object_store`, there too.
    """
    directory: DataPath = tmp_path / "served"
    if getattr(request, "param", None) == OBJECT_STORE:
        directory = request.getfixturevalue("stored_folder")
    with _served_template.clone(new_name("served"), directory) as clone:
        yield clone


@pytest.fixture
def stored_folder(
    object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> UPath:
    """A folder of the test's own in an object store."""
    from object_store import fresh_folder

    return fresh_folder(object_store, tmp_path.name, tmp_path / "host", monkeypatch)


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """A local S3 server."""

    from object_store import ObjectStore

    store = ObjectStore()
    yield store
    store.stop()


@pytest.fixture(scope="session")
def _joined_stack() -> Iterator[SharedStack]:
    from live_stack import join_shared_stack

    with join_shared_stack() as stack:
        yield stack


@pytest.fixture(scope="module")
def shared_stack(
    request: pytest.FixtureRequest, _joined_stack: SharedStack
) -> Iterator[SharedStack]:
    """The live Airflow of all tests that need one; `tests/live_stack.py` says how to use it."""
    from live_stack import leave_shared_stack

    yield _joined_stack
    leave_shared_stack(_joined_stack, request.path, request.session.stash[_LIVE_FILES])


@pytest.fixture(scope="session")
def planted(postgres: EmbeddedPostgres, market_template: str) -> Iterator[Planted]:
    """A database as after 60 sessions of two model names; tests only read it."""
    from planted import planted_market
    from planted_experiments import plant_experiments

    reference = {"assets": 5, "sessions": 60, "versions": 4, "context": ["^GSPC", "INR=X"]}
    simulated = {"assets": 2, "sessions": 20, "versions": 1, "source": "simulated"}
    with planted_market(
        postgres, market_template, reference, {**simulated, "model_name": "simulated"}
    ) as market:
        plant_experiments(
            market.engine, model_name="reference", source="yahoo", dataset_id="reference-data"
        )
        yield market


@pytest.fixture(scope="session")
def unplanted(postgres: EmbeddedPostgres, market_template: str) -> Iterator[Planted]:
    """A migrated database without any rows; tests only read it."""
    from planted import planted_market

    with planted_market(postgres, market_template) as market:
        yield market
