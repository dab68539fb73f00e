"""Runs a module in the environment of `process_environment`; every local command starts here.

The Makefile runs `python -I -m roi_local.launch MODULE ARGUMENT…`. With -I Python itself ignores
the environment.
"""

from __future__ import annotations

import os
import sys

from roi_local.process_environment import process_environment


def main() -> None:
    """Become the module that the command line names."""
    command = [sys.executable, "-m", *sys.argv[1:]]
    # No other user may change the files that the command writes.
    os.umask(os.umask(0o022) | 0o022)
    os.execve(sys.executable, command, process_environment())  # noqa: S606 # nosec B606


if __name__ == "__main__":
    main()
