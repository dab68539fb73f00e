"""The SQL views of the schema `roi`. Each is a file in the folder `views`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    Table,
    TableClause,
    bindparam,
    inspect,
    table,
    text,
)
from sqlalchemy import column as sql_column
from sqlalchemy.schema import SetColumnComment
from sqlalchemy.types import NullType

from roi_forecast.database.tables import SCHEMA, metadata

_FOLDER = Path(__file__).with_name("views")
_TEMPORARY = "pg_temp"
_COMMENT = re.compile(rf"COMMENT ON COLUMN {SCHEMA}\.(\w+)\.(\w+) IS\s+'((?:[^']|'')+)'")

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


@cache
def read_views() -> dict[str, str]:
    """Return the script of each view by name; a view comes after those that it reads."""
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in _FOLDER.glob("*.sql")}
    reads = {
        name: (_relations(script) & scripts.keys()) - {name} for name, script in scripts.items()
    }
    order = TopologicalSorter({name: sorted(reads[name]) for name in sorted(reads)}).static_order()
    return {name: scripts[name] for name in order}


@cache
def column_comments() -> Mapping[str, Mapping[str, str]]:
    """Return the comment of each column, by table or view and by column.

    A view's file gives the comments of the columns that the view computes. Its other columns keep
    the comment that they have in the tables and views it reads, if these all agree.
    """
    comments: dict[str, dict[str, str]] = {
        table.name: {column.name: column.comment or "" for column in table.columns}
        for table in metadata.tables.values()
    }
    for name, script in read_views().items():
        read = [comments[relation] for relation in _relations(script) & comments.keys()]
        found: dict[str, set[str]] = {}
        for column, comment in (pair for relation in read for pair in relation.items()):
            found.setdefault(column, set()).add(comment)
        comments[name] = {column: each.pop() for column, each in found.items() if len(each) == 1}
        comments[name] |= {
            column: comment.replace("''", "'") for _, column, comment in _COMMENT.findall(script)
        }
    return comments


def view_columns(name: str, *columns: str) -> TableClause:
    """Return a view with some of its columns, for a query."""
    return table(name, *map(sql_column, columns), schema=SCHEMA)


def create_views(connection: Connection) -> bool:
    """Make the views match their files; views that already do are left alone.

    Args:
        connection: Market database, as the owner of the schema, with all tables.

    Returns:
        Whether a view was missing or did not match its file, so that all were created again.
    """
    views = read_views()
    if _are_current(connection, views):
        return False
    drop_views(connection)
    _execute(connection, views, SCHEMA)
    for name, found in _definitions(connection, views, SCHEMA).items():
        view = Table(name, MetaData(schema=SCHEMA))
        for column, _, comment in _with_comments(name, found["columns"]):
            view.append_column(Column(column, NullType, comment=comment))
            connection.execute(SetColumnComment(view.columns[column]))
    return True


def drop_views(connection: Connection) -> None:
    """Drop every view that has a file, so that the tables below them can change."""
    existing = set(inspect(connection).get_view_names(SCHEMA))
    for name in reversed(read_views()):
        if name in existing:
            connection.exec_driver_sql(f"DROP VIEW {SCHEMA}.{name}")


def _relations(script: str) -> set[str]:
    return set(re.findall(rf"\b{SCHEMA}\.(\w+)", script))


def _are_current(connection: Connection, views: dict[str, str]) -> bool:
    """Compare the views with temporary ones made from the files, which blocks no other session."""
    present = _definitions(connection, views, SCHEMA)
    if present.keys() != views.keys():
        return False
    trial = connection.begin_nested()
    _execute(connection, views, _TEMPORARY)
    wanted = _definitions(connection, views, _TEMPORARY)
    trial.rollback()
    return present == {
        name: {**found, "columns": _with_comments(name, found["columns"])}
        for name, found in wanted.items()
    }


def _execute(connection: Connection, views: dict[str, str], schema: str) -> None:
    for name, script in views.items():
        named = re.sub(rf"\b{SCHEMA}\.{name}\b", f"{schema}.{name}", script)
        # A script holds several statements, and a % in it does not mark a parameter.
        connection.exec_driver_sql(named, execution_options={"no_parameters": True})


def _definitions(
    connection: Connection, views: Iterable[str], schema: str
) -> dict[str, dict[str, Any]]:
    rows = connection.execute(_DEFINITIONS, {"names": list(views), "schema": schema}).mappings()
    return {row["view"]: {name: row[name] for name in row if name != "view"} for row in rows}


def _with_comments(view: str, columns: list[list[str]]) -> list[list[Any]]:
    comments = column_comments()[view]
    return [[column, kind, comments.get(column)] for column, kind, _ in columns]
