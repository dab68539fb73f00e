"""A queue in front of the application: under load, requests wait instead of blocking the server.

Every request needs threads of the API server, and a connection while it waits for a thread. Without
a queue, a hundred requests hold every thread while they wait for connections whose holders wait for
threads, and everything else on the API server waits too.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from roi_web.http.problems import problem_response
from roi_web.queues import Queue, QueueFullError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLIENT = "roi_forecast.client"
"""Key of a scope under which an outer middleware names the client."""

MAX_WAITING = 2000
_RETRY_SECONDS = 5


class Admission:
    """ASGI middleware that admits as many requests at a time as there are connections.

    The others wait for their turn without a thread or a connection. A client gets at most half of
    the places, so that nobody waits for a whole crowd of another client's requests. The client is
    the one that the scope names under `CLIENT`, or else the address; never what an unchecked header
    claims. A request leaves its place once the response starts: a slow reader costs nobody.

    Args:
        app: Must hold no connection once its response starts.
        places: Requests at a time.
        max_waiting: Requests beyond it are answered with 503; half as many for each client.
    """

    def __init__(self, app: ASGIApp, *, places: int, max_waiting: int = MAX_WAITING) -> None:
        self._app = app
        self._room = Queue(places + max_waiting, places + max_waiting)
        self._places = asyncio.Semaphore(places)
        self._places_of_client = max(1, places // 2)
        self._capacity_of_client = self._places_of_client + max_waiting // 2
        self._clients: WeakValueDictionary[str, Queue] = WeakValueDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request when a place is free."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name: str = scope.get(CLIENT) or (scope.get("client") or ("", 0))[0]
        client = self._clients.setdefault(
            name, Queue(self._places_of_client, self._capacity_of_client)
        )
        async with AsyncExitStack() as place:
            try:
                await place.enter_async_context(self._room.place())
                await place.enter_async_context(client.place())
                await place.enter_async_context(self._places)
            except QueueFullError:
                await place.aclose()
                await _refusal(scope)(scope, receive, send)
                return

            async def leave_and_send(message: Message) -> None:
                await place.aclose()
                await send(message)

            await self._app(scope, receive, leave_and_send)


def _refusal(scope: Scope) -> ASGIApp:
    return problem_response(
        503,
        "too many requests are waiting; try again",
        root=scope.get("root_path", ""),
        headers={"Retry-After": str(_RETRY_SECONDS)},
    )
