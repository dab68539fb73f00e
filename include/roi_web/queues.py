"""Queues that are never longer than a limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class QueueFullError(Exception):
    """A queue holds as many as it may."""


class Queue:
    """Gives its places in the order of arrival.

    Args:
        places: How many have a place at a time.
        capacity: How many have a place or wait for one; more are refused.
    """

    def __init__(self, places: int, capacity: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._capacity = capacity
        self._present = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and hold it.

        Raises:
            QueueFullError: The queue is full.
        """
        if self._present >= self._capacity:
            raise QueueFullError
        self._present += 1
        try:
            async with self._places:
                yield
        finally:
            self._present -= 1
