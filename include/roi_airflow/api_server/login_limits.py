"""Limits on guessing passwords, without locking out anyone who knows theirs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from urllib.parse import parse_qs
from weakref import WeakValueDictionary

from limits import parse

from roi_airflow.api_server.request_counts import RequestCounts
from roi_web.queues import Queue

ACCOUNT_FAILURES = parse("10 per 5 minute")
"""For one user name from one address; each further one takes `ACCOUNT_PAUSE` seconds."""

ADDRESS_FAILURES = parse("30 per 5 minute")
"""For all user names from one address; each further one takes `ADDRESS_PAUSE` seconds."""

ACCOUNT_PAUSE = 5.0
ADDRESS_PAUSE = 1.0
MAX_CHECKS_AT_ONCE = 4
_MAX_OF_ACCOUNT = 4
_MAX_OF_ADDRESS = 20
_MAX_PRESENT = 500

UNKNOWN_ACCOUNT = ""


class LoginLimits:
    """Checks one attempt to log in at a time of an address, and of a user name at that address.

    Only a wrong password beyond the limits costs time: its turn lasts for a pause. A right one is
    never refused because of others' failures; it waits for its turn. This slows down a guesser and
    locks out nobody. A device that signed in before has turns of its own, which no flood of
    attempts from elsewhere fills.

    Args:
        counts: Counts failures.
        sleep: Waits for a number of seconds.
    """

    def __init__(
        self,
        counts: RequestCounts,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._counts = counts
        self._sleep = sleep
        self._room = Queue(_MAX_PRESENT, _MAX_PRESENT)
        self._turns: WeakValueDictionary[str, Queue] = WeakValueDictionary()
        self._checks = asyncio.Semaphore(MAX_CHECKS_AT_ONCE)

    async def check(
        self,
        account: str,
        network: str,
        is_right: Callable[[], Awaitable[bool]],
        device: str | None = None,
    ) -> float:
        """Check a password once it is this attempt's turn.

        Args:
            account: User name as typed.
            network: Where the attempt comes from.
            is_right: Checks the password.
            device: A device on which this user name signed in before, or None.

        Returns:
            Seconds that a wrong password beyond the limits took, else 0.

        Raises:
            QueueFullError: Too many attempts are waiting.
        """
        if device is not None:
            slot = self._counts.slot("device", device)
            if self._counts.has_room(ACCOUNT_FAILURES, slot):
                async with self._turn(f"device {device}", _MAX_OF_ACCOUNT), self._checks:
                    if not await is_right():
                        self._counts.add(ACCOUNT_FAILURES, slot)
                return 0.0
        of_address = self._counts.slot(network)
        of_account = self._counts.slot(network, account.strip().casefold())
        async with self._room.place(), self._turn(f"account {of_account}", _MAX_OF_ACCOUNT):
            pause = 0.0
            async with self._turn(f"address {of_address}", _MAX_OF_ADDRESS):
                async with self._checks:
                    if await is_right():
                        return 0.0
                if not self._counts.add(ADDRESS_FAILURES, of_address):
                    pause = ADDRESS_PAUSE
                    await self._sleep(ADDRESS_PAUSE)
            if not self._counts.add(ACCOUNT_FAILURES, of_account):
                pause = ACCOUNT_PAUSE
                await self._sleep(ACCOUNT_PAUSE)
            return pause

    def _turn(self, name: str, capacity: int) -> AbstractAsyncContextManager[None]:
        return self._turns.setdefault(name, Queue(1, capacity)).place()


def account_in(content_type: str, body: bytes) -> str | None:
    """Return the user name in a body that contains a password.

    Args:
        content_type: As the request declares it.
        body: The whole body.

    Returns:
        None if the body contains no password; `UNKNOWN_ACCOUNT` if it cannot be read, or does not
        name exactly one user.
    """
    declared = content_type.partition(";")[0].strip().lower()
    fields: object
    if declared == "application/x-www-form-urlencoded":
        values = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        fields = {name: found[0] if len(found) == 1 else None for name, found in values.items()}
    else:
        try:
            fields = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            fields = None
    if not isinstance(fields, dict):
        return UNKNOWN_ACCOUNT
    if "password" not in fields:
        return None
    account = fields.get("username")
    return account if isinstance(account, str) else UNKNOWN_ACCOUNT
