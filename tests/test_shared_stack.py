"""A first look at the live stack that tests share."""

from __future__ import annotations

import pytest

from live_stack import SMALL, SharedStack, task_states

pytestmark = [pytest.mark.live, pytest.mark.slow]


def test_run_of_the_daily_dag_ends_with_forecasts(shared_stack: SharedStack) -> None:
    run_id = shared_stack.trigger("daily_roi_forecast", **SMALL, model_name="shared")
    run = shared_stack.wait_for_end("daily_roi_forecast", run_id)
    assert run.state == "success"
    assert task_states(run)["forecast"] == {"success"}
