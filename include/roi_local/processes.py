"""Marking processes when they start, so that they and their descendants can be ended."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import suppress

import psutil

MARK_VARIABLE = "ROI_STARTED_BY"
"""Holds the mark; descendants inherit it and orphans keep it."""

_PATIENCE_SECONDS = 15.0


def mark(environment: Mapping[str, str], purpose: str) -> dict[str, str]:
    """Return an environment with the mark that `end_processes` looks for.

    Args:
        environment: The environment to extend.
        purpose: The mark, unique on this machine.
    """
    # Without SPT_NOENV, setproctitle overwrites the memory that the mark is read from.
    return {**environment, MARK_VARIABLE: purpose, "SPT_NOENV": "1"}


def find_processes(purpose: str) -> list[psutil.Process]:
    """Return every living process with the mark."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            ended = process.status() == psutil.STATUS_ZOMBIE
            if not ended and process.environ().get(MARK_VARIABLE) == purpose:
                found.append(process)
    return found


def end_processes(purpose: str, *, patience: float = _PATIENCE_SECONDS) -> None:
    """Terminate every process with the mark, and kill those that do not end in time.

    Args:
        purpose: The mark.
        patience: Seconds to wait before killing.
    """
    _signal_all(find_processes(purpose), signal.SIGTERM)
    psutil.wait_procs(find_processes(purpose), timeout=patience)
    # A process may have started another one in the meantime, so look until none is found.
    while remaining := find_processes(purpose):
        _signal_all(remaining, signal.SIGKILL)
        psutil.wait_procs(remaining, timeout=1)


def _signal_all(processes: list[psutil.Process], sign: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(sign)
