"""The peak memory of this process."""

from __future__ import annotations

from pathlib import Path


def peak_mib() -> float:
    """Return the most memory that this program has held, in MiB; Linux.

    `getrusage` will not do: what a process held before it became another program counts there too,
    and a child of a large process begins as large.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
