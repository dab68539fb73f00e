from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from airflow.api_fastapi.auth.tokens import JWTGenerator, get_signing_args
from fastapi import Body, FastAPI, Request, Response
from fastapi.testclient import TestClient
from limits import parse

from roi_airflow.api_server.clients import DEVICE_COOKIE, network_of
from roi_airflow.api_server.login_limits import LoginLimits
from roi_airflow.api_server.request_counts import RequestCounts
from roi_airflow.api_server.request_limits import (
    ANONYMOUS_BODY_BYTES,
    PERSON_BODY_BYTES,
    TASK_BODY_BYTES,
    RequestLimits,
)
from roi_web.admission import CLIENT as SCOPE_KEY

PASSWORD = "right"
CLIENT = ("192.0.2.1", 1234)


def token(audience: str = "apache-airflow", subject: str = "1", valid_for: float = 60) -> str:
    signer = JWTGenerator(audience=audience, valid_for=valid_for, **get_signing_args())
    return signer.generate({"sub": subject})


def as_person(subject: str = "1") -> dict[str, str]:
    return {"Authorization": f"Bearer {token(subject=subject)}"}


def as_task() -> dict[str, str]:
    return {"Authorization": f"Bearer {token('urn:airflow.apache.org:task')}"}


class Pauses:
    """Takes the place of waiting."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def create_client(
    *,
    root_path: str = "",
    client: tuple[str, int] = CLIENT,
    pauses: Pauses | None = None,
    **limits: Any,
) -> TestClient:
    """A server whose applications are mounted where Airflow mounts its own."""
    app = FastAPI(root_path=root_path)
    logins = LoginLimits(RequestCounts(), pauses or Pauses())
    app.add_middleware(RequestLimits, logins=logins, **limits)

    async def count(request: Request) -> int:
        return len(await request.body())

    async def log_in(request: Request, response: Response) -> str:
        form = await request.form()
        given = form.get("password") if form else (await request.json()).get("password")
        if request.url.path.endswith("/form"):
            response.status_code = 302
            if given == PASSWORD:
                response.set_cookie("_token", "a-token")
        else:
            response.status_code = 201 if given == PASSWORD else 401
        return "answered"

    async def parse_body(payload: Annotated[Any, Body()]) -> int:
        return len(payload)

    app.add_api_route("/parsed", parse_body, methods=["POST"])
    for prefix, endpoint in {"/execution": count, "/auth": log_in, "/roi": count}.items():
        mounted = FastAPI()
        mounted.add_api_route("/{path:path}", count, methods=["GET"])
        mounted.add_api_route("/{path:path}", endpoint, methods=["POST"])
        app.mount(prefix, mounted)
    app.add_api_route("/{path:path}", count, methods=["GET", "POST"])
    return TestClient(app, f"http://test{root_path}", client=client)


def pieces(size: int) -> Iterator[bytes]:
    for first in range(0, size, 2**16):
        yield b"x" * min(2**16, size - first)


def test_the_client_in_the_scope_comes_from_the_token_and_never_from_other_headers() -> None:
    app = FastAPI()
    app.add_middleware(RequestLimits)
    pages = FastAPI()
    app.mount("/roi", pages)

    @pages.get("/")
    def client_of(request: Request) -> str:
        return str(request.scope[SCOPE_KEY])

    client = TestClient(app, client=CLIENT)
    for noise in ("a=1", "b=2"):
        headers = {"Cookie": noise}
        assert client.get("/roi/", headers=headers).json() == "address 192.0.2.1"
        wrong = {**headers, "Authorization": f"Bearer {noise}"}
        assert client.get("/roi/", headers=wrong).json() == "address 192.0.2.1"
        known = {**headers, **as_person("7")}
        assert client.get("/roi/", headers=known).json() == "subject 7"


BODIES = [
    ("/roi", {}, ANONYMOUS_BODY_BYTES),
    ("/api/v2/dags", {}, ANONYMOUS_BODY_BYTES),
    ("/execution/xcoms", {}, ANONYMOUS_BODY_BYTES),
    ("/execution/xcoms", as_person, ANONYMOUS_BODY_BYTES),
    ("/roi", as_task, ANONYMOUS_BODY_BYTES),
    ("/roi", as_person, PERSON_BODY_BYTES),
    ("/api/v2/dags", as_person, PERSON_BODY_BYTES),
    ("/execution/xcoms", as_task, TASK_BODY_BYTES),
]


@pytest.mark.parametrize("root_path", ["", "/airflow"])
@pytest.mark.parametrize(("path", "signed_in", "most"), BODIES)
def test_the_size_limit_of_a_body_depends_on_sender_and_application(
    path: str, signed_in: Any, most: int, root_path: str
) -> None:
    client = create_client(root_path=root_path)
    headers = signed_in() if signed_in else {}
    whole = [client.post(path, content=b"x" * most, headers=headers)]
    whole.append(client.post(path, content=pieces(most), headers=headers))
    assert [answer.json() for answer in whole] == [most, most]
    for content in (b"x" * (most + 1), pieces(most + 1)):
        answer = client.post(path, content=content, headers=headers)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json() == {
            "type": "about:blank",
            "title": "Request Entity Too Large",
            "status": 413,
            "detail": f"the body of this request may have at most {most} bytes",
        }


def test_a_body_that_is_parsed_while_it_arrives_is_refused_for_its_size() -> None:
    answer = create_client().post("/parsed", content=pieces(ANONYMOUS_BODY_BYTES + 1))
    assert answer.status_code == 413
    sentence = f"the body of this request may have at most {ANONYMOUS_BODY_BYTES} bytes"
    assert answer.json()["detail"] == sentence


@pytest.mark.parametrize("bearer", ["forged", "expired"])
def test_an_invalid_token_signs_nobody_in(bearer: str) -> None:
    value = bearer if bearer == "forged" else token(valid_for=-60)
    answer = create_client().post(
        "/roi", content=b"x" * PERSON_BODY_BYTES, headers={"Authorization": f"Bearer {value}"}
    )
    assert answer.status_code == 413


def test_a_cookie_signs_in_too() -> None:
    answer = create_client().post(
        "/roi", content=b"x" * PERSON_BODY_BYTES, headers={"Cookie": f"_token={token()}"}
    )
    assert answer.json() == PERSON_BODY_BYTES


def test_a_content_length_that_is_not_a_number_is_refused() -> None:
    answer = create_client().post("/roi", headers={"content-length": "-1"})
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/roi", "/auth/token"])
def test_a_body_that_does_not_end_is_refused_after_a_while(path: str) -> None:
    client = create_client(body_seconds=0.05)
    sent: list[Any] = []
    messages = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [],
        "query_string": b"",
        "client": CLIENT,
    }
    asyncio.run(client.app(scope, receive, send))
    assert sent[0]["status"] == 408
    assert "took more than 0.05 s" in json.loads(sent[1]["body"])["detail"]


@pytest.mark.parametrize("path", ["/roi", "/auth/login", "/execution/x"])
def test_anonymous_requests_beyond_the_rate_get_the_time_to_try_again(path: str) -> None:
    client = create_client(anonymous=parse("3 per minute"))
    assert {client.get(path).status_code for _ in range(3)} == {200}
    refused = client.get(path)
    assert refused.status_code == 429
    wait = int(refused.headers["retry-after"])
    assert 1 <= wait <= 60
    sentence = f"too many requests, 3 per 1 minute are allowed; try again in {wait} s"
    assert refused.json()["detail"] == sentence


def test_a_signed_in_person_is_not_limited_by_others_at_the_address() -> None:
    client = create_client(anonymous=parse("1 per minute"), person=parse("2 per minute"))
    statuses = [client.get("/roi").status_code for _ in range(2)]
    statuses += [client.get("/roi", headers=as_person("1")).status_code for _ in range(3)]
    statuses += [client.get("/roi", headers=as_person("2")).status_code]
    assert statuses == [200, 429, 200, 200, 429, 200]


def test_tasks_are_not_counted_but_others_at_their_api_are() -> None:
    client = create_client(anonymous=parse("1 per minute"), person=parse("1 per minute"))
    assert [client.get("/execution/x", headers=as_task()).status_code for _ in range(3)] == [
        200,
        200,
        200,
    ]
    statuses = [client.get("/execution/x", headers=as_person()).status_code for _ in range(2)]
    assert statuses == [200, 429]


LOGIN_PATHS = ["/auth/token", "/auth/token/cli", "/auth//login/", "/auth/%74oken", "/%61uth/token"]


@pytest.mark.parametrize("root_path", ["", "/airflow"])
@pytest.mark.parametrize("path", LOGIN_PATHS)
def test_the_login_is_limited_for_every_spelling_of_its_path(path: str, root_path: str) -> None:
    pauses = Pauses()
    client = create_client(root_path=root_path, pauses=pauses)
    wrong = {"username": "anna", "password": "wrong"}
    statuses = [client.post(path, json=wrong).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert pauses.taken == [5.0, 5.0]
    right = client.post(path, json={"username": "anna", "password": PASSWORD})
    assert right.status_code == 201
    assert len(pauses.taken) == 2


def test_a_form_is_an_attempt_to_log_in_too() -> None:
    pauses = Pauses()
    client = create_client(pauses=pauses)
    for _ in range(10):
        client.post("/auth/form", data={"username": "anna", "password": "wrong"})
    refused = client.post("/auth/form", data={"username": "ANNA", "password": "wrong"})
    right = client.post(
        "/auth/form", data={"username": "anna", "password": PASSWORD}, follow_redirects=False
    )
    assert refused.status_code == 429
    assert "failed" in refused.json()["detail"]
    assert right.status_code == 302
    assert right.cookies["_token"] == "a-token"
    assert pauses.taken == [5.0]


def test_a_device_is_known_only_under_the_name_that_signed_in_on_it() -> None:
    pauses = Pauses()
    client = create_client(pauses=pauses)
    wrong = {"username": "anna", "password": "wrong"}
    for _ in range(12):
        client.post("/auth/token", json=wrong)
    assert len(pauses.taken) == 2
    assert DEVICE_COOKIE not in client.cookies
    signed_in = client.post("/auth/token", json={"username": "anna", "password": PASSWORD})
    assert "HttpOnly" in signed_in.headers["set-cookie"]
    assert client.post("/auth/token", json=wrong).status_code == 401
    assert len(pauses.taken) == 2
    client.cookies[DEVICE_COOKIE] = client.cookies[DEVICE_COOKIE][:-1] + "!"
    assert client.post("/auth/token", json=wrong).status_code == 429


def test_a_device_of_one_name_is_unknown_under_another() -> None:
    client = create_client(pauses=(pauses := Pauses()))
    client.post("/auth/token", json={"username": "anna", "password": PASSWORD})
    wrong = {"username": "bob", "password": "wrong"}
    statuses = [client.post("/auth/token", json=wrong).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    assert pauses.taken == [5.0]


def test_a_request_to_the_login_without_a_password_counts_as_a_request() -> None:
    client = create_client(anonymous=parse("2 per minute"), pauses=(pauses := Pauses()))
    statuses = [client.post("/auth/x", json={"a": 1}).status_code for _ in range(3)]
    assert statuses == [401, 401, 429]
    assert pauses.taken == []


@pytest.mark.parametrize(
    ("client", "network"),
    [
        (("192.0.2.1", 1), "192.0.2.1"),
        (("::ffff:192.0.2.1", 1), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:2::9", 1), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("/run/socket", 0), "unknown"),
        (None, "unknown"),
    ],
)
def test_all_addresses_of_one_client_are_one_network(client: Any, network: str) -> None:
    assert network_of({"client": client}) == network


def test_a_body_that_declares_too_many_bytes_is_refused_unread() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("read")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/roi",
        "headers": [(b"content-length", b"%d" % (ANONYMOUS_BODY_BYTES + 1))],
        "query_string": b"",
        "client": CLIENT,
    }
    asyncio.run(create_client().app(scope, receive, send))
    assert sent[0]["status"] == 413
