"""Lines of Airflow's JSON logs, and where a following command gets them from."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Protocol

_TASK_STARTS = re.compile(r"\[DAG TEST\] starting task_id=(?P<task_id>\S+)")
_TASK_ENDS = "[DAG TEST] end task"
_TASK_OF_LOG_FILE = re.compile(r"/task_id=(?P<task_id>[^/]+)/")


@dataclass(frozen=True)
class LogEvent:
    """One line of a log.

    Attributes:
        message: What was logged.
        error: Type and message of the exception that came with it, or None.
        task_id: The task that logged it, where known.
        prefix: Time, level and logger, for people; empty for output that was not logged.
    """

    message: str
    error: str | None = None
    task_id: str | None = None
    prefix: str = ""

    def as_text(self) -> str:
        """Return the line as people read it."""
        parts = [self.prefix, self.message, f"[{self.error}]" if self.error else ""]
        return " ".join(part for part in parts if part)


def parse_line(line: str, task_id: str | None = None) -> LogEvent:
    """Read one line of a log; a line that is not JSON is its own message."""
    try:
        content = json.loads(line)
        message = str(content["event"])
    except (ValueError, KeyError, TypeError):
        return LogEvent(line.rstrip("\n"), task_id=task_id)
    chain = content.get("exception") or content.get("error_detail") or []
    error = None
    if isinstance(chain, list) and chain:
        error = f"{chain[0].get('exc_type')}: {chain[0].get('exc_value')}"
    words = (content.get("timestamp"), str(content.get("level", "")).upper(), content.get("logger"))
    return LogEvent(message, error, task_id, " ".join(str(word) for word in words if word))


class LogSource(Protocol):
    """Something that a run logs to while it is followed."""

    def poll(self) -> list[LogEvent]:
        """Return the events since the last call, without waiting."""


class ProcessOutput:
    """The output of a process that runs all tasks itself, kept readable in a file.

    Args:
        stream: Standard output and error of the process, together.
        path: The file that gets every line.
    """

    def __init__(self, stream: IO[str], path: Path) -> None:
        self._stream = stream
        self._path = path
        self._events: SimpleQueue[LogEvent] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def poll(self) -> list[LogEvent]:
        """Return the events since the last call, without waiting."""
        events = []
        while True:
            try:
                events.append(self._events.get_nowait())
            except Empty:
                return events

    def finish(self) -> None:
        """Wait until everything the process wrote is in the file."""
        self._reader.join(timeout=10)

    def _read(self) -> None:
        task_id = None
        with self._path.open("w", encoding="utf-8") as file:
            for line in self._stream:
                event = parse_line(line, task_id)
                if started := _TASK_STARTS.match(event.message):
                    task_id = started["task_id"]
                elif event.message.startswith(_TASK_ENDS):
                    task_id = None
                print(event.as_text(), file=file, flush=True)
                self._events.put(event)


class TaskLogFiles:
    """The log files that the live stack writes, one a task and attempt.

    Args:
        directory: Folder of one run's logs; may not exist yet.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._offsets: dict[Path, int] = {}

    def poll(self) -> list[LogEvent]:
        """Return the events since the last call, without waiting."""
        events = []
        for path in sorted(self._directory.rglob("*.log")):
            found = _TASK_OF_LOG_FILE.search(path.as_posix())
            task_id = None if found is None else found["task_id"]
            events += [parse_line(line, task_id) for line in self._new_lines(path)]
        return events

    def _new_lines(self, path: Path) -> list[str]:
        offset = self._offsets.get(path, 0)
        if path.stat().st_size <= offset:
            return []
        with path.open("rb") as file:
            file.seek(offset)
            content = file.read()
        complete = content[: content.rfind(b"\n") + 1]
        self._offsets[path] = offset + len(complete)
        return complete.decode("utf-8", errors="replace").splitlines()
