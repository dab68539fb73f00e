from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Coroutine
from typing import Any

from roi_web.admission import CLIENT, Admission

numbers = itertools.count()


class Slow:
    """An application that responds once `finished` is set, and counts the requests inside."""

    def __init__(self) -> None:
        self.finished = asyncio.Event()
        self.inside: list[str] = []
        self.most_inside = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.inside.append(scope["path"])
        self.most_inside = max(self.most_inside, len(self.inside))
        await self.finished.wait()
        if scope["path"] == "/fails":
            self.inside.remove(scope["path"])
            raise RuntimeError
        self.inside.remove(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def answers_nothing(_: Any) -> None:
    pass


async def ask(
    app: Admission, client: str = "anna", path: str = "/", send: Any = None
) -> tuple[int, str]:
    sent: list[Any] = []

    async def keep(message: Any) -> None:
        sent.append(message)
        if send is not None:
            await send(message)

    headers = [
        (b"authorization", b"Bearer %d" % next(numbers)),
        (b"cookie", b"%d=" % next(numbers)),
    ]
    scope = {
        "type": "http",
        "path": path,
        "headers": headers,
        **({CLIENT: client} if client else {}),
    }
    await app({**scope, "client": ("192.0.2.1", 5000)}, answers_nothing, keep)
    return sent[0]["status"], str(sent[-1]["body"].decode())


def finish(test: Coroutine[Any, Any, None]) -> None:
    """Run a test to its end; fail instead of waiting for ever."""
    asyncio.run(asyncio.wait_for(test, 60))


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_no_more_requests_are_inside_than_there_are_places() -> None:
    async def requests() -> None:
        slow = Slow()
        app = Admission(slow, places=4)
        answers = asyncio.gather(*(ask(app, str(number)) for number in range(500)))
        await settle()
        assert len(slow.inside) == 4
        slow.finished.set()
        assert {status for status, _ in await answers} == {200}
        assert slow.most_inside == 4
        assert len(app._clients) == 0

    finish(requests())


def test_one_client_s_crowd_leaves_places_for_others() -> None:
    async def requests() -> None:
        slow = Slow()
        app = Admission(slow, places=4)
        crowd = asyncio.gather(*(ask(app, "anna", "/anna") for _ in range(300)))
        await settle()
        other = asyncio.create_task(ask(app, "bob", "/bob"))
        await settle()
        assert slow.inside == ["/anna", "/anna", "/bob"]
        slow.finished.set()
        await asyncio.gather(crowd, other)

    finish(requests())


def test_without_a_known_client_the_address_is_the_client_whatever_the_headers() -> None:
    async def requests() -> None:
        slow = Slow()
        app = Admission(slow, places=4)
        crowd = asyncio.gather(*(ask(app, "") for _ in range(300)))
        await settle()
        assert len(slow.inside) == 2
        slow.finished.set()
        await crowd

    finish(requests())


def test_a_response_that_is_read_slowly_holds_no_place() -> None:
    async def requests() -> None:
        slow = Slow()
        slow.finished.set()
        app = Admission(slow, places=2)

        async def never_read(_: Any) -> None:
            await asyncio.Event().wait()

        readers = [
            asyncio.create_task(ask(app, str(number), send=never_read)) for number in range(5)
        ]
        await settle()
        assert await ask(app, "anna") == (200, "")
        for reader in readers:
            reader.cancel()

    finish(requests())


def test_a_request_that_fails_frees_its_place() -> None:
    async def requests() -> None:
        slow = Slow()
        slow.finished.set()
        app = Admission(slow, places=2)
        failed = await asyncio.gather(
            *(ask(app, path="/fails") for _ in range(5)), return_exceptions=True
        )
        assert {type(answer) for answer in failed} == {RuntimeError}
        assert await ask(app) == (200, "")

    finish(requests())


def test_a_full_queue_is_answered_with_503() -> None:
    async def requests() -> None:
        slow = Slow()
        app = Admission(slow, places=2, max_waiting=8)
        waiting = [asyncio.create_task(ask(app)) for _ in range(5)]
        await settle()
        status, body = await ask(app)
        assert status == 503
        problem = json.loads(body)
        assert problem["status"] == 503
        assert problem["detail"] == "too many requests are waiting; try again"
        others = [asyncio.create_task(ask(app, str(number))) for number in range(5)]
        await settle()
        assert (await ask(app, "carl"))[0] == 503
        slow.finished.set()
        answers = await asyncio.gather(*waiting, *others)
        assert {status for status, _ in answers} == {200}

    finish(requests())
