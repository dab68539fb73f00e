"""A queue in front of the application, so that a crowd of requests waits instead of blocking.

Every request needs threads of the API server, and a connection while it waits for one. Let in all
at once, a hundred of them hold every thread to wait for connections whose holders wait for a
thread, and everything else that the API server answers waits along.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLIENT = "roi_forecast.client"
"""Key of a scope: who asks, as told by whatever stands in front of the application."""

MAX_WAITING = 2000
_RETRY_SECONDS = 5


@dataclass(eq=False)
class _Client:
    places: asyncio.Semaphore
    waiting: int = 0


class Admission:
    """ASGI middleware that lets in as many requests at a time as there are connections.

    The others wait for their turn, without a thread or a connection. A client gets no more than
    half of the places, so that nobody waits for a whole crowd of somebody else's requests; it is
    who the scope says under `CLIENT`, or else the address, and never what a header says unchecked.
    A place is free again once the answer is made: how slowly it is read costs nobody anything.

    Args:
        app: Must hold no connection once it starts to answer.
        places: Requests at a time.
        max_waiting: More than that are answered with 503; half as many for each client.
    """

    def __init__(self, app: ASGIApp, *, places: int, max_waiting: int = MAX_WAITING) -> None:
        self._app = app
        self._places = asyncio.Semaphore(places)
        self._places_of_client = max(1, places // 2)
        self._max_waiting = max_waiting
        self._waiting = 0
        self._clients: WeakValueDictionary[str, _Client] = WeakValueDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request when a place is free."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name: str = scope.get(CLIENT) or (scope.get("client") or ("", 0))[0]
        client = self._clients.setdefault(name, _Client(asyncio.Semaphore(self._places_of_client)))
        if self._waiting >= self._max_waiting or client.waiting >= self._max_waiting // 2:
            refused = JSONResponse(
                {"detail": "too many requests are waiting; try again"},
                status_code=503,
                headers={"Retry-After": str(_RETRY_SECONDS)},
            )
            await refused(scope, receive, send)
            return
        with ExitStack() as place:
            await self._enter(client, place)

            async def send_and_leave(message: Message) -> None:
                place.close()
                await send(message)

            await self._app(scope, receive, send_and_leave)

    async def _enter(self, client: _Client, place: ExitStack) -> None:
        self._waiting += 1
        client.waiting += 1
        try:
            for places in (client.places, self._places):
                await places.acquire()
                place.callback(places.release)
        finally:
            self._waiting -= 1
            client.waiting -= 1
