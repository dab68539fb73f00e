"""How many requests one client may make: a bucket of tokens that refills steadily."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from fastapi import HTTPException

REQUESTS_PER_MINUTE = 600
_MOST_CLIENTS = 10_000


class RateLimit:
    """Counts the requests of each client within this process.

    Args:
        per_minute: Requests a client may make in a minute; as many at once after a pause.
        clock: Seconds that only ever grow.
    """

    def __init__(
        self,
        per_minute: int = REQUESTS_PER_MINUTE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._lock = Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, client: str) -> None:
        """Take one token of the client's.

        Raises:
            HTTPException: None is left: status 429, with the seconds to wait in `Retry-After`.
        """
        with self._lock:
            now = self._clock()
            tokens, seen = self._buckets.pop(client, (self._burst, now))
            tokens = min(self._burst, tokens + (now - seen) * self._per_second)
            allowed = tokens >= 1
            self._buckets[client] = (tokens - 1 if allowed else tokens, now)
            if len(self._buckets) > _MOST_CLIENTS:
                self._buckets.popitem(last=False)
        if not allowed:
            seconds = max(1, math.ceil((1 - tokens) / self._per_second))
            raise HTTPException(
                429,
                f"more than {self._burst:g} requests a minute; try again in {seconds} s",
                headers={"Retry-After": str(seconds)},
            )
