"""Counts of recent events, for any number of names in a fixed amount of memory."""

from __future__ import annotations

import time
from hashlib import blake2b
from secrets import token_bytes

from limits import RateLimitItem
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

SLOTS = 4096


class RequestCounts:
    """Counts in a sliding window, within this process.

    Names are hashed to a fixed number of slots with a secret of this process: a client with many
    names or addresses can neither fill the memory nor choose whose slot to share.
    """

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._secret = token_bytes(16)

    def slot(self, *names: str) -> str:
        """Return the slot of some names."""
        content = "\0".join(names).encode("utf-8", "surrogatepass")
        digest = blake2b(content, key=self._secret, digest_size=8).digest()
        return str(int.from_bytes(digest) % SLOTS)

    def add(self, limit: RateLimitItem, slot: str) -> bool:
        """Count an event and return True, or return False beyond the limit."""
        return self._limiter.hit(limit, slot)

    def has_room(self, limit: RateLimitItem, slot: str) -> bool:
        """Tell whether one more event would be within the limit."""
        return self._limiter.test(limit, slot)

    def seconds_left(self, limit: RateLimitItem, slot: str) -> float:
        """Return the seconds until there is room for another event."""
        return max(0.0, self._limiter.get_window_stats(limit, slot).reset_time - time.time())
