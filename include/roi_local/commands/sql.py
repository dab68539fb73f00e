"""`make sql`: psql on the market database, or one query answered as CSV; read-only by default."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from roi_forecast.database.roles import READER_SETTINGS
from roi_forecast.quoting import quoted
from roi_local.command import run_command
from roi_local.environment import MARKET_DATABASE, PERSON_LOGIN, Home
from roi_local.errors import LocalError
from roi_local.postgres.databases import prepare_market
from roi_local.postgres.programs import SUPERUSER, program
from roi_local.postgres.server import start_postgres

QUERY_VARIABLE = "ROI_QUERY"
OWNER_VARIABLE = "ROI_OWNER"

# PostgreSQL writes 15 significant digits and so many more; 8 tell any price to the cent.
_DIGITS = "-c extra_float_digits=-7"


def run_psql(home: Home, query: str, *, as_owner: bool = False) -> int:
    """Open psql, or answer one query as CSV with a header on standard output.

    Args:
        home: The installation; its PostgreSQL is started if it does not run, and stopped again.
        query: The statement; empty for a session at the terminal.
        as_owner: Whether everything may be changed; otherwise only the views can be read, in
            read-only transactions and with a time limit for each statement.

    Returns:
        psql's exit status.
    """
    with start_postgres(home.postgres_directory) as postgres:
        prepare_market(postgres)
        command = [
            str(program("psql")),
            "--no-psqlrc",
            f"--host={postgres.socket_directory}",
            f"--username={SUPERUSER if as_owner else PERSON_LOGIN}",
            f"--dbname={MARKET_DATABASE}",
        ]
        environment = os.environ | {"PGOPTIONS": _DIGITS}
        if query.strip():
            return subprocess.run(
                [*command, "--csv", "--set=ON_ERROR_STOP=1", f"--command={query}"],
                env=environment,
                check=False,
            ).returncode
        if not as_owner:
            print(
                "You can read the views (\\dv roi.*); a statement may take "
                f"{READER_SETTINGS['statement_timeout']}. `make sql OWNER=1` may change all.",
                file=sys.stderr,
            )
        # psql takes a Ctrl-C itself, to cancel a query.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return subprocess.run(command, env=environment, check=False).returncode


def _is_owner(switch: str) -> bool:
    if switch not in ("", "1"):
        raise LocalError(
            f"OWNER: received {quoted(switch)}; OWNER=1 may change everything, without it you read"
        )
    return switch == "1"


if __name__ == "__main__":
    run_command(
        "sql",
        lambda: run_psql(
            Home.from_environment(),
            os.environ.get(QUERY_VARIABLE, ""),
            as_owner=_is_owner(os.environ.get(OWNER_VARIABLE, "")),
        ),
    )
