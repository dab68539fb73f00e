"""The SQL views of the schema `roi`: each is a file in the folder `views`, and the files decide."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, bindparam, inspect, text
from sqlalchemy.schema import SetColumnComment
from sqlalchemy.types import NullType

from roi_forecast.database.column_comments import COLUMN_COMMENTS
from roi_forecast.database.schema import SCHEMA

_FOLDER = Path(__file__).with_name("views")
_TEMPORARY = "pg_temp"

_DEFINITIONS = text(
    """
    SELECT relation.relname AS view,
           pg_get_viewdef(relation.oid) AS definition,
           relation.reloptions AS options,
           obj_description(relation.oid, 'pg_class') AS comment,
           jsonb_agg(jsonb_build_array(
               attribute.attname,
               format_type(attribute.atttypid, attribute.atttypmod),
               col_description(relation.oid, attribute.attnum)
           ) ORDER BY attribute.attnum) AS columns
    FROM pg_class AS relation
    JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid AND attribute.attnum > 0
    WHERE relation.relkind = 'v'
      AND relation.relname IN :names
      AND relation.relnamespace = CASE
          WHEN :schema = 'pg_temp' THEN pg_my_temp_schema() ELSE to_regnamespace(:schema)
      END
    GROUP BY relation.oid
    """
).bindparams(bindparam("names", expanding=True))


def read_views() -> dict[str, str]:
    """Return the script of each view by name; a view comes after those that it reads."""
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in _FOLDER.glob("*.sql")}
    reads = {
        name: (set(re.findall(rf"\b{SCHEMA}\.(\w+)", script)) & scripts.keys()) - {name}
        for name, script in scripts.items()
    }
    order = TopologicalSorter({name: sorted(reads[name]) for name in sorted(reads)}).static_order()
    return {name: scripts[name] for name in order}


def create_views(connection: Connection) -> bool:
    """Bring the views to what their files say; a view that nobody changed is left alone.

    Args:
        connection: Market database, as the owner of the schema, with all tables.

    Returns:
        Whether a view was missing or not as its file says, so that all were created again.
    """
    views = read_views()
    if _are_current(connection, views):
        return False
    drop_views(connection)
    _execute(connection, views, SCHEMA)
    for name, found in _definitions(connection, views, SCHEMA).items():
        view = Table(name, MetaData(schema=SCHEMA))
        for column, _, comment in _with_comments(found):
            view.append_column(Column(column, NullType, comment=comment))
            connection.execute(SetColumnComment(view.columns[column]))
    return True


def drop_views(connection: Connection) -> None:
    """Drop every view that has a file, so that the tables below them can change."""
    existing = set(inspect(connection).get_view_names(SCHEMA))
    for name in reversed(read_views()):
        if name in existing:
            connection.exec_driver_sql(f"DROP VIEW {SCHEMA}.{name}")


def _are_current(connection: Connection, views: dict[str, str]) -> bool:
    """Compare the views with what the files give under temporary names, which locks nobody out."""
    present = _definitions(connection, views, SCHEMA)
    if present.keys() != views.keys():
        return False
    trial = connection.begin_nested()
    _execute(connection, views, _TEMPORARY)
    wanted = _definitions(connection, views, _TEMPORARY)
    trial.rollback()
    return present == {
        name: {**found, "columns": _with_comments(found)} for name, found in wanted.items()
    }


def _execute(connection: Connection, views: dict[str, str], schema: str) -> None:
    for name, script in views.items():
        named = re.sub(rf"\b{SCHEMA}\.{name}\b", f"{schema}.{name}", script)
        # A script is several statements, and a % in it is not the mark of a parameter.
        connection.exec_driver_sql(named, execution_options={"no_parameters": True})


def _definitions(
    connection: Connection, views: dict[str, str], schema: str
) -> dict[str, dict[str, Any]]:
    rows = connection.execute(_DEFINITIONS, {"names": list(views), "schema": schema}).mappings()
    return {row["view"]: {name: row[name] for name in row if name != "view"} for row in rows}


def _with_comments(found: dict[str, Any]) -> list[list[str]]:
    """Return the columns with the comment of the file or, without one, of the column's name."""
    return [
        [column, kind, comment or COLUMN_COMMENTS[column]]
        for column, kind, comment in found["columns"]
    ]
