"""Doors to a run in a running Airflow: its trigger form in a real browser, and its REST API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import func, select, table, text

from airflow_browser import log_in
from browser import chromium, keep_screenshot
from live_stack import SMALL, SharedStack
from roi_airflow.refusals import KINDS
from roi_forecast.config import PRESETS
from roi_forecast.errors import ConfigError, PreflightError
from roi_forecast.runs.resolved_run import load_run
from roi_local.command import one_line
from roi_local.run_parameters import CONF_VARIABLE, run_parameters

pytestmark = [pytest.mark.live, pytest.mark.slow]

DAILY = "daily_roi_forecast"
REFUSED: list[tuple[str, dict[str, Any]]] = [
    (DAILY, {"epoch": 3}),
    # Airflow would refuse these in words of its own.
    (DAILY, {"epochs": "many"}),
    (DAILY, {"symbols": "AAPL", "epochs": 0}),
    (DAILY, {"symbols": ["SAP.XY"]}),
    (DAILY, {"source": "simulated", "as_of_date": "2199-01-01"}),
    (DAILY, {"source": "csv", "csv_path": "/nowhere/prices.csv"}),
    ("backtest_roi_forecast", {"first_target_date": "2199-01-01"}),
    ("tune_roi_forecast", {"trials": 0}),
]


def count_runs(stack: SharedStack, dag_id: str) -> int:
    with stack.metadata.connect() as connection:
        statement = select(func.count()).select_from(table("dag_run"))
        return connection.scalar(statement.where(text("dag_id = :dag")), {"dag": dag_id}) or 0


def at_the_terminal(dag_id: str, conf: dict[str, Any]) -> str:
    with pytest.raises((ConfigError, PreflightError)) as error:
        run_parameters({CONF_VARIABLE: json.dumps(conf)}, KINDS[dag_id])
    return one_line(str(error.value))


@pytest.mark.parametrize(("dag_id", "conf"), REFUSED)
def test_rest_refuses_at_once_in_the_words_of_the_terminal_and_stores_no_run(
    shared_stack: SharedStack, dag_id: str, conf: dict[str, Any]
) -> None:
    conf = {"source": "simulated", **conf}
    before = count_runs(shared_stack, dag_id)
    body = {"logical_date": None, "conf": conf}
    answer = shared_stack.request("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)
    assert answer == (400, {"detail": at_the_terminal(dag_id, conf)})
    assert count_runs(shared_stack, dag_id) == before


def test_a_backfill_is_refused_in_the_same_words(shared_stack: SharedStack) -> None:
    conf = {"source": "simulated", "epoch": 3}
    dates = {"from_date": "2024-12-02T00:00:00Z", "to_date": "2024-12-03T00:00:00Z"}
    body = {"dag_id": DAILY, **dates, "dag_run_conf": conf}
    answer = shared_stack.request("POST", "/api/v2/backfills", body)
    assert answer == (400, {"detail": at_the_terminal(DAILY, conf)})


def open_form(page: Page, address: str) -> Locator:
    page.goto(f"{address}/dags/{DAILY}")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    form.get_by_role("button", name="Run", exact=True).click()
    expect(form.locator("#element_symbols")).to_be_visible()
    return form


@pytest.fixture(scope="module")
def page(shared_stack: SharedStack) -> Iterator[Page]:
    with chromium() as browser:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        log_in(page, shared_stack.address, shared_stack.password)
        yield page
        keep_screenshot(page, "trigger-form-last-seen", full_page=False)


def test_the_form_takes_symbols_outside_the_universe_and_shows_why_it_refuses_others(
    shared_stack: SharedStack, page: Page
) -> None:
    form = open_form(page, shared_stack.address)
    send = form.get_by_role("button", name="Trigger", exact=True)
    # Nothing has to be filled in first.
    expect(send).to_be_enabled()
    expect(form.get_by_text("The universe has RELIANCE.NS, TCS.NS")).to_be_visible()
    before = count_runs(shared_stack, DAILY)
    form.locator("#element_preset").click()
    page.get_by_role("option", name="quick:").click()
    form.locator("#element_source").click()
    page.get_by_role("option", name="simulated market").click()
    form.locator("#element_symbols").fill("xom\nSAP.XY")
    send.click()

    refused = {"source": "simulated", "symbols": ["XOM", "SAP.XY"]}
    expect(form.get_by_test_id("error-alert")).to_contain_text(at_the_terminal(DAILY, refused))
    assert count_runs(shared_stack, DAILY) == before
    keep_screenshot(page, "trigger-form-refused", full_page=False)

    form.locator("#element_symbols").fill("xom\n\n  KO, sap.de \n")
    form.locator("#element_context_symbols").fill("[]")
    form.locator("#element_model_name").fill("typed-in-the-form")
    form.locator("#element_as_of_date").fill(SMALL["as_of_date"])
    form.locator("#element_start_date").fill(SMALL["start_date"])
    keep_screenshot(page, "trigger-form", full_page=False)
    # By the keyboard: Airflow's short notice of the refusal may lie over the button.
    send.press("Enter")
    page.wait_for_url(lambda url: f"/dags/{DAILY}/runs/" in url)
    run_id = unquote(urlsplit(page.url).path.split("/")[4])

    shared_stack.wait_for_state(DAILY, run_id, "resolve_run", "success")
    config = load_run(shared_stack.market, run_id).config
    assert config.symbols == ("XOM", "KO", "SAP.DE")
    assert config.context_symbols == ()
    # The form sends every value; the preset replaces those that nobody touched.
    assert config.epochs == PRESETS["quick"].values["epochs"]
