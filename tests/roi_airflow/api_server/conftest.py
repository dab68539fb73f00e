"""The clock of tests that count: none of the windows in which limits count ends inside a test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine


@pytest.fixture(autouse=True)
def start_of_a_window(request: pytest.FixtureRequest) -> Iterator[None]:
    # The live Airflow has a clock of its own.
    if request.node.get_closest_marker("live"):
        yield
        return
    with time_machine.travel(datetime(2026, 1, 5, tzinfo=UTC)):
        yield
