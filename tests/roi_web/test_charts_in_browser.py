"""Charts to explore, sorted tables and what a narrow screen cuts, in Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import select

from browser import accessibility_violations, keep_screenshot
from planted import Planted
from roi_forecast.database.tables import daily_prices
from roi_web.formatting import day, number
from roi_web.rendering import STATIC_DIRECTORY
from served_pages import open_page, overflow

pytestmark = pytest.mark.slow

ASSET = "/assets/GC=F?model_name=reference"
TRACK_RECORD = "/track-record?model_name=reference&period=all&backfills=true"


@pytest.fixture
def asset(browser: Browser, address: str) -> Iterator[Page]:
    """The page of an asset; whatever its console says fails the test."""
    page = open_page(browser, address)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address + ASSET)
    expect(page.locator(".plot canvas").first).to_be_visible()
    yield page
    page.context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def prices(planted: Planted) -> list[tuple[date, float]]:
    with planted.engine.connect() as connection:
        rows = connection.execute(
            select(daily_prices.c.trading_date, daily_prices.c.adj_close)
            .where(daily_prices.c.symbol == "GC=F", daily_prices.c.source == "yahoo")
            .order_by(daily_prices.c.trading_date)
        )
        return [(row.trading_date, row.adj_close) for row in rows]


def plot(page: Page) -> Locator:
    return page.get_by_role("application").first


def said(page: Page) -> Locator:
    return page.locator("figure [aria-live]").first


def shown(page: Page) -> tuple[date, date]:
    fields = page.locator("figure").first.locator("input[type=date]")
    expect(fields).to_have_count(2)  # the canvas is there before its fields
    first, last = (date.fromisoformat(field.input_value()) for field in fields.all())
    return first, last


def option(page: Page, path: str) -> Any:
    return page.evaluate(
        f"echarts.getInstanceByDom(document.querySelector('.plot')).getOption().{path}"
    )


def test_pointer_shows_the_values_of_the_day_below_it(
    asset: Page, prices: list[tuple[date, float]]
) -> None:
    plot(asset).hover()
    values = asset.locator(".chart-values").first
    expect(values).to_contain_text("Adjusted close")
    words = values.inner_text()
    assert any(
        day(trading_date) in words and f"{number(price)} INR" in words
        for trading_date, price in prices[10:-10]
    ), words
    keep_screenshot(asset, "chart-values", full_page=False)


def test_keys_read_every_value_and_escape_leaves(
    asset: Page, prices: list[tuple[date, float]]
) -> None:
    plot(asset).focus()
    for key, (trading_date, price) in (
        ("Home", prices[0]), ("ArrowRight", prices[1]), ("PageDown", prices[21]),
        ("ArrowLeft", prices[20]),
    ):  # fmt: skip
        asset.keyboard.press(key)
        expect(said(asset)).to_have_text(f"{day(trading_date)}: Adjusted close {number(price)} INR")
    expect(asset.locator(".chart-values").first).to_contain_text(number(prices[20][1]))
    asset.keyboard.press("End")
    expect(said(asset)).to_contain_text("80 % interval")
    asset.keyboard.press("ArrowLeft")
    expect(said(asset)).not_to_contain_text("Forecast")
    expect(said(asset)).to_contain_text(number(prices[-1][1]))
    assert accessibility_violations(asset) == []
    asset.keyboard.press("Escape")
    expect(said(asset)).to_have_text("")
    expect(plot(asset)).not_to_be_focused()


def test_values_stay_when_a_zoomed_chart_is_drawn_again(asset: Page) -> None:
    outcomes = asset.locator(".plot").nth(1)
    outcomes.focus()
    asset.keyboard.press("Home")
    asset.keyboard.press("+")
    asset.wait_for_timeout(300)
    expect(asset.locator(".chart-values").nth(1)).to_contain_text("80 % interval")


def test_dates_are_chosen_by_fields_buttons_and_keys(
    asset: Page, prices: list[tuple[date, float]]
) -> None:
    first, last = shown(asset)
    assert first == prices[0][0]
    assert last > prices[-1][0], "the fan is shown"
    asset.get_by_role("button", name="1 month").first.click()
    assert shown(asset) == (last - timedelta(days=31), last)
    asset.get_by_role("textbox", name="From", exact=True).first.fill(prices[30][0].isoformat())
    assert shown(asset) == (prices[30][0], last)
    plot(asset).focus()
    asset.keyboard.press("+")
    closer = shown(asset)
    assert (closer[1] - closer[0]).days == pytest.approx((last - prices[30][0]).days / 2, abs=1)
    asset.get_by_role("button", name="Zoom out").first.click()
    assert shown(asset)[1] - shown(asset)[0] > closer[1] - closer[0]
    asset.get_by_role("button", name="All", exact=True).first.click()
    assert shown(asset) == (first, last)


def test_wheel_zooms_a_chart_in_use_and_scrolls_the_page_otherwise(asset: Page) -> None:
    everything = shown(asset)
    plot(asset).hover()
    before = asset.evaluate("scrollY")
    asset.mouse.wheel(0, -50)
    asset.wait_for_function(f"scrollY < {before}")
    assert shown(asset) == everything
    plot(asset).click()
    before = asset.evaluate("scrollY")
    asset.mouse.wheel(0, -50)
    asset.wait_for_function(
        "first => document.querySelector('figure input').value !== first",
        arg=everything[0].isoformat(),
    )
    assert asset.evaluate("scrollY") == before


def test_picture_has_its_dates_in_its_name_and_is_larger_than_the_screen(
    asset: Page, tmp_path: Path
) -> None:
    first, last = shown(asset)
    with asset.expect_download() as started:
        asset.get_by_role("button", name="Download picture").first.click()
    name = started.value.suggested_filename
    assert name.startswith("GC=F-adjusted-close-and-forecast")
    assert name.endswith(f"_{first}_{last}.png")
    picture = tmp_path / "picture.png"
    started.value.save_as(picture)
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    box = plot(asset).bounding_box()
    assert box is not None
    assert (width, height) == (2 * int(box["width"]), 2 * (int(box["height"]) + 56))


def test_chart_follows_light_and_dark_mode_while_it_is_shown(asset: Page) -> None:
    light = option(asset, "tooltip[0].backgroundColor")
    assert light == "rgb(255, 255, 255)"
    asset.emulate_media(color_scheme="dark")
    asset.wait_for_timeout(100)
    assert option(asset, "tooltip[0].backgroundColor") == "rgb(18, 23, 30)"
    asset.evaluate("document.documentElement.dataset.theme = 'light'")
    asset.wait_for_timeout(100)
    assert option(asset, "tooltip[0].backgroundColor") == light


def test_currency_is_on_the_axis_and_no_series_moves_on_its_own(asset: Page) -> None:
    assert option(asset, "yAxis[0].name") == "INR"
    assert option(asset, "animation") is False


def test_drawing_stays_where_there_is_no_script_or_no_data(browser: Browser, address: str) -> None:
    page = open_page(browser, address + ASSET, script=False)
    expect(page.get_by_role("img", name="Adjusted closes from")).to_be_visible()
    expect(page.locator(".plot")).to_have_count(0)
    page.context.close()

    page = open_page(browser, address)
    page.route("**/charts/prices*", lambda route: route.fulfill(status=503))
    page.goto(address + ASSET)
    expect(page.get_by_text("The chart to explore cannot be shown (503")).to_be_visible()
    expect(page.get_by_role("img", name="Adjusted closes from")).to_be_visible()
    expect(page.locator(".plot")).to_have_count(1)
    page.context.close()


@pytest.mark.parametrize(("mode", "width"), [("light", 1440), ("dark", 390)])
def test_charts_and_tables_fit_every_screen_or_show_where_they_go_on(
    browser: Browser, address: str, mode: str, width: int
) -> None:
    page = open_page(browser, address, mode=mode, width=width)
    for name, path, charts in (("asset", ASSET, 2), ("track-record", TRACK_RECORD, 2)):
        page.goto(address + path)
        expect(page.locator(".plot canvas")).to_have_count(charts)
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert overflow(page) <= 0
        assert accessibility_violations(page) == []
        keep_screenshot(page, f"explored-{name}-{mode}-{width}")
        without_cue = page.evaluate(
            """() => [...document.querySelectorAll('main *, nav')].filter((each) =>
                each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 1
                && getComputedStyle(each).overflowX !== 'visible'
                && !getComputedStyle(each).backgroundImage.includes('gradient')
            ).map((each) => each.outerHTML.slice(0, 200))"""
        )
        assert without_cue == []
    page.context.close()


TABLE = """<table data-sortable><thead><tr><th>Session</th><th class="n">ROI</th><th>Name</th>
<th>Made</th><th class="n">Bounds</th><th class="n">R2</th><th>Window</th></tr></thead><tbody>
<tr><td>Wed 25 Nov 2026</td><td>\N{MINUS SIGN}0.20 %</td><td>b10</td><td data-value="2">two</td>
<td>+0.1 to +0.2</td><td>pruned</td><td>Mon 2 Nov 2026 to Mon 2 Nov 2026</td></tr>
<tr><td>Fri 2 Jan 2026</td><td>\N{EN DASH}</td><td>b9</td><td data-value="10">ten</td>
<td>\N{MINUS SIGN}0.3 to +0.2</td><td>0.5</td><td>Mon 4 May 2026 to Tue 5 May 2026</td></tr>
<tr><td>Thu 31 Dec 2026</td><td>+1,000.00 %</td><td></td><td data-value="1">one</td>
<td>\N{MINUS SIGN}0.02 to +1</td><td>0.1</td><td>\N{EN DASH}</td></tr>
<tr><td>Mon 5 Jan 2026</td><td>0.00 %</td><td>a</td><td data-value="3">three</td>
<td>\N{EN DASH}</td><td>2</td><td>Tue 6 Jan 2026 to Tue 6 Jan 2026</td></tr>
</tbody></table>"""


@pytest.mark.parametrize(
    ("head", "ascending", "descending"),
    [
        ("Session", "1302", "2031"),
        ("ROI", "0321", "2301"),
        ("Name", "3102", "0132"),
        ("Made", "2031", "1302"),
        ("Bounds", "1203", "0213"),
        ("R2", "2130", "3120"),
        ("Window", "3102", "0132"),
    ],
)
def test_table_sorts_by_what_its_cells_mean_with_absent_values_last(
    browser: Browser, head: str, ascending: str, descending: str
) -> None:
    page = browser.new_page()
    page.set_content(TABLE)
    rows = "document.querySelectorAll('tbody tr')"
    page.evaluate(f"{rows}.forEach((row, index) => row.dataset.row = index)")
    page.add_script_tag(path=STATIC_DIRECTORY / "tables.js")
    header = page.get_by_role("columnheader", name=head)
    for order, state in ((ascending, "ascending"), (descending, "descending")):
        header.get_by_role("button").focus()
        page.keyboard.press("Enter")
        expect(header).to_have_attribute("aria-sort", state)
        assert page.evaluate(f"[...{rows}].map((row) => row.dataset.row).join('')") == order
    expect(page.locator("[aria-sort]")).to_have_count(1)
    page.close()


def test_numbers_of_assets_are_sorted_by_a_click(browser: Browser, address: str) -> None:
    page = open_page(browser, address + TRACK_RECORD)
    page.get_by_text(re.compile("^Numbers of")).click()
    header = page.get_by_role("columnheader", name="In 80 %").first
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    cells = page.locator("details[open] tbody td:nth-child(3)").all_inner_texts()
    shares = [float(cell.removesuffix(" %")) for cell in cells]
    assert len(shares) == 5
    assert shares == sorted(shares)
    page.context.close()
