"""The pages and the API inside a running Airflow, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

import pytest
from fastapi.routing import APIRoute
from playwright.sync_api import Page, expect
from sqlalchemy import select

from airflow_browser import (
    PATIENCE,
    approve,
    forecast_frame,
    log_in,
    open_forecasts,
    trigger_with_config,
    watch_run_succeed,
)
from browser import accessibility_violations, chromium, keep_screenshot
from live_stack import SMALL, SharedStack
from roi_airflow.api_server.links import run_page
from roi_airflow.api_server.pages import DAILY_DAG
from roi_forecast.database.tables import model_versions, promotions
from roi_web import api, pages

pytestmark = [pytest.mark.live, pytest.mark.slow]

NAME = "in-the-browser"
CONF = {
    **SMALL,
    "model_name": NAME,
    "gate_override_reason": "a live test promotes whatever was trained",
    "min_sessions_between_promotions": 0,
}
PATHS = ["/openapi.json"] + [
    route.path.replace("{symbol}", "GC%3DF").replace("{version_id}", "none")
    for router in (api.router, pages.router)
    for route in router.routes
    if isinstance(route, APIRoute) and "{" not in route.path.replace("{symbol}", "")
]


def status_of(stack: SharedStack, path: str, **headers: str) -> int:
    opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))
    try:
        with opener.open(Request(f"{stack.address}/roi{path}", headers=headers)) as response:
            return response.status
    except HTTPError as error:
        return error.code


@pytest.fixture(scope="module")
def token(shared_stack: SharedStack) -> str:
    login = {"username": "admin", "password": shared_stack.password}
    status, answer = shared_stack.request("POST", "/auth/token", login)
    assert status == 201
    return str(answer["access_token"])


@pytest.mark.parametrize("path", PATHS)
def test_only_airflow_s_login_opens_each_route(
    shared_stack: SharedStack, token: str, path: str
) -> None:
    assert status_of(shared_stack, path) == 401
    assert status_of(shared_stack, path, Authorization="Bearer forged") == 403
    assert status_of(shared_stack, path, Cookie="_token=forged") in (401, 403)
    answers = {
        status_of(shared_stack, path, Authorization=f"Bearer {token}"),
        status_of(shared_stack, path, Cookie=f"_token={token}"),
    }
    # A request for a missing name or asset passes the login too.
    assert len(answers) == 1
    assert answers <= {200, 404, 422}


def test_plugins_load_without_errors(shared_stack: SharedStack) -> None:
    assert shared_stack.request("GET", "/api/v2/plugins/importErrors")[1]["import_errors"] == []


@pytest.fixture(scope="module")
def page(shared_stack: SharedStack) -> Iterator[Page]:
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        log_in(page, shared_stack.address, shared_stack.password)
        yield page
        keep_screenshot(page, "airflow-last-seen", full_page=False)


def test_person_triggers_approves_sees_the_forecasts_and_rolls_back(
    shared_stack: SharedStack, page: Page
) -> None:
    address = shared_stack.address
    first = shared_stack.trigger(DAILY_DAG, **CONF, seed=1)

    run_id = trigger_with_config(page, address, DAILY_DAG, {**CONF, "approval_hours": 12})
    shared_stack.wait_for_end(DAILY_DAG, first, seconds=600)
    shared_stack.wait_for_state(
        DAILY_DAG, run_id, "approve_promotion", "awaiting_input", seconds=600
    )
    approve(page, address, DAILY_DAG, run_id, "approve_promotion")
    watch_run_succeed(page, address, DAILY_DAG, run_id)
    keep_screenshot(page, "airflow-run", full_page=False)

    frame = open_forecasts(page, address)
    frame.get_by_role("combobox", name="Model name").select_option(NAME)
    expect(frame.get_by_role("heading", level=1)).to_have_text("Forecast for Mon 30 Dec 2024")
    expect(frame.get_by_text("Simulated prices.")).to_be_visible()
    expect(frame.locator("#list li")).to_have_count(2)
    keep_screenshot(page, "airflow-forecasts", full_page=False)
    loaded: list[str] = []
    page.on("framenavigated", lambda frame: loaded.append(urlsplit(frame.url).path))
    frame.get_by_role("link", name="Gold futures").click()
    expect(frame.get_by_role("heading", level=1)).to_contain_text("GC=F")
    page.wait_for_url(lambda url: "/plugin/roi-forecasts/roi/assets/GC" in url)
    (inner,) = page.main_frame.child_frames
    assert accessibility_violations(inner) == []
    # Once: where the two addresses differ Airflow loads the frame a second time.
    assert loaded == ["/roi/assets/GC=F", "/plugin/roi-forecasts/roi/assets/GC=F"]
    with page.expect_download() as picture:
        frame.get_by_role("button", name="Download picture").first.click()
    assert picture.value.suggested_filename.startswith("GC=F-adjusted-close")

    loaded.clear()
    # As the button of each of its tasks.
    page.goto(f"{address}/plugin{run_page(DAILY_DAG, run_id).partition('/plugin')[2]}")
    frame = forecast_frame(page)
    expect(frame.get_by_role("heading", level=1)).to_have_text(run_id)
    expect(frame.get_by_text("Versions that it let serve")).to_be_visible()
    keep_screenshot(page, "airflow-page-of-a-run", full_page=False)
    assert loaded.count(f"/roi/runs/{run_id}") == 1
    frame.get_by_role("link", name="Data health").click()
    frame.get_by_role("link", name=run_id).first.click()
    page.wait_for_url(lambda url: url.endswith(f"/plugin/roi-forecasts/roi/runs/{run_id}"))
    frame.get_by_role("link", name="This run in Airflow").click()
    page.wait_for_url(lambda url: f"/dags/{DAILY_DAG}/runs/" in url and "plugin" not in url)

    rolled_back = trigger_with_config(
        page, address, "roll_back_champion", {"model_name": NAME, "reason": "a test in a browser"}
    )
    assert shared_stack.wait_for_end("roll_back_champion", rolled_back).state == "success"
    with shared_stack.market.connect() as connection:
        champion = connection.execute(
            select(model_versions.c.version_id).where(
                model_versions.c.model_name == NAME, model_versions.c.state == "champion"
            )
        ).scalar_one()
        changes = connection.execute(
            select(promotions.c.version_id)
            .where(promotions.c.model_name == NAME)
            .order_by(promotions.c.id)
        ).scalars()
        served = list(changes)
    assert len(served) == 3
    assert champion == served[0] == served[2]
    page.goto(f"{address}/plugin/roi-forecasts/roi/versions?model_name={NAME}")
    frame = forecast_frame(page)
    expect(frame.get_by_text("a test in a browser")).to_be_visible(timeout=PATIENCE)
    keep_screenshot(page, "airflow-rolled-back", full_page=False)


def test_pages_follow_airflow_s_dark_mode(shared_stack: SharedStack, page: Page) -> None:
    page.evaluate("localStorage.setItem('theme', 'dark')")
    frame = open_forecasts(page, shared_stack.address)
    expect(frame.locator("html")).to_have_attribute("data-theme", "dark")
    keep_screenshot(page, "airflow-dark", full_page=False)
    page.evaluate("localStorage.setItem('theme', 'light')")
