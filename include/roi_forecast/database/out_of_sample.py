"""The rule of the database that no version forecasts a day that lies inside its own data."""

from __future__ import annotations

from sqlalchemy import Connection, text

from roi_forecast.database.triggers import put_in_force

# A statement at a time: to look up the version of each of a million rows takes a minute. Without a
# search path of its own, the function would take `<` from a schema in which its caller may create.
_FUNCTION = """
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

_TRIGGERS = {
    ("predictions", "out_of_sample_when_inserted"): """
    CREATE TRIGGER out_of_sample_when_inserted AFTER INSERT ON roi.predictions
    REFERENCING NEW TABLE AS stored
    FOR EACH STATEMENT EXECUTE FUNCTION roi.refuse_forecasts_of_known_days()
    """,
    ("predictions", "out_of_sample_when_updated"): """
    CREATE TRIGGER out_of_sample_when_updated AFTER UPDATE ON roi.predictions
    REFERENCING NEW TABLE AS stored
    FOR EACH STATEMENT EXECUTE FUNCTION roi.refuse_forecasts_of_known_days()
    """,
}


def require_out_of_sample(connection: Connection) -> None:
    """Have the database refuse forecasts as of a date before the end of their version's data.

    Args:
        connection: Market database, as the owner of the schema, with all tables.
    """
    connection.execute(text(_FUNCTION))
    put_in_force(connection, "roi.refuse_forecasts_of_known_days()", _TRIGGERS)
