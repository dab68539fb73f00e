"""Reading Airflow's logs while they grow."""

from __future__ import annotations

import io
import json
from pathlib import Path

from roi_local.run_progress.log_events import LogEvent, ProcessOutput, TaskLogFiles, parse_line


def line(event: str, **more: object) -> str:
    return json.dumps(
        {"timestamp": "2024-01-01T00:00:00Z", "level": "info", "event": event, **more}
    )


def test_line_that_is_no_json_is_its_own_message() -> None:
    for text in ("Killed", "[1, 2]", '"text"', "{", '{"no": "event"}', ""):
        assert parse_line(text + "\n") == LogEvent(text)


def test_exception_is_read_from_both_kinds_of_airflow_logs() -> None:
    chain = [
        {"exc_type": "ValueError", "exc_value": "a&b\nc", "frames": []},
        {"exc_type": "KeyError"},
    ]

    for key in ("exception", "error_detail"):
        assert parse_line(line("Task failed", **{key: chain})).error == "ValueError: a&b\nc"


def test_output_is_kept_readable_and_attributed_to_the_task_that_ran(tmp_path: Path) -> None:
    lines = [
        line("[DAG TEST] starting task_id=train_model map_index=-1"),
        line("epoch 1/2: loss 1"),
        "a line of a C++ library",
        line("[DAG TEST] end task task_id=train_model map_index=-1"),
        line("Callback failed"),
    ]

    output = ProcessOutput(io.StringIO("\n".join(lines)), tmp_path / "run.log")
    output.finish()

    events = output.poll()
    assert [event.task_id for event in events[1:]] == ["train_model"] * 3 + [None]
    assert [event.message for event in events[1:3]] == [
        "epoch 1/2: loss 1",
        "a line of a C++ library",
    ]
    assert output.poll() == []
    assert (tmp_path / "run.log").read_text().splitlines()[1:3] == [
        "2024-01-01T00:00:00Z INFO epoch 1/2: loss 1",
        "a line of a C++ library",
    ]


def test_growing_files_are_read_line_by_line_once(tmp_path: Path) -> None:
    source = TaskLogFiles(tmp_path / "run_id=x")
    assert source.poll() == []
    folder = tmp_path / "run_id=x" / "task_id=train_model"
    folder.mkdir(parents=True)
    path = folder / "attempt=1.log"

    path.write_text(line("one") + "\n" + line("two")[:10])
    assert [(event.task_id, event.message) for event in source.poll()] == [("train_model", "one")]

    path.write_text(line("one") + "\n" + line("two") + "\n")
    assert [event.message for event in source.poll()] == ["two"]
    assert source.poll() == []
