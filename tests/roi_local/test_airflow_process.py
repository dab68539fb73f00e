"""When the scheduler of a local installation starts."""

from __future__ import annotations

import socket
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
