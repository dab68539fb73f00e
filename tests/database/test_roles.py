"""What the stages' login may do at the market database, and what not."""

from __future__ import annotations

from collections.abc import Iterator

import optuna
import pytest
from sqlalchemy import Engine, delete, select, text, update
from sqlalchemy.exc import ProgrammingError

from daily_run import prepare
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.migrate import migrate
from roi_forecast.database.roles import OPTUNA_SCHEMA, WRITER_ROLE
from roi_forecast.database.tables import metadata, model_versions, predictions, promotions
from roi_forecast.settings import Settings

APPEND_ONLY = (predictions, promotions)


@pytest.fixture
def writer_url(market_url: str) -> str:
    return f"{market_url}&options=-c%20role%3D{WRITER_ROLE}"


@pytest.fixture
def writer(writer_url: str) -> Iterator[Engine]:
    engine = create_database_engine(writer_url)
    yield engine
    engine.dispose()


def test_writer_carries_out_the_stages_up_to_the_dataset(
    writer: Engine, writer_url: str, settings: Settings
) -> None:
    _, dataset = prepare(writer, Settings(writer_url, settings.data_directory), "run", {})
    assert len(dataset.dates) > 100


def test_writer_may_change_every_table_but_forecasts_and_promotions(writer: Engine) -> None:
    for table in metadata.tables.values():
        with writer.begin() as connection:
            connection.execute(select(table).limit(1))
        for statement in (delete(table), update(table).values({table.c.keys()[0]: None})):
            if table in APPEND_ONLY:
                with (
                    pytest.raises(ProgrammingError, match="permission denied"),
                    writer.begin() as c,
                ):
                    c.execute(statement.where(text("false")))
            else:
                with writer.begin() as connection:
                    connection.execute(statement.where(text("false")))


def test_writer_adds_forecasts_and_promotions(writer: Engine) -> None:
    with writer.connect() as connection:
        for table in APPEND_ONLY:
            allowed = connection.scalar(
                text("SELECT has_table_privilege(:name, 'INSERT')"), {"name": f"roi.{table.name}"}
            )
            assert allowed


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE roi.predictions",
        "CREATE TABLE roi.other (a integer)",
        "CREATE TABLE public.other (a integer)",
        "ALTER TABLE roi.runs ADD COLUMN other integer",
        "UPDATE roi.alembic_version SET version_num = '0001'",
        "CREATE ROLE other",
        "COPY roi.runs TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
    ],
)
def test_writer_may_not_change_the_schema_or_reach_the_server(
    writer: Engine, statement: str
) -> None:
    refused = pytest.raises(ProgrammingError, match=r"permission denied|must be owner")
    with refused, writer.begin() as connection:
        connection.execute(text(statement))


def test_writer_lets_optuna_keep_its_tables(writer_url: str) -> None:
    storage = optuna.storages.RDBStorage(
        f"{writer_url}%20-c%20search_path%3D{OPTUNA_SCHEMA}", engine_kwargs={"pool_size": 1}
    )
    study = optuna.create_study(storage=storage, study_name="test")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert len(study.trials) == 1
    storage.engine.dispose()


def test_migrating_again_leaves_the_rights_as_they_are(market_url: str, writer: Engine) -> None:
    migrate(market_url)
    with pytest.raises(ProgrammingError, match="permission denied"), writer.begin() as connection:
        connection.execute(delete(predictions))
    with writer.begin() as connection:
        connection.execute(delete(model_versions))
