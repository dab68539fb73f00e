"""`make tensorboard`: TensorBoard with the logs of all trainings of this installation."""

from __future__ import annotations

import subprocess
import sys

from roi_local.command import Interrupted, run_command
from roi_local.environment import Home, chosen_port
from roi_local.errors import LocalError

DEFAULT_PORT = 6006


def show_tensorboard(home: Home, port: int) -> int:
    """Run TensorBoard in the foreground, on 127.0.0.1, until a signal arrives.

    Args:
        home: The installation.
        port: TCP port.

    Raises:
        LocalError: Nothing was trained yet.
    """
    logs = home.data_directory / "models"
    if not any(logs.glob("**/events.out.tfevents.*")):
        raise LocalError(f"there are no logs below {logs} yet; `make run` trains a network")
    command = [sys.executable, "-m", "tensorboard.main", f"--logdir={logs}"]
    command += ["--host=127.0.0.1", f"--port={port}", "--reload_interval=15"]
    # In its own session, so that a Ctrl-C reaches it once, from here.
    process = subprocess.Popen(command, start_new_session=True)
    try:
        return process.wait()
    except Interrupted:
        return 0
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    run_command(
        "tensorboard",
        lambda: show_tensorboard(Home.from_environment(), chosen_port(DEFAULT_PORT)),
    )
