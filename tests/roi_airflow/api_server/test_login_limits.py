from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest

from roi_airflow.api_server.login_limits import (
    ACCOUNT_PAUSE,
    ADDRESS_PAUSE,
    MAX_CHECKS_AT_ONCE,
    UNKNOWN_ACCOUNT,
    LoginLimits,
    account_in,
)
from roi_airflow.api_server.request_counts import RequestCounts
from roi_web.queues import QueueFullError

FORM = "application/x-www-form-urlencoded"


async def right() -> bool:
    return True


async def wrong() -> bool:
    return False


class Gate:
    """A check that lasts until it is opened, and knows how many wait in it."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.inside = 0

    async def __call__(self) -> bool:
        self.inside += 1
        await self.opened.wait()
        return True


def finish(test: Coroutine[Any, Any, None]) -> None:
    """Run a test to its end; fail instead of waiting for ever."""
    asyncio.run(asyncio.wait_for(test, 60))


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def no_pause(_: float) -> None:
    pass


def create_limits() -> LoginLimits:
    return LoginLimits(RequestCounts(), no_pause)


async def failures(limits: LoginLimits, *accounts: str, network: str = "here") -> list[float]:
    return [await limits.check(account, network, wrong) for account in accounts]


def test_failures_of_one_account_are_slowed_down_after_ten() -> None:
    async def attempts() -> None:
        limits = create_limits()
        assert await failures(limits, *["anna"] * 10) == [0.0] * 10
        assert await failures(limits, "anna", " Anna") == [ACCOUNT_PAUSE] * 2
        assert await failures(limits, "bob") == [0.0]
        assert await failures(limits, "anna", network="elsewhere") == [0.0]

    finish(attempts())


def test_failures_of_many_accounts_at_one_address_are_slowed_down_after_thirty() -> None:
    async def attempts() -> None:
        limits = create_limits()
        names = [f"user-{number}" for number in range(32)]
        assert await failures(limits, *names) == [0.0] * 30 + [ADDRESS_PAUSE] * 2
        assert await failures(limits, "anna", network="elsewhere") == [0.0]

    finish(attempts())


def test_a_right_password_is_never_refused_because_of_others_failures() -> None:
    async def attempts() -> None:
        limits = create_limits()
        await failures(limits, *["anna"] * 50, *(f"user-{number}" for number in range(50)))
        assert await limits.check("anna", "here", right) == 0.0
        assert await limits.check("bob", "here", right) == 0.0

    finish(attempts())


def test_a_known_device_gets_in_while_others_at_its_address_fill_every_queue() -> None:
    async def attempts() -> None:
        limits = create_limits()
        gate = Gate()
        names = ["anna"] * 10 + [f"user-{number}" for number in range(600)]
        flood = [asyncio.create_task(limits.check(name, "here", gate)) for name in names]
        await settle()
        with pytest.raises(QueueFullError):
            await limits.check("anna", "here", right)
        assert await limits.check("anna", "here", right, "her laptop") == 0.0
        gate.opened.set()
        await asyncio.gather(*flood, return_exceptions=True)

    finish(attempts())


def test_a_known_device_loses_its_privilege_after_ten_failures() -> None:
    async def attempts() -> None:
        limits = create_limits()
        taken = [await limits.check("anna", "here", wrong, "a laptop") for _ in range(21)]
        assert taken == [0.0] * 20 + [ACCOUNT_PAUSE]
        assert await limits.check("anna", "here", wrong, "another laptop") == 0.0

    finish(attempts())


def test_successes_are_not_counted() -> None:
    async def attempts() -> None:
        limits = create_limits()
        for _ in range(100):
            assert await limits.check("anna", "here", right) == 0.0
        assert await failures(limits, "anna") == [0.0]

    finish(attempts())


def test_simultaneous_guesses_are_counted_one_after_the_other() -> None:
    async def attempts() -> None:
        limits = create_limits()
        pauses: list[float] = []
        for _ in range(10):
            pauses += await asyncio.gather(*(limits.check("anna", "here", wrong) for _ in range(3)))
        assert pauses.count(0.0) == 10

    finish(attempts())


def test_a_guesser_s_pause_delays_nobody_else_at_the_address() -> None:
    async def attempts() -> None:
        paused = asyncio.Event()

        async def pause(_: float) -> None:
            paused.set()
            await asyncio.Event().wait()

        limits = LoginLimits(RequestCounts(), pause)
        await failures(limits, *["anna"] * 10)
        guesser = asyncio.create_task(limits.check("anna", "here", wrong))
        await paused.wait()
        assert await limits.check("bob", "here", right) == 0.0
        guesser.cancel()

    finish(attempts())


def test_attempts_of_one_account_at_one_address_wait_in_a_short_queue() -> None:
    async def attempts() -> None:
        limits, gate = create_limits(), Gate()
        waiting = [asyncio.create_task(limits.check("anna", "here", gate)) for _ in range(4)]
        await settle()
        assert gate.inside == 1
        with pytest.raises(QueueFullError):
            await limits.check("anna", "here", right)
        gate.opened.set()
        assert await asyncio.gather(*waiting) == [0.0] * 4
        assert await limits.check("anna", "here", right) == 0.0

    finish(attempts())


def test_attempts_of_one_address_wait_in_a_queue() -> None:
    async def attempts() -> None:
        counts, gate = RequestCounts(), Gate()
        limits = LoginLimits(counts, no_pause)
        # Two names that share a slot would wait for each other before they wait for the address.
        apart = {counts.slot("here", str(n)): str(n) for n in range(100)}
        last, *names = list(apart.values())[:21]
        waiting = [asyncio.create_task(limits.check(name, "here", gate)) for name in names]
        await settle()
        assert gate.inside == 1
        with pytest.raises(QueueFullError):
            await limits.check(last, "here", right)
        assert await limits.check(last, "elsewhere", right) == 0.0
        gate.opened.set()
        await asyncio.gather(*waiting)

    finish(attempts())


def test_passwords_from_many_addresses_are_checked_few_at_a_time() -> None:
    async def attempts() -> None:
        limits, gate = create_limits(), Gate()
        waiting = [asyncio.create_task(limits.check("anna", str(n), gate)) for n in range(20)]
        await settle()
        assert gate.inside == MAX_CHECKS_AT_ONCE
        gate.opened.set()
        await asyncio.gather(*waiting)

    finish(attempts())


def test_many_addresses_cannot_queue_without_end() -> None:
    async def attempts() -> None:
        limits, gate = create_limits(), Gate()

        async def is_checked(network: str) -> bool:
            try:
                await limits.check("anna", network, gate)
            except QueueFullError:
                return False
            return True

        outcomes = asyncio.gather(*(is_checked(str(n)) for n in range(3000)))
        await settle()
        gate.opened.set()
        assert 200 < sum(await outcomes) < 1000
        assert len(limits._turns) == 0

    finish(attempts())


@pytest.mark.parametrize(
    ("content_type", "body", "account"),
    [
        ("application/json", b'{"username": "anna", "password": "x"}', "anna"),
        ("application/json", '{"username": "anna", "password": "x"}'.encode("utf-16"), "anna"),
        ("", b'{"username": "anna", "\\u0070assword": "x"}', "anna"),
        ("application/json", b'{"username": ["anna"], "password": "x"}', UNKNOWN_ACCOUNT),
        ("application/json", b'{"username": "anna"}', None),
        ("application/json", b"", None),
        ("application/json", b"[" * 100_000, UNKNOWN_ACCOUNT),
        ("application/json", b'"&username=anna&password=x&"', UNKNOWN_ACCOUNT),
        (FORM, b"username=anna&password=x", "anna"),
        (FORM, b"username=anna&p%61ssword=", "anna"),
        (f" {FORM.upper()}; charset=utf-8", b"username=anna&password=x", "anna"),
        (FORM, b'"&username=anna&password=x&"', "anna"),
        (FORM, b"username=anna&username=bob&password=x", UNKNOWN_ACCOUNT),
        (FORM, b"username=anna", None),
        ("multipart/form-data; boundary=b", b'--b\r\nname="password"', UNKNOWN_ACCOUNT),
    ],
)
def test_the_account_is_the_one_that_airflow_reads(
    content_type: str, body: bytes, account: str | None
) -> None:
    assert account_in(content_type, body) == account


def test_json_with_a_nested_password_is_an_attempt() -> None:
    body = json.dumps({"username": "anna", "password": {"nested": 1}}).encode()
    assert account_in("application/json", body) == "anna"
