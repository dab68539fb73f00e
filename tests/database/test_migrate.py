from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, inspect, select, table, text
from sqlalchemy.exc import ProgrammingError

from later_migration import go_one_migration_back
from roi_forecast.database import migrate as migration
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.migrate import migrate, require_current_schema
from roi_forecast.database.tables import SCHEMA, metadata
from roi_forecast.database.views import read_views
from roi_forecast.errors import PreflightError
from roi_local.postgres.server import EmbeddedPostgres

VIEWS = (
    "latest_forecasts",
    "outcomes",
    "versions",
    "champion_history",
    "leakage_audits",
    "live_skill",
    "champion_checks",
    "latest_drift",
    "backtest_folds",
    "latest_context",
)


def test_migrate_leaves_the_tables_that_the_code_describes(market_engine: Engine) -> None:
    with market_engine.begin() as connection:
        command.check(migration._alembic_config(connection))


def test_migrate_twice_at_once_on_an_empty_database_ends_current(
    postgres: EmbeddedPostgres,
) -> None:
    postgres.create_database("migrated_twice")
    url = postgres.url("migrated_twice")
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(migrate, [url, url]))
    engine = create_database_engine(url)
    require_current_schema(engine)
    engine.dispose()


def test_downgrade_removes_all_tables_and_views(market_engine: Engine) -> None:
    with market_engine.begin() as connection:
        command.downgrade(migration._alembic_config(connection), "base")
    names = inspect(market_engine).get_table_names(SCHEMA)
    assert names == ["alembic_version"]


def test_require_current_schema_names_a_database_without_tables(
    postgres: EmbeddedPostgres,
) -> None:
    postgres.create_database("empty")
    engine = create_database_engine(postgres.url("empty"))
    with pytest.raises(PreflightError, match="has no tables yet"):
        require_current_schema(engine)
    engine.dispose()


def test_require_current_schema_names_a_newer_revision(market_engine: Engine) -> None:
    with market_engine.begin() as connection:
        connection.execute(text("UPDATE roi.alembic_version SET version_num = '9999'"))
    with pytest.raises(PreflightError, match="is ahead"):
        require_current_schema(market_engine)


def test_a_database_one_migration_behind_is_refused_and_then_migrated(
    market_url: str, market_engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    go_one_migration_back(market_engine, monkeypatch, tmp_path)
    with pytest.raises(PreflightError, match="is behind, at revision 0002"):
        require_current_schema(market_engine)
    migrate(market_url)
    require_current_schema(market_engine)
    assert set(inspect(market_engine).get_view_names(SCHEMA)) == read_views().keys()


def test_when_forecasts_are_due_is_taken_from_the_parameters_of_older_runs(
    market_url: str, market_engine: Engine
) -> None:
    with market_engine.begin() as connection:
        command.downgrade(migration._alembic_config(connection), "0001")
        connection.execute(
            text(
                "INSERT INTO roi.runs (run_id, model_name, source, as_of_date, resolved) VALUES "
                "('run', 'reference', 'yahoo', '2024-12-31', CAST(:resolved AS jsonb))"
            ),
            {"resolved": '{"published_at": "2024-12-31T22:15:00Z"}'},
        )
    migrate(market_url)
    with market_engine.begin() as connection:
        assert connection.scalar(text("SELECT published_at FROM roi.runs")) == datetime(
            2024, 12, 31, 22, 15, tzinfo=UTC
        )
        assert connection.scalar(text("SELECT count(*) FROM roi.history_changes")) == 0
        connection.execute(text("UPDATE roi.runs SET source = 'other'"))
        assert connection.scalar(text("SELECT count(*) FROM roi.history_changes")) == 1


def test_a_newer_database_is_not_migrated(market_url: str, market_engine: Engine) -> None:
    with market_engine.begin() as connection:
        connection.execute(text("UPDATE roi.alembic_version SET version_num = '9999'"))
    with pytest.raises(PreflightError, match="is ahead of this code, at the unknown revision 9999"):
        migrate(market_url)


@pytest.mark.parametrize(
    "statement",
    [
        "COMMENT ON COLUMN roi.runs.source IS 'other'",
        "COMMENT ON COLUMN roi.runs.source IS NULL",
        "COMMENT ON TABLE roi.runs IS 'other'",
        "COMMENT ON TABLE roi.runs IS NULL",
    ],
)
def test_a_changed_comment_is_restored(
    market_url: str, market_engine: Engine, statement: str
) -> None:
    with market_engine.begin() as connection:
        connection.execute(text(statement))
    migrate(market_url)
    with market_engine.begin() as connection:
        command.check(migration._alembic_config(connection))


def test_a_changed_table_is_refused_by_name(market_url: str, market_engine: Engine) -> None:
    with market_engine.begin() as connection:
        connection.execute(text("ALTER TABLE roi.runs ALTER COLUMN model_name DROP NOT NULL"))
        connection.execute(text("DROP TABLE roi.price_restatements CASCADE"))
    with pytest.raises(PreflightError, match="tables differ from this code: ") as error:
        migrate(market_url)
    assert "add_table price_restatements" in str(error.value)
    assert "modify_nullable roi runs model_name" in str(error.value)


def test_engine_refuses_another_driver() -> None:
    with pytest.raises(PreflightError, match=r"'postgresql\+psycopg'"):
        create_database_engine("postgresql://nobody@/market")


def test_reader_sees_the_views_and_no_table(market_engine: Engine) -> None:
    for name in VIEWS:
        with market_engine.begin() as connection:
            connection.execute(text("SET LOCAL ROLE roi_reader"))
            connection.execute(select(text("*")).select_from(table(name, schema=SCHEMA)))
    for name in metadata.tables:
        with market_engine.begin() as connection:
            connection.execute(text("SET LOCAL ROLE roi_reader"))
            with pytest.raises(ProgrammingError, match="permission denied"):
                connection.execute(select(metadata.tables[name]))
