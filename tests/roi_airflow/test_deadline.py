from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from roi_airflow.deadline import FirstQueued, forecast_deadline, report_late_forecasts
from roi_forecast.errors import PreflightError
from roi_forecast.settings import DEADLINE_VARIABLE, PUBLISH_VARIABLE
from roi_forecast.universe import BEFORE_OPEN_MINUTES
from serving_version import Served


def test_deadline_is_counted_from_when_the_run_was_queued() -> None:
    usual, alert = forecast_deadline({}), forecast_deadline({DEADLINE_VARIABLE: "45"})
    assert usual is not None
    assert alert is not None
    assert usual.interval == timedelta(hours=2)
    assert alert.interval == timedelta(minutes=45)
    assert isinstance(alert.reference, FirstQueued)


def test_deadline_before_the_opening_is_the_opening_unless_it_is_given() -> None:
    usual = forecast_deadline({PUBLISH_VARIABLE: "before_open"})
    given = forecast_deadline({PUBLISH_VARIABLE: "before_open", DEADLINE_VARIABLE: "45"})
    assert usual is not None
    assert given is not None
    assert usual.interval == timedelta(minutes=BEFORE_OPEN_MINUTES)
    assert given.interval == timedelta(minutes=45)


def test_a_moment_to_publish_that_nobody_knows_is_refused() -> None:
    message = "ROI_PUBLISH is 'noon'; expected 'after_close' or 'before_open'"
    with pytest.raises(PreflightError, match=message):
        forecast_deadline({PUBLISH_VARIABLE: "noon"})


def test_deadline_can_be_turned_off() -> None:
    assert forecast_deadline({DEADLINE_VARIABLE: "off"}) is None


@pytest.mark.parametrize("text", ["0", "soon", "-5", "1.5"])
def test_deadline_that_is_not_a_number_of_minutes_is_refused(text: str) -> None:
    with pytest.raises(PreflightError, match=f"ROI_DEADLINE_MINUTES: received '{text}'"):
        forecast_deadline({DEADLINE_VARIABLE: text})


def test_late_run_is_reported_unless_its_forecasts_are_stored(
    served: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = served.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("ROI_DATABASE_URL", url)
    monkeypatch.setenv("ROI_DATA_DIRECTORY", str(served.settings.data_directory))

    def report(run_id: str) -> list[str]:
        run = {"dag_id": "daily_roi_forecast", "dag_run_id": run_id}
        context: dict[str, Any] = {
            "dag_run": run,
            "deadline": {"deadline_time": "2025-01-02 00:15"},
        }
        caplog.clear()
        report_late_forecasts(context)
        return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]

    assert report(served.outcome.run.run_id) == []
    (message,) = report("waiting")
    assert "run waiting: the forecasts are late, none were stored by 2025-01-02 00:15" in message
