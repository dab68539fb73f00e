from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.fork_server import ForkServer, start_fork_server


@pytest.fixture(scope="session")
def fork_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stages of `fork_server` said."""
    return tmp_path_factory.mktemp("stages") / "log"


@pytest.fixture(scope="session")
def fork_server(fork_log: Path) -> Iterator[ForkServer]:
    """Runs stages in processes that can be killed; loads TensorFlow once for all tests."""
    with start_fork_server(fork_log) as server:
        yield server
