"""What happens at which session, decided by a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from roi_forecast.market.calendars import next_sessions
from soak.market import REFERENCE, STEADY, Event, PlantedMarket, asset_of

FIRST_SESSION = date(2023, 6, 1)

OUTAGES = ("rate_limit", "server_error", "html", "truncated", "empty")
"""The source answers nobody; a run fails, and that of the next session catches up."""

FAULTY_BARS = ("repeated_day", "conflicting_day", "tenfold", "negative", "zero", "gaps", "unsorted")
"""What is wrong with the answer for one asset."""

KILLS = ("kill_task", "kill_command", "kill_postgres")
"""`kill -9` at a random moment: of the process that runs tasks, of `make run`, of PostgreSQL."""

OTHERS = (
    "missing_last",
    "unknown",
    "rate_limit_once",
    "context_missing",
    "split",
    "dividend",
    "correction",
    "promotion",
    "roll_back",
    "restart_postgres",
    "disk_full",
    "missed",
    "twice",
    "weekend",
)


@dataclass(frozen=True)
class Session:
    """One session of the reference calendar.

    Attributes:
        number: From 1.
        day: Its date.
        happens: The name of what happens, `plain` for nothing.
        chance: Seed of what is random about it.
        prune: Whether retention follows.
    """

    number: int
    day: date
    happens: str
    chance: int
    prune: bool


def planned(sessions: int, seed: int) -> list[Session]:
    """Return the sessions; of 60 or more every third, and of fewer every one, has an event.

    Every event comes equally often, kills three times as often as others.
    """
    chance = random.Random(seed)
    days = next_sessions(asset_of(REFERENCE).exchange, FIRST_SESSION - timedelta(days=1), sessions)
    every = [*OUTAGES, *FAULTY_BARS, *KILLS, *KILLS, *KILLS, *OTHERS]
    names: list[str] = []
    # The first sessions find a champion to serve, and past forecasts.
    while len(names) < sessions:
        chance.shuffle(every)
        for name in every:
            names += ["plain", name] if sessions >= 60 else [name]
    names = ["plain", *names][:sessions]
    return [
        Session(number, day, name, chance.randrange(2**31), number % 10 == 0)
        for number, (day, name) in enumerate(zip(days, names, strict=True), 1)
    ]


def chosen(names: Sequence[str], seed: int) -> list[Session]:
    """Return a session for each named event, in order."""
    days = next_sessions(
        asset_of(REFERENCE).exchange, FIRST_SESSION - timedelta(days=1), len(names)
    )
    return [
        Session(number, day, name, seed + number, number == len(names))
        for number, (day, name) in enumerate(zip(days, names, strict=True), 1)
    ]


def planted_market(sessions: Sequence[Session]) -> PlantedMarket:
    """Return the market of the sessions, with the splits, dividends and corrections among them."""
    days = [session.day for session in sessions]

    def at(share: float) -> date:
        return days[int(share * (len(days) - 1))]

    market = PlantedMarket(
        days[-1] + timedelta(days=14),
        listed_on=at(0.2),
        delisted_on=at(0.6),
        suspended=(at(0.4), at(0.45)),
        renamed_on=at(0.8),
    )
    for session in sessions:
        chance = random.Random(session.chance)
        symbol = chance.choice(STEADY[:2])
        size = {"split": chance.choice([2.0, 5.0, 0.5]), "dividend": chance.uniform(0.005, 0.02)}
        if session.happens in (*size, "correction"):
            event = Event(session.happens, symbol, session.day, size.get(session.happens, 0.003))
            market.events.append(event)
    return market
