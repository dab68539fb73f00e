"""The limits in Airflow's own API server, below a path and with either login."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from airflow.api_fastapi.auth.tokens import JWTGenerator

from api_server import FAB, ApiServer, run_api_server
from roi_airflow.api_server.request_limits import ANONYMOUS_BODY_BYTES, TASK_BODY_BYTES
from roi_local.environment import ADMINISTRATOR

pytestmark = [pytest.mark.live, pytest.mark.slow]

MEBIBYTE = 1024**2
NESTED = b"[" + b"[]," * (20 * MEBIBYTE // 3) + b"[]]"
XCOM = "/execution/xcoms/a/b/c/d"
MAX_GUESSES = 20
"""Ten are allowed in five minutes, a few more where they are made slowly."""

SPELLINGS = [
    "/auth/token",
    "/auth/%74oken",
    "/%61uth/token",
    "/auth%2ftoken",
    "/auth/token?x",
    "//auth/token",
    "/auth//token",
    "/auth/token/",
    "/auth/./token",
    "/x/../auth/token",
    "/AUTH/token",
]


@pytest.fixture(
    scope="module", params=[("/airflow", {}), ("", FAB)], ids=["simple login below a path", "FAB"]
)
def server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    path, settings = request.param
    # Not below pytest's own folder, which PostgreSQL's user cannot enter.
    with TemporaryDirectory(prefix="roi-api-server-") as folder:
        Path(folder).chmod(0o755)
        with run_api_server(Path(folder), path=path, settings=settings) as running:
            yield running


def post(server: ApiServer, path: str, body: bytes, content_type: str = "application/json") -> int:
    """Send a path unchanged, which other clients would normalize; return the status."""
    address = urlsplit(server.address)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=120)
    connection.request("POST", address.path + path, body, {"Content-Type": content_type})
    status = connection.getresponse().status
    connection.close()
    return status


def task_token(server: ApiServer) -> str:
    return JWTGenerator(
        audience="urn:airflow.apache.org:task",
        valid_for=60,
        secret_key=server.environment["AIRFLOW__API_AUTH__JWT_SECRET"],
    ).generate({"sub": "01980000-0000-7000-8000-000000000000"})


@pytest.mark.parametrize("path", [XCOM, "/api/v2/dags", "/ui/dags", "/roi/", "/auth/token"])
def test_a_huge_anonymous_body_is_refused_without_being_read_into_memory(
    server: ApiServer, path: str
) -> None:
    def ask(content: bytes | Iterator[bytes]) -> int:
        # The server ends a connection on which it did not wait for the rest of a body.
        with server.client() as client:
            answer = client.post(path, content=content)
        assert answer.status_code != 413 or answer.headers["x-content-type-options"] == "nosniff"
        return answer.status_code

    ask(b"[]")  # What answers for the first time loads its packages.
    before = server.process.memory_info().rss
    assert ask(NESTED) == 413
    # What reads no body refuses one of unknown length for another reason.
    pieces = (NESTED[start : start + 2**16] for start in range(0, len(NESTED), 2**16))
    assert ask(pieces) in (401, 405, 413)
    assert server.process.memory_info().rss - before < len(NESTED)


@pytest.mark.parametrize("path", [f"/{XCOM}", XCOM.replace("/", "//"), f"/%65{XCOM[2:]}"])
def test_no_spelling_of_the_path_admits_a_huge_body(server: ApiServer, path: str) -> None:
    assert post(server, path, NESTED) == 413


def test_deep_nesting_within_the_limit_does_no_harm(server: ApiServer) -> None:
    half = ANONYMOUS_BODY_BYTES // 2
    post(server, XCOM, b"[" * half + b"]" * half)
    with server.client() as client:
        assert client.get("/api/v2/monitor/health").status_code == 200


def test_a_task_may_send_a_larger_body_than_a_person(server: ApiServer) -> None:
    body = b'"' + b"x" * (TASK_BODY_BYTES - 2) + b'"'
    with server.client(task_token(server)) as client:
        assert client.post(XCOM, content=body).status_code not in (401, 413)
        assert client.post(XCOM, content=body + b" ").status_code == 413
    with server.client(server.token()) as client:
        assert client.post(XCOM, content=body).status_code == 413


def test_every_spelling_that_reaches_the_login_is_limited_and_the_right_password_gets_in(
    server: ApiServer,
) -> None:
    def log_in(spelling: str, username: str, password: str) -> int:
        body = f'{{"username": "{username}", "password": "{password}"}}'.encode()
        return post(server, spelling, body)

    reaching = [
        spelling
        for spelling in SPELLINGS
        if log_in(spelling, ADMINISTRATOR, server.password) == 201
    ]
    assert len(reaching) >= 4
    for number, spelling in enumerate(reaching):
        statuses = [log_in(spelling, f"guessed-{number}", "wrong")]
        while statuses[-1] != 429:
            assert len(statuses) < MAX_GUESSES
            statuses.append(log_in(spelling, f"guessed-{number}", "wrong"))
        assert set(statuses) <= {401, 429}
        assert log_in(spelling, ADMINISTRATOR, server.password) == 201


def test_a_form_is_limited_and_the_right_password_gets_in(server: ApiServer) -> None:
    def log_in(client: httpx.Client, password: str) -> httpx.Response:
        path, form = "/auth/token", {"username": ADMINISTRATOR, "password": password}
        page = client.get("/auth/login/")
        # FAB's page is a form; the simple login's is a program that asks for a token.
        if found := re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text):
            path, form = "/auth//login/", {**form, "csrf_token": found.group(1)}
        return client.post(
            path,
            content=urlencode(form),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )

    def is_in(client: httpx.Client, answer: httpx.Response) -> bool:
        return answer.status_code == 201 or "_token" in client.cookies

    with server.client() as client:
        wrong = [log_in(client, "wrong")]
        while wrong[-1].status_code != 429:
            assert len(wrong) < MAX_GUESSES
            wrong.append(log_in(client, "wrong"))
        assert not any(is_in(client, answer) for answer in wrong)
        assert is_in(client, log_in(client, server.password))


def test_five_hundred_requests_at_once_only_wait_and_airflow_does_not_wait_for_them(
    server: ApiServer,
) -> None:
    token = server.token()

    async def crowd() -> tuple[list[httpx.Response], list[int]]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=server.address,
            headers={"Authorization": f"Bearer {token}"},
            limits=limits,
            timeout=300,
            trust_env=False,
        ) as client:
            paths = ["/roi/api/v1/forecasts/latest", "/roi/", "/roi/track-record"]
            asked = [asyncio.create_task(client.get(paths[n % 3])) for n in range(500)]
            meanwhile: list[int] = []
            while not all(task.done() for task in asked):
                meanwhile += [
                    (await client.get(path)).status_code
                    for path in ("/api/v2/monitor/health", "/api/v2/dags")
                ]
            return await asyncio.gather(*asked), meanwhile

    answers, meanwhile = asyncio.run(crowd())
    assert {answer.status_code for answer in answers} == {200}
    # Airflow sent each of these responses while ours were waiting.
    assert len(meanwhile) >= 10
    assert set(meanwhile) == {200}
