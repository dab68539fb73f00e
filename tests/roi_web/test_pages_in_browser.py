"""The pages in Chromium, without Airflow around them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, expect

from browser import accessibility_violations, keep_screenshot
from planted import Planted, planted_market
from roi_forecast.runs.attempts import Attempt, Ending, record_start, recorded
from roi_local.postgres.server import EmbeddedPostgres
from served_pages import Server, open_page, overflow

pytestmark = pytest.mark.slow

PAGES = {
    "forecasts": "/",
    "asset": "/assets/M%26M.NS",
    "track-record": "/track-record?period=all&backfills=true",
    "versions": "/versions",
    "version": "/versions/reference-version-02",
    "health": "/health",
    "rest-api": "/docs",
}


@pytest.fixture(scope="module")
def crowded(postgres: EmbeddedPostgres, market_template: str) -> Iterator[Planted]:
    context = ["^GSPC", "^NDX", "INR=X", "CL=F", "INFY", "WIT", "HDB", "IBN"]
    crowd = {"assets": 500, "sessions": 15, "versions": 4, "context": context}
    single = {"assets": 1, "sessions": 70, "versions": 1, "source": "simulated"}
    with planted_market(
        postgres, market_template, crowd, {**single, "model_name": "single", "seed": 1}
    ) as market:
        yield market


@pytest.fixture(scope="module")
def address(crowded: Planted) -> Iterator[str]:
    with Server(crowded) as found:
        yield found


@pytest.fixture(scope="module")
def small_address(planted: Planted) -> Iterator[str]:
    with Server(planted) as found:
        yield found


@pytest.fixture(scope="module")
def empty_address(unplanted: Planted) -> Iterator[str]:
    with Server(unplanted) as found:
        yield found


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_pages_pass_axe(browser: Browser, small_address: str, mode: str) -> None:
    page = open_page(browser, small_address, mode=mode)
    for name, path in PAGES.items():
        page.goto(small_address + path)
        keep_screenshot(page, f"{name}-{mode}")
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert accessibility_violations(page) == [], name
    page.context.close()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_pages_without_rows_pass_axe(browser: Browser, empty_address: str, mode: str) -> None:
    page = open_page(browser, empty_address, mode=mode)
    for name in ("forecasts", "track-record", "versions", "health"):
        page.goto(empty_address + PAGES[name].partition("?")[0])
        assert accessibility_violations(page) == [], name
        keep_screenshot(page, f"empty-{name}-{mode}")
    page.context.close()


def test_simulated_single_asset_passes_axe(browser: Browser, address: str) -> None:
    page = open_page(browser, f"{address}/?model_name=single")
    expect(page.get_by_text("Simulated prices.")).to_be_visible()
    assert accessibility_violations(page) == []
    keep_screenshot(page, "single-asset")
    page.context.close()


@pytest.mark.parametrize("width", [320, 390, 768, 1920])
def test_no_page_is_wider_than_its_screen(browser: Browser, address: str, width: int) -> None:
    page = open_page(browser, address, width=width)
    for name, path in PAGES.items():
        page.goto(address + path)
        assert overflow(page) <= 0, name
        if width == 390:
            keep_screenshot(page, f"{name}-phone")
    page.context.close()


@pytest.fixture(scope="module")
def troubled_address(postgres: EmbeddedPostgres, market_template: str) -> Iterator[str]:
    """Runs in every state, with reasons of every length."""
    market = {"assets": 3, "sessions": 5, "versions": 2}
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    reasons = {
        "manual__waiting": Ending("waiting", "for a person's answer"),
        "manual__retrying": Ending("retrying", "attempt 1 of 4 failed: no answer"),
        "manual__" + "long" * 30: Ending("failed", "/a/path/without/any/space" * 40),
        "manual__refused": Ending("failed", "symbols: received 'X'; " + "name others, " * 60),
    }
    with planted_market(postgres, market_template, market) as planted:
        for minute, (run_id, ending) in enumerate(reasons.items()):
            record_start(
                planted.engine, run_id, "daily_roi_forecast", None, now=now.replace(minute=minute)
            )
            with recorded(
                planted.engine,
                Attempt(run_id, "resolve_run", -1, 1),
                at_the_end=ending,
                after_error=lambda error: Ending("failed"),
            ):
                pass
        with Server(planted) as served:
            yield served


@pytest.mark.parametrize("width", [390, 1440])
def test_reasons_of_runs_are_complete_on_every_screen(
    browser: Browser, troubled_address: str, width: int
) -> None:
    page = open_page(browser, f"{troubled_address}/health", width=width)
    assert overflow(page) <= 0
    first = page.locator("ol.plain li").first
    expect(first).to_contain_text("failed at resolve_run")
    reason = first.locator(".reason").first
    expect(reason).to_contain_text("name others, " * 59)
    cut = reason.evaluate("each => each.scrollWidth > each.clientWidth")
    assert cut is False
    expect(page.locator(".alert")).to_contain_text("The newest run failed at resolve_run.")
    assert accessibility_violations(page) == []
    keep_screenshot(page, f"health-troubled-{width}")
    page.context.close()


@pytest.mark.parametrize("width", [390, 1440])
def test_context_is_shown_with_the_forecasts_on_every_screen(
    browser: Browser, address: str, width: int
) -> None:
    page = open_page(browser, address, width=width)
    for path in (PAGES["forecasts"], PAGES["asset"]):
        page.goto(address + path)
        expect(page.get_by_role("region", name="Context").locator("tbody tr")).to_have_count(8)
        worth = page.get_by_role("region", name="R2 against zero")
        expect(worth.get_by_role("columnheader", name="Newest 14 sessions")).to_be_visible()
        expect(page.get_by_role("note")).to_contain_text("Made without a bar that was due: IBN.")
        for table in page.get_by_role("table").all():
            box = table.bounding_box()
            assert box is None or box["x"] + box["width"] <= width
    page.context.close()


def test_list_of_500_assets_passes_axe(browser: Browser, address: str) -> None:
    page = open_page(browser, address)
    assert accessibility_violations(page) == []
    keep_screenshot(page, "500-assets", full_page=False)
    page.context.close()


def test_search_narrows_the_list_while_typing_and_keeps_the_focus(
    browser: Browser, address: str
) -> None:
    page = open_page(browser, address)
    expect(page.locator("#list li")).to_have_count(50)

    page.get_by_role("searchbox", name="Find").press_sequentially("asset49")

    expect(page.get_by_role("status")).to_have_text("7 of 500 assets found")
    expect(page.locator("#list li")).to_have_count(7)
    expect(page.get_by_role("searchbox")).to_be_focused()
    assert "search=asset49" in page.url
    page.context.close()


def test_pages_work_without_scripts(browser: Browser, address: str) -> None:
    page = open_page(browser, address, script=False)
    page.get_by_role("searchbox", name="Find").fill("asset490")
    page.get_by_role("combobox", name="Sort by").select_option("width")
    page.locator("form[role=search]").get_by_role("button", name="Show").click()
    expect(page.locator("#list li")).to_have_count(1)
    page.get_by_role("combobox", name="Model name").select_option("single")
    page.locator("form.chooser").get_by_role("button", name="Show").click()
    expect(page.get_by_text("Simulated prices.")).to_be_visible()
    page.context.close()


def test_keyboard_reaches_an_asset_and_its_numbers(browser: Browser, address: str) -> None:
    page = open_page(browser, f"{address}/?search=asset490")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(15):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#list') !== null"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("ASSET490.NS")
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Forecast in numbers")).to_be_visible()
    page.context.close()


def test_numbers_appear_on_demand_and_stay(browser: Browser, address: str) -> None:
    page = open_page(browser, address)
    figures = page.locator("#list li .figures").first
    expect(figures).to_be_hidden()
    page.get_by_role("checkbox", name="Numbers").check()
    expect(figures).to_be_visible()
    page.reload()
    expect(figures).to_be_visible()
    page.context.close()


def test_pages_load_nothing_from_other_hosts_and_violate_no_policy(
    browser: Browser, address: str
) -> None:
    page = open_page(browser, address)
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    for path in PAGES.values():
        page.goto(address + path)
    assert asked
    assert all(url.startswith(address) for url in asked)
    assert complaints == []
    page.context.close()
