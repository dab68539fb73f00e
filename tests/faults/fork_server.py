"""Runs stages in processes that share one import of TensorFlow: a kill costs no second import.

Reads one JSON line for each process to fork, and answers with two: its id, then its exit status.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from roi_forecast.data_path import parse_data_path
from roi_forecast.files.verified import VerifiedDirectory
from roi_forecast.settings import Settings


class ForkServer:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(
        self,
        settings: Settings,
        stage: str,
        parameters: dict[str, Any],
        now: datetime,
        host: Path | None = None,
    ) -> int:
        """Start a stage in a process of its own and return the process's id.

        Args:
            settings: The installation.
            stage: Name of the stage.
            parameters: Of the run.
            now: The present.
            host: Folder of temporary files of the host it runs on, whose name is the folder's.
        """
        order = {
            "stage": stage,
            "parameters": parameters,
            "now": now.isoformat(),
            "database_url": settings.database_url,
            "data_directory": str(settings.data_directory),
            "host": None if host is None else str(host),
            "variables": {name: os.environ[name] for name in os.environ if name[:4] == "AWS_"},
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def wait(self) -> int:
        """Return the exit status of the process that was started; -9 where it was killed."""
        return self._answer()

    def _answer(self) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the fork server ended"
        return int(line)


@contextmanager
def start_fork_server(log: Path) -> Iterator[ForkServer]:
    """Start a server; what its stages say goes to a log."""
    search_path = str(Path(__file__).parents[1])
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "faults.fork_server"],
            env={**os.environ, "PYTHONPATH": search_path, "CUDA_VISIBLE_DEVICES": "-1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        )
    with process:
        yield ForkServer(process)
        assert process.stdin is not None
        process.stdin.close()


def _serve(answers: IO[str]) -> None:
    # Everything slow is imported once, before the first fork. Nothing may run in TensorFlow here:
    # its threads would not be there in a forked process.
    import tensorflow  # noqa: F401

    from faults.stages import STAGES, Work
    from roi_forecast.serving import load_check, promotion

    def check_in_this_process(files: VerifiedDirectory) -> None:
        sys.argv[1:] = [str(files.directory), files.checksum]
        load_check.main()

    # A fresh process would import TensorFlow once more; each stage here is a fresh process already.
    promotion.check_loads = check_in_this_process
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("roi_forecast").setLevel(logging.INFO)

    for line in sys.stdin:
        order = json.loads(line)
        process_id = os.fork()
        if process_id == 0:
            status = 1
            try:
                os.environ.update(order["variables"])
                if order["host"] is not None:
                    _become_host(Path(order["host"]))
                data_directory = parse_data_path(order["data_directory"])
                settings = Settings(order["database_url"], data_directory)
                now = datetime.fromisoformat(order["now"])
                work = Work(settings, "run", order["parameters"], now)
                STAGES[order["stage"]](work)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        print(process_id, file=answers, flush=True)
        _, status = os.waitpid(process_id, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _become_host(folder: Path) -> None:
    """Take a name and a folder of temporary files that no process of another host has."""
    folder.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None
    socket.gethostname = lambda: folder.name


if __name__ == "__main__":
    own_answers = os.fdopen(os.dup(1), "w")
    # Whatever a library prints must not stand among the answers.
    os.dup2(2, 1)
    _serve(own_answers)
