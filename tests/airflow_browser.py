"""What a person does in Airflow's own pages, for tests in a real browser."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from playwright.sync_api import FrameLocator, Page, expect

from roi_local.environment import ADMINISTRATOR

PATIENCE = 120_000
"""Milliseconds that a page of a busy machine may take."""


def log_in(page: Page, address: str, password: str, name: str = ADMINISTRATOR) -> None:
    """Log in by the form of Airflow's login."""
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}/auth/login")
    page.locator("input[name=username]").fill(name)
    page.locator("input[name=password]").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/auth/login" not in url)


def trigger_with_config(page: Page, address: str, dag_id: str, conf: dict[str, Any]) -> str:
    """Start a run by the trigger form, the conf typed as JSON; return the run's id."""
    page.goto(f"{address}/dags/{dag_id}")
    page.get_by_role("button", name="Trigger").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Advanced Options").click()
    editor = dialog.locator(".monaco-editor").last
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(json.dumps(conf))
    # The editor closes quotes and brackets of its own accord: what it added goes.
    page.keyboard.press("Control+Shift+End")
    page.keyboard.press("Delete")
    # Leaving the editor rebuilds the form from what it holds.
    dialog.get_by_text("Configuration JSON").click()
    expect(editor.locator(".line-numbers").filter(has_text="2")).to_be_visible(timeout=PATIENCE)
    dialog.get_by_role("button", name="Trigger", exact=True).click()
    page.wait_for_url(lambda url: f"/dags/{dag_id}/runs/" in url)
    return unquote(urlsplit(page.url).path.split("/")[4])


def watch_run_succeed(page: Page, address: str, dag_id: str, run_id: str) -> None:
    """Look at the run's page until it says success."""
    page.goto(f"{address}/dags/{dag_id}/runs/{quote(run_id)}")
    header = page.get_by_test_id("state-badge").first
    expect(header).to_contain_text("Success", timeout=5 * PATIENCE)


def approve(page: Page, address: str, dag_id: str, run_id: str, task_id: str) -> None:
    """Answer the question that a run waits for in Airflow's own screen; return once it is stored.

    A page left right after the click takes its unsent request with it.
    """
    page.goto(f"{address}/dags/{dag_id}/runs/{quote(run_id)}/tasks/{task_id}/required_actions")
    with page.expect_response(
        lambda answer: answer.request.method == "PATCH" and "hitl" in answer.url.lower()
    ) as stored:
        page.get_by_test_id("hitl-option-Approve").click()
    assert stored.value.ok, stored.value.text()


def open_forecasts(page: Page, address: str) -> FrameLocator:
    """Click "ROI forecasts" in the navigation and return the frame that shows them."""
    page.goto(address)
    page.get_by_role("link", name="ROI forecasts").first.click()
    return forecast_frame(page)


def forecast_frame(page: Page) -> FrameLocator:
    """Return the frame of the pages once it shows one."""
    frame = page.frame_locator("iframe[title='ROI forecasts']")
    expect(frame.get_by_role("heading", level=1)).to_be_visible(timeout=PATIENCE)
    return frame
