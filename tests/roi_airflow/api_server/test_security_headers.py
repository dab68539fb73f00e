"""Headers against framing and sniffing on every response of Airflow's API server."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient
from playwright.sync_api import expect

from airflow_browser import PATIENCE, log_in, open_forecasts
from browser import chromium
from live_stack import SharedStack
from roi_airflow.api_server.security_headers import SecurityHeaders

EXPECTED = {
    "content-security-policy": "frame-ancestors 'self'",
    "x-frame-options": "SAMEORIGIN",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}
HTTPS = "https://forecasts.example.org/airflow"


def create_client(public_address: str) -> TestClient:
    app = FastAPI()
    app.add_middleware(SecurityHeaders, public_address=public_address)

    @app.get("/plain")
    def show() -> str:
        return "shown"

    @app.get("/own")
    def show_own(response: Response) -> None:
        response.headers["Content-Security-Policy"] = "default-src 'none'"

    @app.get("/cookies")
    def set_cookies(response: Response) -> None:
        response.headers.append("Set-Cookie", "bare=1; Path=/")
        response.set_cookie("strict", "2", secure=True, httponly=True, samesite="strict")
        response.headers.append("Set-Cookie", "secure=samesite")

    return TestClient(app)


def test_a_response_gets_every_missing_header() -> None:
    headers = create_client("http://localhost:8080").get("/plain").headers
    assert {name: headers[name] for name in EXPECTED} == EXPECTED
    assert "strict-transport-security" not in headers


def test_a_header_that_a_route_set_is_not_changed() -> None:
    headers = create_client("http://localhost:8080").get("/own").headers
    assert headers.get_list("content-security-policy") == ["default-src 'none'"]
    assert headers["x-frame-options"] == "SAMEORIGIN"


def test_behind_https_responses_tell_browsers_to_stay_with_it() -> None:
    headers = create_client(HTTPS).get("/plain").headers
    assert headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    ("public_address", "bare", "named_like_an_attribute"),
    [
        (
            HTTPS,
            "bare=1; Path=/; Secure; SameSite=Lax",
            "secure=samesite; Secure; SameSite=Lax",
        ),
        ("http://localhost:8080", "bare=1; Path=/; SameSite=Lax", "secure=samesite; SameSite=Lax"),
    ],
)
def test_cookies_get_missing_attributes_and_keep_their_own(
    public_address: str, bare: str, named_like_an_attribute: str
) -> None:
    cookies = create_client(public_address).get("/cookies").headers.get_list("set-cookie")
    assert cookies == [
        bare,
        "strict=2; HttpOnly; Path=/; SameSite=strict; Secure",
        named_like_an_attribute,
    ]


@pytest.fixture(scope="module")
def pages(shared_stack: SharedStack) -> dict[str, httpx.Response]:
    """One answer of each kind: page, static file, API, login, our pages, refusal, nothing there."""
    with httpx.Client(base_url=shared_stack.address, trust_env=False, timeout=60) as client:
        index = client.get("/")
        (script, *_) = re.findall(r'src="(?:\./)?([^"]+\.js)"', index.text)
        paths = [
            "/auth/login",
            f"/{script.lstrip('/')}",
            "/api/v2/version",
            "/roi/",
            "/api/v2/dags",
        ]
        answers = {path: client.get(path) for path in (*paths, "/api/v2/nothing")}
    return {"/": index, **answers}


@pytest.mark.live
@pytest.mark.slow
def test_every_kind_of_response_of_a_running_airflow_has_the_headers(
    pages: dict[str, httpx.Response],
) -> None:
    assert {answer.status_code for answer in pages.values()} == {200, 401, 404}
    for path, answer in pages.items():
        policies = answer.headers.get_list("content-security-policy")
        assert len(policies) == 1, path
        assert "frame-ancestors 'self'" in policies[0], path
        for name in set(EXPECTED) - {"content-security-policy"}:
            assert answer.headers.get_list(name) == [EXPECTED[name]], path


@contextmanager
def foreign_page(framed: str) -> Iterator[str]:
    """Serve a page of another origin that frames an address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f'<h1>foreign</h1><iframe title="trap" src="{framed}"></iframe>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.live
@pytest.mark.slow
def test_airflow_s_own_frame_shows_the_forecasts_and_a_foreign_page_frames_nothing(
    shared_stack: SharedStack,
) -> None:
    address = shared_stack.address
    with chromium() as browser:
        page = browser.new_page()
        log_in(page, address, shared_stack.password)
        frame = open_forecasts(page, address)
        expect(frame.get_by_role("navigation").first).to_be_visible(timeout=PATIENCE)
        for framed in (f"{address}/", f"{address}/roi/"):
            with foreign_page(framed) as foreign:
                page.goto(foreign)
                page.wait_for_load_state("load")
                (trap,) = page.main_frame.child_frames
                assert trap.url == "chrome-error://chromewebdata/", framed
