"""When the scheduler of a local installation starts."""

from __future__ import annotations

import socket
import subprocess
import sys
from threading import Thread

from roi_local.airflow_process import wait_for_api_server


def test_it_waits_until_the_api_server_takes_connections() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        waiting = Thread(target=wait_for_api_server, args=server.getsockname(), daemon=True)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        server.listen()
        waiting.join(10)
        assert not waiting.is_alive()


def test_tasks_find_their_modules_imported_and_tensorflow_not() -> None:
    code = (
        "import sys; from roi_local.airflow_process import import_for_tasks; import_for_tasks(); "
        "print([name in sys.modules for name in ('roi_forecast.planning.resolve', 'pandas', "
        "'tensorflow', 'keras')])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.splitlines()[-1:] == ["[True, True, False, False]"], answer.stderr
