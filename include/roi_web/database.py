"""A read-only connection for each request that needs one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Connection


def _read_connection(request: Request) -> Iterator[Connection]:
    with request.app.state.engine.connect() as connection:
        yield connection


ReadConnection = Annotated[Connection, Depends(_read_connection, scope="function")]
"""A connection as `roi_reader`, closed before the response is sent to a possibly slow client."""
