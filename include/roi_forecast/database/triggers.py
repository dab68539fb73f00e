"""Bringing triggers into force where they are missing, disabled or bound to another function."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text

from roi_forecast.database.schema import SCHEMA

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


def put_in_force(
    connection: Connection, function: str, triggers: Mapping[tuple[str, str], str]
) -> None:
    """Create the triggers that are not in force; safe to repeat.

    Args:
        connection: Market database, as the owner of the schema, with the tables and the function.
        function: The function of all of them, with its schema and arguments.
        triggers: By table and trigger name the statement that creates the trigger.
    """
    found = connection.execute(_IN_FORCE, {"schema": SCHEMA, "function": function})
    in_force = {tuple(row) for row in found}
    for (table, name), statement in triggers.items():
        # To create a trigger is to wait for every writer of the table.
        if (table, name) not in in_force:
            connection.execute(text(f"DROP TRIGGER IF EXISTS {name} ON {SCHEMA}.{table}"))
            connection.execute(text(statement))
