"""Any view of the schema `roi` as a CSV file."""

from __future__ import annotations

from pathlib import Path

from psycopg import sql
from sqlalchemy import Engine, inspect

from roi_forecast.database.tables import SCHEMA
from roi_forecast.errors import ExportError
from roi_forecast.files.artifacts import written_file


def export_view(engine: Engine, view: str, path: Path) -> int:
    """Write a view with a header line, completely or not at all, streaming its rows.

    Args:
        engine: Market database.
        view: Name of a view, without the schema.
        path: The CSV file; an existing one is replaced.

    Returns:
        The number of rows.

    Raises:
        ExportError: There is no such view, or the file cannot be written.
    """
    known = sorted(inspect(engine).get_view_names(schema=SCHEMA))
    if view not in known:
        raise ExportError(f"there is no view {view!r} to export; there are {', '.join(known)}")
    copying = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT csv, HEADER)").format(
        sql.Identifier(SCHEMA, view)
    )
    try:
        with engine.connect() as connection, written_file(path) as file:
            driver = connection.connection.driver_connection
            with driver.cursor() as cursor:  # type: ignore[union-attr]
                with cursor.copy(copying) as copy:
                    for block in copy:
                        file.write(block)
                rows = int(cursor.rowcount)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}") from error
    return rows
