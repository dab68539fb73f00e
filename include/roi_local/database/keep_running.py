"""`make database`: keep PostgreSQL running for notebooks and BI tools, until Ctrl-C."""

from __future__ import annotations

import os
import secrets
import signal
from pathlib import Path
from typing import Any

from psycopg import sql

from roi_forecast.database.engine import create_database_engine
from roi_local.command import Interrupted, run_command
from roi_local.database.url import reader_url
from roi_local.environment import MARKET_DATABASE, PERSON_LOGIN, PORT_VARIABLE, Home, chosen_port
from roi_local.ports import require_free_port
from roi_local.postgres.databases import prepare_market
from roi_local.postgres.listener import ADDRESS, Listener
from roi_local.postgres.server import EmbeddedPostgres, is_postgres_in_use, start_postgres
from roi_local.private_files import create_private_folder, write_private


def keep_running(home: Home, port: int | None) -> int:
    """Run PostgreSQL until a signal arrives, and print how to connect.

    Args:
        home: The installation.
        port: TCP port of 127.0.0.1 on which it also listens, for the reader alone and with a
            password; None: only the socket.

    Raises:
        LocalError: It runs already without this port, or the port is taken.
    """
    if port is not None and not is_postgres_in_use(home.postgres_directory):
        require_free_port(port)
    listener = None if port is None else Listener(port, MARKET_DATABASE, PERSON_LOGIN)
    with start_postgres(home.postgres_directory, listener) as postgres:
        prepare_market(postgres)
        if listener is None:
            print(f"Read-only: {reader_url(postgres)}", flush=True)
        else:
            password = _password(home)
            _set_password(postgres, password)
            print(
                f"Read-only: host {ADDRESS}, port {port}, database {MARKET_DATABASE}, "
                f"user {PERSON_LOGIN}, password {password}",
                flush=True,
            )
        print("Ctrl-C here stops it, unless something else uses it.", flush=True)
        try:
            while True:
                signal.pause()
        except Interrupted:
            print("Stopped.", flush=True)
    return 0


def _password(home: Home) -> str:
    """Return the reader's password, which is generated once."""
    path: Path = home.directory / "database_password.txt"
    if not path.exists():
        create_private_folder(home.directory)
        write_private(path, secrets.token_urlsafe(18))
    return path.read_text(encoding="utf-8")


def _set_password(postgres: EmbeddedPostgres, password: str) -> None:
    """Give the reader its password; PostgreSQL and its log only see the proof of it."""
    engine = create_database_engine(postgres.url(MARKET_DATABASE))
    with engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        proof = driver.pgconn.encrypt_password(
            password.encode(), PERSON_LOGIN.encode(), b"scram-sha-256"
        ).decode()
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(
            sql.Identifier(PERSON_LOGIN), sql.Literal(proof)
        )
        driver.execute(statement)
    engine.dispose()


if __name__ == "__main__":
    run_command(
        "database",
        lambda: keep_running(
            Home.from_environment(), chosen_port(0) if os.environ.get(PORT_VARIABLE) else None
        ),
    )
