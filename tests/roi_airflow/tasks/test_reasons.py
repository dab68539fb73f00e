from __future__ import annotations

import functools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from sqlalchemy.exc import DBAPIError

from roi_airflow.tasks import reasons
from roi_airflow.tasks.reasons import log_retry, reason_of, retry_reason, store_reason
from roi_airflow.tasks.retries import ExponentialBackoff
from roi_forecast.errors import SourceUnavailableError

LONG = "received 'x'; " + "name other assets, " * 200


@dataclass
class TaskInstance:
    """An attempt as a callback sees it."""

    try_number: int = 1
    max_tries: int = 2
    pushed: dict[str, str] = field(default_factory=dict)

    def xcom_push(self, key: str, value: str) -> None:
        self.pushed[key] = value


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AirflowFailException("first\nsecond"), "first second"),
        (SourceUnavailableError(LONG), LONG.strip()),
        (ValueError("first\nsecond"), "ValueError: first second"),
        (KeyError("close"), "KeyError: 'close'"),
        (KeyError(), "KeyError"),
        (AirflowFailException(), "AirflowFailException"),
        (
            DBAPIError("INSERT INTO roi.runs", {"config": "secret"}, ValueError("no\nright")),
            "ValueError: no right",
        ),
        ("a text", "a text"),
        (None, "its process was killed"),
    ],
)
def test_reason_is_complete_in_one_line_and_starts_with_the_type_of_an_unknown_error(
    error: Exception | str | None, reason: str
) -> None:
    assert reason_of(error) == reason


@pytest.mark.parametrize(
    ("task", "wait"),
    [
        (SimpleNamespace(retry_delay=timedelta(minutes=5), retry_policy=None), 300),
        (
            SimpleNamespace(
                retry_delay=timedelta(minutes=5),
                retry_policy=ExponentialBackoff(timedelta(seconds=20), timedelta(minutes=10)),
            ),
            40,
        ),
    ],
)
def test_retry_reason_names_the_failed_attempt_and_the_start_of_the_next(
    task: Any, wait: float
) -> None:
    context: Any = {"ti": TaskInstance(try_number=2), "task": task}
    before = datetime.now(UTC)
    reason = retry_reason(SourceUnavailableError("no answer"), context)
    after = datetime.now(UTC)
    start = "attempt 2 of 3 failed, the next starts at about "
    assert reason in [
        f"{start}{moment + timedelta(seconds=wait):%H:%M:%S} UTC: no answer"
        for moment in (before, after)
    ]


def test_reason_is_stored_for_the_message_and_logged_when_the_process_ends(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_exit: list[Any] = []
    monkeypatch.setattr(
        reasons.atexit, "register", lambda *call: at_exit.append(functools.partial(*call))
    )
    task_instance = TaskInstance()
    failed: Any = {"ti": task_instance, "exception": ValueError("odd")}
    store_reason(failed)
    again: Any = {
        "ti": task_instance,
        "task": SimpleNamespace(retry_delay=timedelta(0)),
        "exception": OSError("gone"),
    }
    log_retry(again)
    assert task_instance.pushed == {"failure": "ValueError: odd"}
    assert caplog.messages == []
    for log in at_exit:
        log()
    first, second = caplog.messages
    assert first == "ValueError: odd"
    assert second.startswith("attempt 1 of 3 failed, the next starts at about ")
    assert second.endswith(" UTC: OSError: gone")
