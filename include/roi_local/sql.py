"""`make sql`: psql on the market database, or one query answered as CSV."""

from __future__ import annotations

import os
import signal
import subprocess

from roi_local.command import run_command
from roi_local.databases import prepare_market
from roi_local.environment import MARKET_DATABASE, Home
from roi_local.postgres import start_postgres
from roi_local.postgres_programs import program

QUERY_VARIABLE = "ROI_QUERY"


def run_psql(home: Home, query: str) -> int:
    """Open psql, or answer one query as CSV with a header on standard output.

    Args:
        home: The installation; its PostgreSQL is started if it does not run, and stopped again.
        query: The statement; empty for a session at the terminal.

    Returns:
        psql's exit status.
    """
    with start_postgres(home.postgres_directory) as postgres:
        prepare_market(postgres)
        command = [
            str(program("psql")),
            "--no-psqlrc",
            f"--host={postgres.socket_directory}",
            "--username=postgres",
            f"--dbname={MARKET_DATABASE}",
        ]
        if query.strip():
            return subprocess.run(
                [*command, "--csv", "--set=ON_ERROR_STOP=1", f"--command={query}"], check=False
            ).returncode
        # psql takes a Ctrl-C itself, to cancel a query.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    run_command(
        "sql", lambda: run_psql(Home.from_environment(), os.environ.get(QUERY_VARIABLE, ""))
    )
