from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from roi_airflow.request_limits import (
    LOGINS_AT_ONCE,
    LOGINS_PER_SECOND,
    MAX_BODY_BYTES,
    REQUESTS_AT_ONCE,
    REQUESTS_PER_SECOND,
    RequestLimits,
    TokenBucket,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def create_client(*, with_rates: bool, clock: Clock | None = None) -> TestClient:
    app = FastAPI()
    app.add_middleware(RequestLimits, with_rates=with_rates, clock=clock or Clock())

    @app.post("/{path:path}")
    async def post(request: Request) -> int:
        return len(await request.body())

    return TestClient(app)


def pieces(size: int) -> Iterator[bytes]:
    for first in range(0, size, 2**16):
        yield b"x" * min(2**16, size - first)


def test_a_body_within_the_limit_arrives_whole() -> None:
    client = create_client(with_rates=False)
    assert client.post("/roi", content=b"x" * MAX_BODY_BYTES).json() == MAX_BODY_BYTES
    assert client.post("/roi", content=pieces(MAX_BODY_BYTES)).json() == MAX_BODY_BYTES


def test_a_larger_body_is_refused_whether_or_not_it_declares_its_length() -> None:
    client = create_client(with_rates=False)
    for content in (b"x" * (MAX_BODY_BYTES + 1), pieces(MAX_BODY_BYTES + 1)):
        answer = client.post("/roi", content=content)
        assert answer.status_code == 413
        assert answer.json() == {"detail": "a request may hold 1048576 bytes"}


def test_a_length_that_is_no_number_is_refused() -> None:
    answer = create_client(with_rates=False).post("/roi", headers={"content-length": "-1"})
    assert answer.status_code == 413


def test_tasks_are_not_limited() -> None:
    client = create_client(with_rates=True)
    for _ in range(int(REQUESTS_AT_ONCE) + 5):
        assert client.post("/execution/x").status_code == 200
    large = client.post("/execution/x", content=b"x" * (MAX_BODY_BYTES + 1))
    assert large.json() == MAX_BODY_BYTES + 1


@pytest.mark.parametrize(
    ("path", "at_once", "rate"),
    [
        ("/roi", REQUESTS_AT_ONCE, REQUESTS_PER_SECOND),
        ("/auth/token", LOGINS_AT_ONCE, LOGINS_PER_SECOND),
        ("/auth/login/", LOGINS_AT_ONCE, LOGINS_PER_SECOND),
    ],
)
def test_requests_past_the_rate_are_told_when_to_come_back(
    path: str, at_once: float, rate: float
) -> None:
    clock = Clock()
    client = create_client(with_rates=True, clock=clock)
    assert {client.post(path).status_code for _ in range(int(at_once))} == {200}
    refused = client.post(path)
    assert refused.status_code == 429
    clock.now = float(refused.headers["retry-after"])
    assert client.post(path).status_code == 200
    assert clock.now <= 1 / rate + 1


def test_without_rates_nothing_is_counted() -> None:
    client = create_client(with_rates=False)
    answers = {client.post("/auth/token").status_code for _ in range(int(LOGINS_AT_ONCE) + 5)}
    assert answers == {200}


def test_clients_do_not_use_up_each_others_share() -> None:
    bucket = TokenBucket(rate=1, capacity=1, clock=Clock())
    assert bucket.wait_of("one") == 0
    assert bucket.wait_of("one") == 1
    assert bucket.wait_of("two") == 0


def test_clients_that_stayed_away_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roi_airflow.request_limits._MOST_CLIENTS", 3)
    clock = Clock()
    bucket = TokenBucket(rate=1, capacity=2, clock=clock)
    for number in range(50):
        clock.now = float(number)
        assert bucket.wait_of(str(number)) == 0
    assert len(bucket._clients) <= 4
