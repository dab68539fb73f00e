"""`make down`: stop the live stack from any shell."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from roi_local.command import run_command
from roi_local.environment import UP_PURPOSE, Home
from roi_local.errors import LocalError
from roi_local.postgres.server import is_postgres_in_use, start_postgres
from roi_local.processes import end_processes
from roi_local.stack import is_stack_up, read_stack

_PATIENCE_SECONDS = 90


def stop_stack(home: Home) -> int:
    """Stop the stack and what a killed `make up` left behind; nothing to stop is a success.

    Raises:
        LocalError: It does not stop.
    """
    if not is_stack_up(home):
        _stop_remains(home)
        print("The live stack is not up.")
        return 0
    stack = read_stack(home)
    with suppress(ProcessLookupError):
        os.kill(stack.process_id, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while is_stack_up(home):
        if time.monotonic() > deadline:
            raise LocalError(
                f"`make up` (process {stack.process_id}) did not stop in {_PATIENCE_SECONDS} s"
            )
        time.sleep(0.2)
    print("The live stack is down.")
    return 0


def _stop_remains(home: Home) -> None:
    end_processes(home.mark(UP_PURPOSE))
    server_ran = (home.postgres_directory / "postmaster.pid").exists()
    if server_ran and not is_postgres_in_use(home.postgres_directory):
        start_postgres(home.postgres_directory).stop()


if __name__ == "__main__":
    run_command("down", lambda: stop_stack(Home.from_environment()))
