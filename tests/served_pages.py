"""The pages of a planted database on a port of their own, and a browser that is logged in."""

from __future__ import annotations

import threading
import time

import uvicorn
from playwright.sync_api import Browser, Page

from installation import free_port
from planted import TOKEN, Planted


class Server:
    """The application of a planted database on a port of its own."""

    def __init__(self, market: Planted) -> None:
        self.port = free_port()
        config = uvicorn.Config(market.application(), port=self.port, log_level="error")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        deadline = time.monotonic() + 60
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return f"http://127.0.0.1:{self.port}/roi"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()


def open_page(
    browser: Browser, address: str, *, mode: str = "light", width: int = 1280, script: bool = True
) -> Page:
    """Return a page of a browser of its own at an address, logged in."""
    page = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=mode,  # type: ignore[arg-type]
        extra_http_headers=TOKEN,
        java_script_enabled=script,
    ).new_page()
    page.set_default_timeout(30_000)
    page.goto(address)
    return page


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its screen."""
    width: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return width
