from __future__ import annotations

from types import SimpleNamespace

import pytest

from roi_airflow import backfill_order
from roi_airflow.backfill_order import wait_for_earlier_dates
from roi_forecast.errors import RunConflictError


class TaskInstance:
    """Knows one earlier run, as Airflow does."""

    def __init__(self, state: str) -> None:
        self.state = state

    def get_previous_dagrun(self, state: str) -> SimpleNamespace | None:
        return SimpleNamespace(run_id="backfill__earlier") if state == self.state else None


def begin(monkeypatch: pytest.MonkeyPatch, run_type: str, earlier: str) -> None:
    context = {"dag_run": SimpleNamespace(run_type=run_type), "ti": TaskInstance(earlier)}
    monkeypatch.setattr(backfill_order, "get_current_context", lambda: context)
    wait_for_earlier_dates()


def test_a_backfill_run_waits_while_one_of_an_earlier_date_is_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(RunConflictError, match="'backfill__earlier' of an earlier date"):
        begin(monkeypatch, "backfill", "running")


# One that is queued may have to wait for this run's place, as in a backfill in reverse.
@pytest.mark.parametrize("earlier", ["queued", "success", "failed"])
def test_a_backfill_run_waits_for_no_other_state(
    monkeypatch: pytest.MonkeyPatch, earlier: str
) -> None:
    begin(monkeypatch, "backfill", earlier)


@pytest.mark.parametrize("run_type", ["scheduled", "manual"])
def test_other_runs_do_not_wait_for_a_backfill(
    monkeypatch: pytest.MonkeyPatch, run_type: str
) -> None:
    begin(monkeypatch, run_type, "running")
