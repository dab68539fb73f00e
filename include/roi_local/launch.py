"""Start a module in the environment of `process_environment`: the way into every local command.

Run by the Makefile: `python -I -m roi_local.launch MODULE ARGUMENT…`. With -I Python itself takes
no setting of the environment, and what it starts next is given none.
"""

from __future__ import annotations

import os
import sys

from roi_local.process_environment import process_environment


def main() -> None:
    """Become the module that the command line names."""
    command = [sys.executable, "-m", *sys.argv[1:]]
    # Whatever is written is nobody else's to change.
    os.umask(os.umask(0o022) | 0o022)
    os.execve(sys.executable, command, process_environment())  # noqa: S606 # nosec B606


if __name__ == "__main__":
    main()
