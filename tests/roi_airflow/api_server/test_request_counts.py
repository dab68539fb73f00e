from __future__ import annotations

import time

import pytest
from limits import parse

from roi_airflow.api_server.request_counts import SLOTS, RequestCounts

LIMIT = parse("3 per minute")


class Clock:
    now = 1_000_000_043.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


def taken(counts: RequestCounts, times: int) -> int:
    return sum(counts.add(LIMIT, counts.slot("anna")) for _ in range(times))


def test_a_limit_holds_within_its_window_and_there_is_room_again_after_the_wait(
    clock: Clock,
) -> None:
    counts = RequestCounts()
    assert taken(counts, 10) == 3
    wait = counts.seconds_left(LIMIT, counts.slot("anna"))
    assert 0 < wait <= 60
    clock.now += wait + 60
    assert taken(counts, 10) == 3


def test_a_long_pause_allows_no_more_than_the_limit(clock: Clock) -> None:
    counts = RequestCounts()
    taken(counts, 3)
    clock.now += 24 * 3600
    assert taken(counts, 10) == 3


def test_names_do_not_use_up_each_others_share() -> None:
    counts = RequestCounts()
    taken(counts, 3)
    assert not counts.add(LIMIT, counts.slot("anna"))
    others = {counts.slot(name) for name in ("bob", "carl", "dora")} - {counts.slot("anna")}
    assert all(counts.add(LIMIT, slot) for slot in others)
    assert others


def test_any_number_of_names_takes_a_fixed_amount_of_memory() -> None:
    counts = RequestCounts()
    for number in range(5 * SLOTS):
        counts.add(LIMIT, counts.slot("2001:db8::/64", str(number)))
    assert len(counts._limiter.storage.storage) <= 2 * SLOTS


def test_slots_are_spread_evenly_and_secret() -> None:
    first, second = RequestCounts(), RequestCounts()
    names = [str(number) for number in range(1000)]
    slots = [first.slot(name) for name in names]
    assert len(set(slots)) > 800
    assert sum(slot == second.slot(name) for name, slot in zip(names, slots, strict=True)) < 20
    assert first.slot("a", "bc") != first.slot("ab", "c")
