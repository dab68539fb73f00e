"""`make database-url`: the read-only address of the market database, for other programs."""

from __future__ import annotations

from roi_local.command import run_command
from roi_local.environment import MARKET_DATABASE, PERSON_LOGIN, Home
from roi_local.errors import LocalError
from roi_local.postgres.databases import prepare_market
from roi_local.postgres.server import EmbeddedPostgres, is_postgres_in_use, start_postgres


def reader_url(postgres: EmbeddedPostgres) -> str:
    """Return the SQLAlchemy URL of the market database for a person who reads.

    It names the folder of the socket, which only this user can enter, so it has no password.

    Raises:
        LocalError: No other program can use the folder's path.
    """
    if postgres.socket_directory != postgres.data_directory:
        raise LocalError(
            f"{postgres.data_directory} is too long for a socket's address, or has other "
            "characters than letters, digits, . _ - and /; `make database PORT=5433` listens on a "
            "port instead"
        )
    return postgres.url(MARKET_DATABASE, login=PERSON_LOGIN)


def print_url(home: Home) -> None:
    """Print the URL of a running database, and nothing else.

    Raises:
        LocalError: Nothing keeps the database running.
    """
    if not is_postgres_in_use(home.postgres_directory):
        raise LocalError(
            "the database does not run; start `make up`, or `make database` in another terminal"
        )
    with start_postgres(home.postgres_directory) as postgres:
        prepare_market(postgres)
        print(reader_url(postgres))


if __name__ == "__main__":
    run_command("database-url", lambda: print_url(Home.from_environment()))
