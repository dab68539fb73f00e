from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from sqlalchemy.exc import DBAPIError

from roi_airflow.tasks import reasons
from roi_airflow.tasks.reasons import keep_reason, reason_of, reason_to_try_again, say_reason
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
        (None, "its process was ended"),
    ],
)
def test_reason_is_whole_in_one_line_and_names_the_kind_that_nobody_worded(
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
def test_reason_to_try_again_says_which_attempt_failed_and_when_the_next_starts(
    task: Any, wait: float
) -> None:
    context: Any = {"ti": TaskInstance(try_number=2), "task": task}
    before = datetime.now(UTC)
    reason = reason_to_try_again(SourceUnavailableError("no answer"), context)
    after = datetime.now(UTC)
    start = "attempt 2 of 3 failed, the next starts at about "
    assert reason in [
        f"{start}{moment + timedelta(seconds=wait):%H:%M:%S} UTC: no answer"
        for moment in (before, after)
    ]


def test_reason_is_kept_for_the_message_and_said_when_the_process_ends(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_exit: list[Any] = []
    monkeypatch.setattr(reasons.atexit, "register", at_exit.append)
    task_instance = TaskInstance()
    failed: Any = {"ti": task_instance, "exception": ValueError("odd")}
    keep_reason(failed)
    again: Any = {
        "ti": task_instance,
        "task": SimpleNamespace(retry_delay=timedelta(0)),
        "exception": OSError("gone"),
    }
    say_reason(again)
    assert task_instance.pushed == {"failure": "ValueError: odd"}
    assert caplog.messages == []
    (say,) = at_exit
    say()
    first, second = caplog.messages
    assert first == "ValueError: odd"
    assert second.startswith("attempt 1 of 3 failed, the next starts at about ")
    assert second.endswith(" UTC: OSError: gone")
