from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine

from roi_airflow.tasks import dataset_tasks, stage
from roi_airflow.tasks.dataset_tasks import resolve_symbols
from roi_airflow.tasks.stage import Installation
from roi_forecast.market import extraction_batches
from roi_forecast.settings import Settings

DUE = datetime(2024, 12, 27, 22, 15, tzinfo=UTC)
BEFORE_OPEN = Installation(
    create_engine("postgresql+psycopg://"), Settings("", Path(), publish="before_open")
)


@pytest.mark.parametrize(
    ("given", "publish"), [({}, "before_open"), ({"publish": "after_close"}, "after_close")]
)
def test_a_run_publishes_when_it_says_or_when_the_installation_does(
    given: dict[str, Any], publish: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_tasks, "current_run_id", lambda: "run")
    monkeypatch.setattr(dataset_tasks, "given_parameters", lambda: given)
    monkeypatch.setattr(dataset_tasks, "due_moment", lambda: DUE)
    monkeypatch.setattr(dataset_tasks, "session_of_run", lambda: date(2024, 12, 27))
    received: list[Any] = []

    def resolve(*arguments: Any, **moments: Any) -> SimpleNamespace:
        received.extend([arguments[2:], moments])
        return SimpleNamespace(extraction_symbols=("TCS.NS", "KO"))

    assert resolve_symbols(BEFORE_OPEN, resolve) == [["TCS.NS"], ["KO"]]
    assert received == [
        ("run", {"publish": publish}),
        {"now": DUE, "session": date(2024, 12, 27)},
    ]


@pytest.mark.parametrize(("attempt", "will_retry"), [(1, True), (3, True), (4, False)])
def test_the_last_attempt_at_a_batch_knows_that_it_is_the_last(
    attempt: int, will_retry: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context = {"ti": SimpleNamespace(try_number=attempt, max_tries=3)}
    run = SimpleNamespace(config=SimpleNamespace(source="simulated"))

    class Stage:
        def __enter__(self) -> SimpleNamespace:
            return SimpleNamespace(
                engine=None,
                run=run,
                settings=Settings("", tmp_path),
                started_trying_at=lambda: None,
            )

        def __exit__(self, *error: object) -> None:
            pass

    received: list[bool] = []
    monkeypatch.setattr(dataset_tasks, "get_current_context", lambda: context)
    monkeypatch.setattr(stage, "get_current_context", lambda: context)
    monkeypatch.setattr(dataset_tasks, "open_stage", Stage)
    monkeypatch.setattr(
        extraction_batches,
        "extract_batch",
        lambda *_, will_retry, **__: received.append(will_retry),
    )
    dataset_tasks.extract_prices.function(["KO"])
    assert received == [will_retry]
    assert context["symbol"] == "KO"
