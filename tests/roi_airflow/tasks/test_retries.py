from __future__ import annotations

from datetime import timedelta

import pytest

from roi_airflow.tasks.retries import ExponentialBackoff

POLICY = ExponentialBackoff(timedelta(seconds=20), timedelta(seconds=100))


def waits(try_number: int) -> list[timedelta]:
    decisions = [POLICY.evaluate(OSError(), try_number, 9) for _ in range(200)]
    return [decision.retry_delay for decision in decisions if decision.retry_delay is not None]


@pytest.mark.parametrize(("try_number", "ceiling"), [(1, 20), (2, 40), (3, 80), (4, 100), (9, 100)])
def test_wait_doubles_up_to_the_longest(try_number: int, ceiling: int) -> None:
    found = waits(try_number)
    assert len(found) == 200
    assert min(found) >= timedelta(seconds=ceiling / 2)
    assert max(found) <= timedelta(seconds=ceiling)


def test_task_instances_do_not_all_wait_equally_long() -> None:
    assert len(set(waits(1))) > 100
