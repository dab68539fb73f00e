"""How every local command starts and ends: signals, exit status, one line for each error."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable
from types import FrameType

from roi_forecast.errors import RoiForecastError
from roi_local.errors import LocalError

_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked the command to end; carries the signal."""

    def __init__(self, sign: signal.Signals) -> None:
        super().__init__(sign.name)
        self.sign = sign


def run_command(name: str, body: Callable[[], int | None]) -> None:
    """Run the body of a command and exit with its status.

    The first ending signal raises `Interrupted` in the body; later ones do not disturb its cleanup.
    Errors worded for people are shown as one line.

    Args:
        name: What the person typed after `make`.
        body: Returns the exit status, or None for 0.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    for sign in _ENDING_SIGNALS:
        signal.signal(sign, _interrupt)
    try:
        status = body() or 0
    except (LocalError, RoiForecastError) as error:
        print(f"make {name}: {one_line(str(error))}", file=sys.stderr, flush=True)
        status = 1
    except Interrupted as interruption:
        print(f"make {name}: ended by {interruption.sign.name}", file=sys.stderr, flush=True)
        status = 128 + interruption.sign
    sys.exit(status)


def one_line(text: str) -> str:
    """Join the lines of a message."""
    return " ".join(text.split())


def _interrupt(number: int, _frame: FrameType | None) -> None:
    for sign in _ENDING_SIGNALS:
        signal.signal(sign, signal.SIG_IGN)
    raise Interrupted(signal.Signals(number))
