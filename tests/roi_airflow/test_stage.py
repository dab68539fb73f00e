from __future__ import annotations

import pytest

from roi_airflow import stage
from roi_airflow.stage import activity_of


class TaskInstance:
    """Counts DAG runs as Airflow does, and how often it is asked."""

    def __init__(self, going: dict[str, set[str]]) -> None:
        self.going = going
        self.asked = 0

    def get_dr_count(
        self, dag_id: str, *, states: list[str], run_ids: list[str] | None = None
    ) -> int:
        assert states == ["queued", "running"]
        self.asked += 1
        going = self.going.get(dag_id, set())
        return len(going if run_ids is None else going & set(run_ids))


def count_in(monkeypatch: pytest.MonkeyPatch, going: dict[str, set[str]]) -> TaskInstance:
    task_instance = TaskInstance(going)
    monkeypatch.setattr(stage, "get_current_context", lambda: {"ti": task_instance})
    return task_instance


def test_a_run_of_any_of_the_dags_counts_as_active(monkeypatch: pytest.MonkeyPatch) -> None:
    count_in(monkeypatch, {"backtest": {"a"}, "search": {"b"}, "daily": {"c"}})
    is_active = activity_of("backtest", "search")
    assert [is_active(run_id) for run_id in "abcd"] == [True, True, False, False]


def test_no_run_is_asked_for_where_none_is_going(monkeypatch: pytest.MonkeyPatch) -> None:
    task_instance = count_in(monkeypatch, {})
    is_active = activity_of("backtest", "search")
    assert not any(is_active(str(number)) for number in range(100))
    assert task_instance.asked == 2
