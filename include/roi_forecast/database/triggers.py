"""The triggers of the schema `roi`: history of changes, out-of-sample forecasts, marks to count.

Triggers hold for every statement of every login. The pipeline's role can neither write the history
nor drop a trigger; only the owner of the schema can.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from roi_forecast.database.counting import (
    COUNT_OUTCOMES,
    MARK_CHANGES,
    count_outcomes,
    mark_everything,
)
from roi_forecast.database.tables import SCHEMA, metadata
from roi_forecast.database.tables.track_record import DERIVED

# The function runs with its owner's rights, since the pipeline has none on the table, and with a
# fixed search path, so that its caller cannot substitute other functions. Bars leave one row per
# series, with their old values where few of them change, as by a correction; of the thousands that
# a split restates, price_restatements has the ratio. So do deleted figures, one per run, version
# and split: of thousands of assets, retention deletes half a million a day. An update that changes
# nothing is not recorded. Without EXECUTE nobody else can attach the function to a table of their
# own and write history.
_RECORD_CHANGE = """
CREATE OR REPLACE FUNCTION roi.record_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    few boolean;
BEGIN
    few := (SELECT count(*) <= 20 FROM (SELECT FROM old_rows LIMIT 21) AS first_rows);
    IF TG_TABLE_NAME = 'daily_prices' THEN
        INSERT INTO roi.history_changes (table_name, operation, rows, old_values)
        SELECT TG_TABLE_NAME, TG_OP, count(*), jsonb_strip_nulls(jsonb_build_object(
                   'source', source, 'symbol', symbol,
                   'first_date', min(trading_date), 'last_date', max(trading_date),
                   'bars', jsonb_agg(to_jsonb(old_rows) - 'source' - 'symbol'
                                     ORDER BY trading_date) FILTER (WHERE few)))
        FROM old_rows
        GROUP BY source, symbol;
    ELSIF TG_TABLE_NAME = 'evaluations' AND TG_OP = 'DELETE' THEN
        INSERT INTO roi.history_changes (table_name, operation, rows, old_values)
        SELECT TG_TABLE_NAME, TG_OP, count(*), jsonb_strip_nulls(jsonb_build_object(
                   'run_id', run_id, 'version_id', version_id, 'split', split,
                   'figures', jsonb_agg(to_jsonb(old_rows) - 'run_id' - 'version_id' - 'split'
                                        ORDER BY id) FILTER (WHERE few)))
        FROM old_rows
        GROUP BY run_id, version_id, split;
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
$$;
REVOKE ALL ON FUNCTION roi.record_change() FROM PUBLIC
"""

# Once per statement: looking up the version of each of a million rows takes a minute. Without a
# fixed search path, the caller could substitute the operator `<`.
_REFUSE_FORECASTS = """
CREATE OR REPLACE FUNCTION roi.refuse_forecasts_of_known_days() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    refused record;
BEGIN
    SELECT stored.version_id, stored.as_of_date, version.last_date INTO refused
    FROM stored
    JOIN roi.model_versions AS version ON version.version_id = stored.version_id
    WHERE stored.as_of_date < version.last_date
    LIMIT 1;
    IF FOUND THEN
        RAISE check_violation USING
            MESSAGE = format(
                'version %s knows the days up to %s, so it cannot forecast as of %s',
                refused.version_id, refused.last_date, refused.as_of_date
            ),
            TABLE = 'predictions',
            CONSTRAINT = 'out_of_sample';
    END IF;
    RETURN NULL;
END
$$
"""

_OF_EVERY_TABLE = {
    "record_delete": "AFTER DELETE ON {} REFERENCING OLD TABLE AS old_rows",
    "record_update": ("AFTER UPDATE ON {} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"),
}
_OF_PREDICTIONS = {
    "out_of_sample_when_inserted": "AFTER INSERT ON {} REFERENCING NEW TABLE AS stored",
    "out_of_sample_when_updated": "AFTER UPDATE ON {} REFERENCING NEW TABLE AS stored",
}
_INSERTED = "AFTER INSERT ON {} REFERENCING NEW TABLE AS new_rows"
_OF_COUNTED_TABLES = {
    "uncounted_when_inserted": _INSERTED,
    "uncounted_when_deleted": _OF_EVERY_TABLE["record_delete"],
    "uncounted_when_updated": _OF_EVERY_TABLE["record_update"],
    "uncounted_when_truncated": "AFTER TRUNCATE ON {}",
}
_OF_VERSIONS = {"uncounted_when_updated": _OF_EVERY_TABLE["record_update"]}

_IN_FORCE = text(
    """
    SELECT relation.relname, pg_trigger.tgname
    FROM pg_trigger
    JOIN pg_class AS relation ON relation.oid = pg_trigger.tgrelid
    WHERE relation.relnamespace = CAST(:schema AS regnamespace)
      AND pg_trigger.tgenabled = 'O'
      AND pg_trigger.tgfoid = CAST(:function AS regprocedure)
      AND pg_trigger.tgqual IS NULL
    """
)


def create_triggers(connection: Connection) -> None:
    """Create the triggers that are missing, disabled or altered; safe to repeat.

    Every change and deletion of a row is recorded, on every table that is not derived from others.
    A forecast as of a date before the end of its version's data is refused. A change that alters an
    outcome is marked as uncounted; if one may have been missed, everything is counted again.

    Args:
        connection: Market database, as the owner of the schema, with all tables.
    """
    for function in (_RECORD_CHANGE, _REFUSE_FORECASTS, MARK_CHANGES, COUNT_OUTCOMES):
        # A % in it does not mark a parameter.
        connection.exec_driver_sql(function, execution_options={"no_parameters": True})
    tables = [table.name for table in metadata.tables.values() if table not in DERIVED]
    _put_in_force(connection, "roi.record_change()", _OF_EVERY_TABLE, tables)
    _put_in_force(
        connection, "roi.refuse_forecasts_of_known_days()", _OF_PREDICTIONS, ["predictions"]
    )
    marking = "roi.mark_uncounted()"
    created = [
        _put_in_force(connection, marking, _OF_COUNTED_TABLES, ["daily_prices", "predictions"]),
        _put_in_force(connection, marking, _OF_VERSIONS, ["model_versions"]),
    ]
    if any(created):
        mark_everything(connection)
        count_outcomes(connection)


def _put_in_force(
    connection: Connection, function: str, triggers: dict[str, str], tables: list[str]
) -> bool:
    """Create those triggers that are not in force; tell whether there were any."""
    created = False
    found = connection.execute(_IN_FORCE, {"schema": SCHEMA, "function": function})
    in_force = {tuple(row) for row in found}
    for table in tables:
        for name, event in triggers.items():
            # Creating a trigger waits for every writer of the table.
            if (table, name) in in_force:
                continue
            relation = f"{SCHEMA}.{table}"
            connection.execute(text(f"DROP TRIGGER IF EXISTS {name} ON {relation}"))
            connection.execute(
                text(
                    f"CREATE TRIGGER {name} {event.format(relation)} "
                    f"FOR EACH STATEMENT EXECUTE FUNCTION {function}"
                )
            )
            created = True
    return created
