from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from roi_forecast.files.leftovers import Swept, partial_path, server_time, sweep_leftovers

WRITERS = {
    "a folder": """
with published_directory(folder / "whole") as working:
    (working / "part").write_bytes(b"1234")
    wait()
""",
    "a file": """
from unittest.mock import patch
with patch("os.fsync", lambda descriptor: wait()):
    write_file(folder / "whole", b"1234")
""",
}


def plant(path: Path, content: bytes = b"1234") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def age(path: Path, **elapsed: float) -> None:
    """Date everything below a path, and itself, back."""
    moment = time.time() - timedelta(**elapsed).total_seconds()
    for entry in (path, *path.rglob("*")):
        os.utime(entry, (moment, moment), follow_symlinks=False)


@contextmanager
def writing(folder: Path, what: str) -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of writing into a folder; killed in the end."""
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from roi_forecast.files.artifacts import published_directory, write_file\n"
        "folder = Path(sys.argv[1])\n"
        "def wait():\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(600)\n" + WRITERS[what]
    )
    command = [sys.executable, "-c", program, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "writing\n"
            yield process
        finally:
            process.kill()


def test_old_leftovers_go_and_young_ones_and_whole_files_stay(tmp_path: Path) -> None:
    old_folder = partial_path(tmp_path / "models" / "name" / "versions" / "one")
    plant(old_folder / "model.keras")
    old_file = plant(partial_path(tmp_path / "models" / "name" / "candidates" / "state.npz"), b"12")
    old_link = partial_path(tmp_path / "models" / "name" / "champion")
    old_link.symlink_to("versions", target_is_directory=True)
    whole = plant(tmp_path / "models" / "name" / "versions" / "two" / "model.keras")
    hidden = plant(tmp_path / "models" / ".hidden" / "partial")
    age(tmp_path, days=1, seconds=1)
    young = plant(partial_path(tmp_path / "datasets" / "three"))
    age(young, hours=23)
    touched_lately = partial_path(tmp_path / "datasets" / "four")
    part = plant(touched_lately / "prices.npy")
    age(touched_lately, days=9)
    age(part, hours=1)

    swept = sweep_leftovers([tmp_path / "models", tmp_path / "datasets", tmp_path / "none"])

    assert swept == Swept(count=3, freed_bytes=6)
    assert not any(os.path.lexists(path) for path in (old_folder, old_file, old_link))
    assert whole.is_file()
    assert hidden.is_file()
    assert young.is_file()
    assert part.is_file()
    assert sweep_leftovers([tmp_path]) == Swept(0, 0)


@pytest.mark.parametrize("what", WRITERS)
def test_files_of_a_living_process_stay_however_old_and_go_once_it_is_killed(
    tmp_path: Path, what: str
) -> None:
    with writing(tmp_path, what) as process:
        (leftover,) = tmp_path.iterdir()
        age(leftover, days=30)
        assert sweep_leftovers([tmp_path]) == Swept(0, 0)
        assert leftover.exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert sweep_leftovers([tmp_path]) == Swept(1, 4)
    assert list(tmp_path.iterdir()) == []


def test_what_another_host_writes_stays_for_a_week_even_where_its_locks_are_out_of_sight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "other.host")
    theirs = plant(partial_path(tmp_path / "one.csv"))
    monkeypatch.setattr("socket.gethostname", lambda: "this-host")
    own = plant(partial_path(tmp_path / "one.csv"))
    age(tmp_path, days=6, hours=23)
    assert sweep_leftovers([tmp_path]).count == 1
    assert theirs.exists()
    assert not own.exists()
    age(tmp_path, days=7, seconds=1)
    assert sweep_leftovers([tmp_path]).count == 1


def test_ages_are_by_the_clock_of_the_file_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    young = plant(partial_path(tmp_path / "one"))
    in_a_year = time.time() + 365 * 86400
    monkeypatch.setattr("time.time", lambda: in_a_year)
    assert sweep_leftovers([tmp_path]).count == 0
    assert young.exists()
    assert abs(server_time(tmp_path) - young.stat().st_mtime) < 60
    assert list(tmp_path.iterdir()) == [young]
