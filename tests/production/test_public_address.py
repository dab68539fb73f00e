"""An installation that people reach by https: Airflow with its FAB login, as the file starts it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from production.native import NativeCompose, create_compose

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(scope="module")
def compose() -> Iterator[NativeCompose]:
    """PostgreSQL and the API server; the login needs no other service."""
    with TemporaryDirectory(prefix="roi-compose-") as folder:
        Path(folder).chmod(0o755)
        public = {"AIRFLOW_ADDRESS": "https://forecasts.example.org"}
        compose = create_compose(Path(folder), {"AIRFLOW__API__WORKERS": "1"}, public)
        try:
            compose.start_postgres()
            compose.run_to_end("init")
            compose.start("api-server")
            compose.wait_until(lambda: compose.is_healthy("api-server"))
            yield compose
        finally:
            compose.stop()


def cookies_of(answer: httpx.Response) -> dict[str, str]:
    return {cookie.split("=")[0]: cookie for cookie in answer.headers.get_list("set-cookie")}


def test_every_cookie_of_the_login_is_for_https_and_the_same_site_only(
    compose: NativeCompose,
) -> None:
    """The request comes by http, as from a proxy that ends TLS."""
    form = httpx.get(f"{compose.address}/auth/login/", trust_env=False, timeout=60)
    (csrf,) = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', form.text)
    before = cookies_of(form)
    answer = httpx.post(
        f"{compose.address}/auth/login/",
        data={
            "csrf_token": csrf,
            "username": "admin",
            "password": compose.variables["AIRFLOW_ADMINISTRATOR_PASSWORD"],
        },
        # A browser keeps these for https; here they are sent by hand.
        headers={"Cookie": "; ".join(cookie.split(";")[0] for cookie in before.values())},
        trust_env=False,
        timeout=60,
    )
    assert answer.status_code == 302
    after = cookies_of(answer)
    assert {"session", "_token"} <= set(before) | set(after)
    for cookie in (*before.values(), *after.values()):
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"secure", "samesite=lax", "httponly"} <= attributes, cookie.split("=")[0]
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
