"""Handing on a body that was read already."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Receive


def repeated(body: bytes, receive: Receive) -> Receive:
    """Return a function that receives a body again, and then what follows it.

    Args:
        body: Read from `receive` to its end.
        receive: Of the request.
    """
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again
