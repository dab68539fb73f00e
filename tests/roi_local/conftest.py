"""A live stack of its own for the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from installation import LiveStack, create_installation, free_port, start_command, wait_for_login
from roi_local.environment import PORT_VARIABLE


@pytest.fixture(scope="session")
def live_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """The live stack on a free port; `home.dags_folder` is where it looks for DAGs."""
    home = create_installation(tmp_path_factory.mktemp("live"))
    port = free_port()
    process = start_command(home, "up", **{PORT_VARIABLE: str(port)})
    stack = LiveStack(home, port, process)
    try:
        wait_for_login(process)
        yield stack
    finally:
        stack.stop()
