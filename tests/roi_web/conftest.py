"""The pages of the planted database, served for a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from browser import chromium
from planted import Planted
from served_pages import Server


@pytest.fixture(scope="module")
def address(planted: Planted) -> Iterator[str]:
    with Server(planted) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found
