"""The pages of runs, backtests, searches and compared versions in Chromium."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from browser import accessibility_violations, keep_screenshot
from planted_experiments import BACKTEST, FAILED_BACKTEST, STUDY
from served_pages import open_page, overflow

pytestmark = pytest.mark.slow

RUN = "scheduled__reference__2026-11-20T22:15:00+00:00"
PAGES = {
    "runs": "/runs",
    "run": f"/runs/{RUN}",
    "failed-run": f"/runs/{FAILED_BACKTEST}",
    "backtests": "/backtests",
    "backtest": f"/backtests/{quote(BACKTEST)}",
    "tuning": "/tuning",
    "study": f"/tuning/{STUDY}",
    "compare": "/compare?a=reference-version-03&b=reference-version-02",
}


@pytest.mark.parametrize(("mode", "width"), [("light", 390), ("dark", 1440)])
def test_pages_pass_axe_and_fit_the_screen(
    browser: Browser, address: str, mode: str, width: int
) -> None:
    page = open_page(browser, address, mode=mode, width=width)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    for name, path in PAGES.items():
        page.goto(address + path)
        keep_screenshot(page, f"{name}-{mode}-{width}")
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert overflow(page) <= 0, name
        assert accessibility_violations(page) == [], name
    assert complaints == []
    page.context.close()


def test_two_versions_are_chosen_without_scripts(browser: Browser, address: str) -> None:
    page = open_page(browser, f"{address}/versions", script=False)
    page.get_by_role("combobox", name="with").select_option("reference-version-00")
    page.get_by_role("button", name="Show both").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Two versions")
    assert page.url.endswith("/compare?a=reference-version-03&b=reference-version-00")
    page.context.close()
