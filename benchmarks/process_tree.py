"""Processor time and memory of a command with all its processes, PostgreSQL's among them."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

SECONDS_BETWEEN_SAMPLES = 0.5


@dataclass(frozen=True)
class Sample:
    """All processes at one moment.

    Attributes:
        moment: Unix time, in seconds.
        processor_seconds: Used so far, by processes that have ended too.
        pss_mib: Memory, of which a page that several processes share counts once.
        database_mib: The part of it that is PostgreSQL's.
    """

    moment: float
    processor_seconds: float
    pss_mib: float
    database_mib: float


@dataclass
class Usage:
    """What was sampled of a command, in time order.

    Attributes:
        samples: The samples.
    """

    samples: list[Sample] = field(default_factory=list)

    def processor_seconds(self, began: float = 0.0, ended: float = float("inf")) -> float:
        """Return what was used between two moments, read between the samples around each."""
        return self._used_until(ended) - self._used_until(began)

    def peak_mib(self, began: float = 0.0, ended: float = float("inf")) -> float:
        """Return the most memory between two moments; of a short time, that of the next sample."""
        inside = [each.pss_mib for each in self.samples if began <= each.moment <= ended]
        if not inside:
            place = bisect_left([each.moment for each in self.samples], began)
            inside = [each.pss_mib for each in self.samples[place : place + 1]]
        return max(inside, default=float("nan"))

    def _used_until(self, moment: float) -> float:
        place = bisect_left([each.moment for each in self.samples], moment)
        if place in (0, len(self.samples)):
            return self.samples[min(place, len(self.samples) - 1)].processor_seconds
        before, after = self.samples[place - 1 : place + 1]
        share = (moment - before.moment) / (after.moment - before.moment)
        return before.processor_seconds + share * (
            after.processor_seconds - before.processor_seconds
        )


@contextmanager
def sampled(process_ids: Sequence[int], postgres_directory: Path) -> Iterator[Usage]:
    """Sample processes, their descendants and a PostgreSQL server until the end of the block.

    Args:
        process_ids: The processes.
        postgres_directory: The server's data directory; it may start later.
    """
    usage, ended = Usage(), threading.Event()
    used: dict[int, float] = {}

    def sample() -> None:
        while not ended.wait(SECONDS_BETWEEN_SAMPLES):
            usage.samples.append(_sample(process_ids, postgres_directory, used))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield usage
    finally:
        ended.set()
        thread.join()


def _sample(process_ids: Sequence[int], directory: Path, used: dict[int, float]) -> Sample:
    """Take a sample; `used` keeps what each root had used, for the time when it has ended."""
    moment = time.time()
    server = _server_process_id(directory)
    roots = [*([] if server is None else [server]), *process_ids]
    seen: set[int] = set()
    memory: dict[int, float] = {}
    for root in roots:
        # The server is a child of the command that started it, and counts once.
        own = [each for each in _with_descendants(root) if each.pid not in seen]
        seen |= {each.pid for each in own}
        # A parent is charged with the children that it has waited for.
        used[root] = max(used.get(root, 0.0), sum(map(_processor_seconds, own)))
        memory[root] = sum(map(_pss_mib, own))
    of_database = 0.0 if server is None else memory[server]
    return Sample(moment, sum(used.values()), sum(memory.values()), of_database)


def _with_descendants(process_id: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(process_id)
        return [process, *process.children(recursive=True)]
    return []


def _server_process_id(postgres_directory: Path) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        return int((postgres_directory / "postmaster.pid").read_text().splitlines()[0])
    return None


def _processor_seconds(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        times = process.cpu_times()
        return times.user + times.system + times.children_user + times.children_system
    return 0.0


def _pss_mib(process: psutil.Process) -> float:
    with suppress(OSError):
        content = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
        line = next(line for line in content.splitlines() if line.startswith("Pss:"))
        return int(line.split()[1]) / 1024
    return 0.0
