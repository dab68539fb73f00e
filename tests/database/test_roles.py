"""The rights of the stages' login in the market database."""

from __future__ import annotations

from collections.abc import Iterator

import optuna
import pytest
from sqlalchemy import Engine, Table, delete, select, text, update
from sqlalchemy.exc import ProgrammingError

from daily_run import NOW, carry_out, prepare
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.migrate import migrate
from roi_forecast.database.roles import OPTUNA_SCHEMA, WRITER_ROLE
from roi_forecast.database.tables import evaluations, history_changes, metadata, predictions
from roi_forecast.serving.retention import prune_registry
from roi_forecast.settings import Settings
from serving_version import PARAMETERS

MAY_CHANGE = {
    "assets": {"UPDATE"},
    "live_checks": {"DELETE"},
    "daily_prices": {"DELETE"},
    "drift": {"DELETE"},
    "evaluations": {"UPDATE", "DELETE"},
    "extractions": {"UPDATE"},
    "gate_decisions": {"UPDATE", "DELETE"},
    "model_versions": {"UPDATE"},
    "price_checks": {"DELETE"},
    "runs": {"UPDATE"},
    "studies": {"UPDATE"},
}


@pytest.fixture
def writer_url(market_url: str) -> str:
    return f"{market_url}&options=-c%20role%3D{WRITER_ROLE}"


@pytest.fixture
def writer(writer_url: str) -> Iterator[Engine]:
    engine = create_database_engine(writer_url)
    yield engine
    engine.dispose()


def test_writer_runs_the_stages_up_to_the_dataset(
    writer: Engine, writer_url: str, settings: Settings
) -> None:
    _, dataset = prepare(writer, Settings(writer_url, settings.data_directory), "run", {})
    assert len(dataset.dates) > 100


def test_writer_repeats_a_run_and_the_replaced_rows_are_recorded(
    writer: Engine, writer_url: str, market_engine: Engine, settings: Settings
) -> None:
    stages = Settings(writer_url, settings.data_directory)
    first = carry_out(writer, stages, "run", PARAMETERS)
    again = carry_out(writer, stages, "run", PARAMETERS)
    assert again.version_id == first.version_id
    assert first.verdict.promoted
    prune_registry(
        writer,
        stages,
        keep_versions=2,
        keep_candidates=0,
        keep_backtests=1,
        is_active=lambda run_id: False,
        now=NOW,
    )
    with market_engine.connect() as connection:
        deleted = connection.scalars(
            select(history_changes.c.table_name)
            .where(history_changes.c.operation == "DELETE")
            .distinct()
        ).all()
    assert {"live_checks", "drift", "price_checks"} <= set(deleted)


@pytest.mark.parametrize("operation", ["UPDATE", "DELETE", "TRUNCATE"])
@pytest.mark.parametrize("table", metadata.tables.values(), ids=lambda table: table.name)
def test_writer_changes_only_what_a_repeated_stage_replaces(
    writer: Engine, table: Table, operation: str
) -> None:
    statement = {
        "UPDATE": update(table).values({table.c.keys()[0]: None}).where(text("false")),
        "DELETE": delete(table).where(text("false")),
        "TRUNCATE": text(f"TRUNCATE {table.fullname}"),
    }[operation]
    with writer.begin() as connection:
        if operation in MAY_CHANGE.get(table.name, ()):
            connection.execute(statement)
        else:
            with pytest.raises(ProgrammingError, match="permission denied"):
                connection.execute(statement)


def test_writer_reads_every_table_and_adds_to_all_but_the_history_and_what_is_counted(
    writer: Engine,
) -> None:
    with writer.connect() as connection:
        for table in metadata.tables.values():
            connection.execute(select(table).limit(1))
        addable = connection.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'roi'::regnamespace "
                "AND relkind IN ('r', 'v') AND has_table_privilege(oid, 'INSERT')"
            )
        ).all()
    expected = {table.name for table in metadata.tables.values()} - {
        "history_changes",
        "counted_days",
        "counted_months",
        "uncounted",
    }
    assert set(addable) == expected


def test_writer_cannot_change_a_table_through_a_view(writer: Engine) -> None:
    """PostgreSQL lets users write through a view of one table, with the rights of its owner."""
    for statement in ("DELETE FROM roi.changed_rows", "UPDATE roi.changed_rows SET rows = 0"):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            writer.begin() as connection,
        ):
            connection.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE roi.predictions",
        "ALTER TABLE roi.runs DISABLE TRIGGER record_update",
        "DROP TRIGGER record_delete ON roi.evaluations",
        "DROP FUNCTION roi.record_change()",
        "INSERT INTO roi.history_changes DEFAULT VALUES",
        "SET session_replication_role = replica",
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


def test_writer_can_use_optunas_tables(writer_url: str) -> None:
    storage = optuna.storages.RDBStorage(
        f"{writer_url}%20-c%20search_path%3D{OPTUNA_SCHEMA}", engine_kwargs={"pool_size": 1}
    )
    study = optuna.create_study(storage=storage, study_name="test")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert len(study.trials) == 1
    storage.engine.dispose()


def test_migrating_again_does_not_change_the_rights(market_url: str, writer: Engine) -> None:
    migrate(market_url)
    with pytest.raises(ProgrammingError, match="permission denied"), writer.begin() as connection:
        connection.execute(delete(predictions))
    with writer.begin() as connection:
        connection.execute(delete(evaluations))
