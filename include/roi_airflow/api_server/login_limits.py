"""How fast passwords can be guessed, without locking out whoever knows theirs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs
from weakref import WeakValueDictionary

from limits import parse

from roi_airflow.api_server.request_counts import RequestCounts

ACCOUNT_FAILURES = parse("10 per 5 minute")
"""Of one user name from one address; the next ones take `ACCOUNT_PAUSE` seconds each."""

ADDRESS_FAILURES = parse("30 per 5 minute")
"""Of all user names from one address; the next ones take `ADDRESS_PAUSE` seconds each."""

ACCOUNT_PAUSE = 5.0
ADDRESS_PAUSE = 1.0
CHECKS_AT_ONCE = 4
_WAITING_FOR_ACCOUNT = 4
_WAITING_FOR_ADDRESS = 20
_WAITING = 500

UNKNOWN_ACCOUNT = ""


class TooManyAttemptsError(Exception):
    """Too many attempts of one account or address wait for their turn already."""


@dataclass(eq=False)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class LoginLimits:
    """Lets one attempt of an address, and of a user name there, be checked at a time.

    Only a wrong password past the limits costs time: its turn lasts for a pause. A right one is
    never refused for what others got wrong, it waits for its turn. So a guesser is slowed down
    without anybody's being locked out. A device that signed in before has turns of its own, which
    no flood of attempts from elsewhere fills.

    Args:
        counts: Counts failures.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        counts: RequestCounts,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._counts = counts
        self._sleep = sleep
        self._turns: WeakValueDictionary[str, _Turn] = WeakValueDictionary()
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._waiting = 0

    async def check(
        self,
        account: str,
        network: str,
        ask: Callable[[], Awaitable[bool]],
        device: str | None = None,
    ) -> float:
        """Ask whether a password is right, once it is this attempt's turn.

        Args:
            account: User name as it was typed.
            network: Where the attempt comes from.
            ask: Tells whether the password is right.
            device: A device on which this user name signed in before; None where it is not one.

        Returns:
            Seconds that a wrong password past the limits took, else 0.

        Raises:
            TooManyAttemptsError: Too many attempts wait already.
        """
        of_device = self._counts.slot("device", device or "")
        if device is not None and self._counts.has_room(ACCOUNT_FAILURES, of_device):
            async with self._turn(f"device {device}", _WAITING_FOR_ACCOUNT), self._checks:
                if not await ask():
                    self._counts.add(ACCOUNT_FAILURES, of_device)
            return 0.0
        if self._waiting >= _WAITING:
            raise TooManyAttemptsError
        self._waiting += 1
        try:
            return await self._check_unknown_device(account, network, ask)
        finally:
            self._waiting -= 1

    async def _check_unknown_device(
        self, account: str, network: str, ask: Callable[[], Awaitable[bool]]
    ) -> float:
        of_address = self._counts.slot(network)
        of_account = self._counts.slot(network, account.strip().casefold())
        async with self._turn(f"account {of_account}", _WAITING_FOR_ACCOUNT):
            async with self._turn(f"address {of_address}", _WAITING_FOR_ADDRESS):
                async with self._checks:
                    is_right = await ask()
                if is_right:
                    return 0.0
                pause = 0.0
                if not self._counts.add(ADDRESS_FAILURES, of_address):
                    pause = ADDRESS_PAUSE
                    await self._sleep(ADDRESS_PAUSE)
            if not self._counts.add(ACCOUNT_FAILURES, of_account):
                pause = ACCOUNT_PAUSE
                await self._sleep(ACCOUNT_PAUSE)
            return pause

    @asynccontextmanager
    async def _turn(self, name: str, max_waiting: int) -> AsyncIterator[None]:
        turn = self._turns.setdefault(name, _Turn())
        if turn.waiting >= max_waiting:
            raise TooManyAttemptsError
        turn.waiting += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.waiting -= 1


def account_in(content_type: str, body: bytes) -> str | None:
    """Return the user name that a body gives next to a password.

    Args:
        content_type: As the request declares it.
        body: The whole body.

    Returns:
        None where the body holds no password; `UNKNOWN_ACCOUNT` where that cannot be told, or where
        it does not name one user.
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
