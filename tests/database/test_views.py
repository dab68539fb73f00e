"""The views match their files, whatever somebody did to them."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from roi_forecast.database.migrate import migrate
from roi_forecast.database.tables import SCHEMA, metadata
from roi_forecast.database.views import create_views, read_views

_DESCRIPTIONS = text(
    """
    SELECT relation.relname, attribute.attname, relation.oid,
           pg_get_viewdef(relation.oid) AS definition,
           obj_description(relation.oid, 'pg_class') AS comment,
           col_description(relation.oid, attribute.attnum) AS column_comment,
           relation.reloptions AS options,
           has_table_privilege('roi_reader', relation.oid, 'SELECT') AS readable
    FROM pg_class AS relation
    JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid AND attribute.attnum > 0
    WHERE relation.relnamespace = to_regnamespace('roi') AND relation.relkind IN ('r', 'v')
      AND relation.relname <> 'alembic_version'
    ORDER BY 1, attribute.attnum
    """
)


def _described(engine: Engine, *, with_oid: bool = False) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(_DESCRIPTIONS).all()
    return [tuple(row) if with_oid else (*row[:2], *row[3:]) for row in rows]


def test_every_view_has_a_file_and_every_relation_and_column_a_comment(
    market_engine: Engine,
) -> None:
    with market_engine.connect() as connection:
        rows = connection.execute(_DESCRIPTIONS).all()
    tables = {table.name for table in metadata.tables.values()}
    assert {row.relname for row in rows} == tables | read_views().keys()
    assert [tuple(row[:2]) for row in rows if not row.comment or not row.column_comment] == []


def test_a_view_comes_after_those_that_it_reads() -> None:
    order = list(read_views())
    assert order.index("forecasts") < order.index("latest_forecasts")
    assert order.index("model_names") < order.index("asset_health")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP VIEW roi.track_record_days",
        "DROP VIEW roi.forecasts CASCADE",
        "DROP SCHEMA roi CASCADE",
        "ALTER VIEW roi.gate_rulings RENAME TO gate_rules; DROP VIEW roi.gate_rules",
        "ALTER VIEW roi.gate_rulings RENAME COLUMN rule TO name",
        """CREATE OR REPLACE VIEW roi.prices AS
        SELECT source, symbol, ''::text AS name, trading_date, open, high, low, close,
               2 * adj_close AS adj_close, volume, ''::text AS currency, fetched_at,
               true AS simulated
        FROM roi.daily_prices""",
        "COMMENT ON VIEW roi.live_skill IS 'nothing'",
        "COMMENT ON COLUMN roi.live_skill.mae_pct IS NULL",
        "ALTER VIEW roi.live_skill SET (security_invoker = true)",
        "REVOKE SELECT ON roi.live_skill FROM roi_reader",
    ],
)
def test_migrate_restores_a_missing_or_altered_view(
    market_url: str, market_engine: Engine, statement: str
) -> None:
    before = _described(market_engine)
    with market_engine.begin() as connection:
        connection.execute(text(statement))
    assert _described(market_engine) != before
    migrate(market_url)
    assert _described(market_engine) == before


def test_unchanged_views_are_left_alone(market_url: str, market_engine: Engine) -> None:
    before = _described(market_engine, with_oid=True)
    migrate(market_url)
    assert _described(market_engine, with_oid=True) == before
    with market_engine.begin() as connection:
        assert not create_views(connection)
        connection.execute(text(f"DROP VIEW {SCHEMA}.live_skill"))
        assert create_views(connection)


def test_checking_the_views_waits_for_no_reader(market_engine: Engine, market_url: str) -> None:
    """A reader in a transaction holds a lock on every view; all of them are as in their files."""
    with market_engine.connect() as reader:
        for name in read_views():
            reader.execute(text(f"SELECT FROM {SCHEMA}.{name} LIMIT 1"))
        migrate(f"{market_url}&options=-c%20lock_timeout%3D2s")
