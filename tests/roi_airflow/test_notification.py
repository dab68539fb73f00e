from __future__ import annotations

from typing import Any, ClassVar

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, BaseNotifier
from airflow.serialization.serialized_objects import DagSerialization

from roi_airflow.notification import (
    NOTIFIER_ARGUMENTS_VARIABLE,
    NOTIFIER_VARIABLE,
    LogNotifier,
    create_notifier,
    notify,
    report_failure,
)
from roi_forecast.errors import PreflightError


class Recorder(BaseNotifier):
    """A notifier as a provider ships it: with an argument that is a template."""

    template_fields = ("text",)
    sent: ClassVar[list[str]] = []

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        self.sent.append(self.text)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    Recorder.sent.clear()
    monkeypatch.setenv(NOTIFIER_VARIABLE, f"{__name__}.Recorder")
    monkeypatch.setenv(NOTIFIER_ARGUMENTS_VARIABLE, '{"text": "ROI: {{ message }}"}')
    return Recorder.sent


def create_dag() -> DAG:
    with DAG("daily_roi_forecast") as dag:
        first, second, third = (
            EmptyOperator(task_id=task_id)
            for task_id in ("extract_prices", "check_prices", "forecast")
        )
        first >> second >> third
    return dag


class TaskInstance:
    """What was pushed under a task, for each of its instances."""

    def __init__(self, reasons: dict[str, list[str | None]]) -> None:
        self.reasons = reasons

    def xcom_pull(self, task_ids: list[str], key: str) -> list[str | None]:
        assert key == "failure"
        return self.reasons.get(task_ids[0], [])


def failed(reasons: dict[str, list[str | None]], dag: Any = None) -> Any:
    return {"dag": dag or create_dag(), "run_id": "manual 1", "ti": TaskInstance(reasons)}


def test_failure_names_the_deciding_task_its_reason_and_the_log(sent: list[str]) -> None:
    report_failure(
        failed({"extract_prices": ["no answer", None], "check_prices": ["quorum missed"]})
    )
    (message,) = sent
    assert message.startswith(
        "ROI: daily_roi_forecast, run manual 1: check_prices failed: quorum missed; log: "
    )
    assert message.endswith("/dags/daily_roi_forecast/runs/manual%201")


def test_failure_of_a_run_by_dags_test_sends_no_message(sent: list[str]) -> None:
    stored = DagSerialization.from_dict(DagSerialization.to_dict(create_dag()))
    report_failure(failed({"check_prices": ["quorum missed"]}, stored))
    assert sent == []


def test_failure_of_all_instances_of_a_task_is_one_message(sent: list[str]) -> None:
    report_failure(failed({"extract_prices": ["no answer", "no answer", "no answer"]}))
    assert len(sent) == 1
    assert "extract_prices failed: no answer (and 2 more of its instances)" in sent[0]


def test_failure_without_a_stored_reason_is_reported_too(sent: list[str]) -> None:
    report_failure({**failed({}), "reason": "timed_out"})
    report_failure({"dag": create_dag(), "run_id": "r", "reason": ""})  # type: ignore[typeddict-item]
    assert "no reason was stored (timed_out); log: " in sent[0]
    assert "no reason was stored (its process was killed); log: " in sent[1]


def test_without_a_setting_messages_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert isinstance(create_notifier({}), LogNotifier)
    notify({"dag": create_dag()}, "something is wrong")
    assert ("ERROR", "something is wrong") in [
        (record.levelname, record.getMessage()) for record in caplog.records
    ]


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("nowhere.Notifier", "{}"),
        (f"{__name__}.Missing", "{}"),
        (f"{__name__}.Recorder", "{}"),
        (f"{__name__}.Recorder", "not JSON"),
    ],
)
def test_error_names_a_notifier_that_cannot_be_created_and_its_arguments(
    path: str, arguments: str
) -> None:
    with pytest.raises(PreflightError, match=f"ROI_NOTIFIER: received '{path}'") as refusal:
        create_notifier({NOTIFIER_VARIABLE: path, NOTIFIER_ARGUMENTS_VARIABLE: arguments})
    assert repr(arguments) in str(refusal.value)
