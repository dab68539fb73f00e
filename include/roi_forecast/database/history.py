"""The history of the rows: what was changed or deleted stays on record, with when and by whom.

Triggers write it, whoever changes the rows and by whatever statement. The pipeline's role can
neither write this table nor drop the triggers; only the owner of the schema can.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, Identity, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from roi_forecast.database.schema import SCHEMA, metadata, moment
from roi_forecast.database.triggers import put_in_force

history_changes = Table(
    "history_changes",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("table_name", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("rows", Integer, nullable=False, comment="number of rows changed or deleted"),
    Column("old_values", JSONB, nullable=False),
    moment("changed_at", now=True),
    Column("changed_by", Text, nullable=False, server_default=text("SESSION_USER")),
    Column(
        "application_name",
        Text,
        nullable=False,
        server_default=text("current_setting('application_name')"),
    ),
    Index("ix_history_changes_table_name", "table_name", "changed_at"),
    comment="Every change and deletion of a stored row.",
)

# It runs with the owner's rights, as the pipeline has none on the table, and without a search path
# that its caller could bend. Bars are restated by thousands: they leave one row a series. What an
# update leaves as it was is not recorded.
_FUNCTION = """
CREATE OR REPLACE FUNCTION roi.record_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'daily_prices' THEN
        INSERT INTO roi.history_changes (table_name, operation, rows, old_values)
        SELECT TG_TABLE_NAME, TG_OP, count(*), jsonb_build_object(
                   'source', source, 'symbol', symbol,
                   'first_date', min(trading_date), 'last_date', max(trading_date))
        FROM old_rows
        GROUP BY source, symbol;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO roi.history_changes (table_name, operation, rows, old_values)
        SELECT TG_TABLE_NAME, TG_OP, 1, to_jsonb(old_rows)
        FROM old_rows;
    ELSE
        INSERT INTO roi.history_changes (table_name, operation, rows, old_values)
        SELECT TG_TABLE_NAME, TG_OP, 1, changed.old_values
        FROM (
            SELECT to_jsonb(old_rows) AS old_values FROM old_rows
            EXCEPT ALL
            SELECT to_jsonb(new_rows) FROM new_rows
        ) AS changed;
    END IF;
    RETURN NULL;
END
$$
"""

# Without EXECUTE nobody else can make a trigger of it, on a table of their own, and write history.
_REVOKE = "REVOKE ALL ON FUNCTION roi.record_change() FROM PUBLIC"

_TRIGGERS = {
    "record_delete": (
        "CREATE TRIGGER record_delete AFTER DELETE ON {} REFERENCING OLD TABLE AS old_rows "
        "FOR EACH STATEMENT EXECUTE FUNCTION roi.record_change()"
    ),
    "record_update": (
        "CREATE TRIGGER record_update AFTER UPDATE ON {} REFERENCING OLD TABLE AS old_rows "
        "NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION roi.record_change()"
    ),
}


def record_history(connection: Connection) -> None:
    """Have every change and deletion of a row recorded, on every table; safe to repeat.

    Args:
        connection: Market database, as the owner of the schema, with all tables.
    """
    connection.execute(text(_FUNCTION))
    connection.execute(text(_REVOKE))
    triggers = {
        (table.name, name): statement.format(f"{SCHEMA}.{table.name}")
        for table in metadata.tables.values()
        for name, statement in _TRIGGERS.items()
    }
    put_in_force(connection, "roi.record_change()", triggers)
