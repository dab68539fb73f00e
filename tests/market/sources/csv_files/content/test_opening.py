"""Only regular files in the allowed folder are opened, and only so much of them is read."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from roi_forecast.errors import SourceDataError, SourceUnavailableError
from roi_forecast.market.sources.csv_files.content import opening
from roi_forecast.market.sources.csv_files.content.opening import MIB, opened
from roi_forecast.market.sources.csv_files.content.packing import unpack
from roi_forecast.market.sources.csv_files.content.text import MAX_LINE, Text


def read(path: Path, allowed: Path, max_bytes: int = MIB) -> list[tuple[int, str]]:
    with opened(path, allowed, max_bytes) as file:
        lines: list[tuple[int, str]] = []
        for block in Text(unpack(file, str(path), max_bytes).content, str(path)).blocks():
            texts = block.content.decode().split("\n")
            assert texts.pop() == ""
            assert len(texts) == block.size
            lines += enumerate(texts, start=block.first)
        return lines


@pytest.mark.parametrize("content", [b"a\nb\n", b"a\r\nb\r\n", b"a\rb", b"\xef\xbb\xbfa\r\nb\n"])
def test_lines_are_the_same_whatever_their_ends_are_and_with_a_byte_order_mark(content, tmp_path):
    (tmp_path / "p.csv").write_bytes(content)
    (tmp_path / "p.gz").write_bytes(gzip.compress(content))
    for name in ("p.csv", "p.gz"):
        assert read(tmp_path / name, tmp_path) == [(1, "a"), (2, "b")]


def test_a_line_that_is_not_utf_8_is_read_as_windows_1252_and_no_other(tmp_path):
    (tmp_path / "p.csv").write_bytes(b"\xc3\xa4\nM\xfcller\nb\n")
    assert [line for _, line in read(tmp_path / "p.csv", tmp_path)] == ["ä", "Müller", "b"]


def test_a_link_that_stays_in_the_folder_is_followed(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "p.csv").write_text("a\n")
    (tmp_path / "l.csv").symlink_to("sub/p.csv")
    (tmp_path / "linked").symlink_to("sub")
    assert read(tmp_path / "l.csv", tmp_path) == read(tmp_path / "linked" / "p.csv", tmp_path)


KERNEL_FILES = ["/proc/self/environ", "/sys/kernel/notes", "/dev/null"]


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        *((target, allowed) for target in KERNEL_FILES for allowed in ("csv", "/")),
        ("/etc/passwd", "csv"),
        ("../secret", "csv"),
    ],
)
def test_a_link_that_leads_out_or_into_the_kernel_is_refused_without_a_word_of_what_is_there(
    target, allowed, tmp_path, monkeypatch
):
    monkeypatch.setenv("ROI_TEST_PASSWORD", "hunter2")
    (tmp_path / "secret").write_text("hunter2\n")
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "AAPL.csv").symlink_to(target)
    with pytest.raises(SourceDataError, match="leads") as refusal:
        read(tmp_path / "csv" / "AAPL.csv", tmp_path / allowed)
    assert "hunter2" not in str(refusal.value)


def test_the_environment_of_the_process_is_not_a_file_even_where_it_is_named_itself():
    with pytest.raises(SourceDataError, match="folder of the kernel"):
        read(Path("/proc/self/environ"), Path("/proc/self"))


def test_a_folder_that_becomes_a_link_after_it_was_looked_at_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "csv" / "sub").mkdir(parents=True)
    (tmp_path / "csv" / "sub" / "p.csv").write_text("sound\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "p.csv").write_text("hunter2\n")
    looked_at = os.path.realpath

    def exchanged(path, *, strict=False):
        found = looked_at(path, strict=strict)
        sub = tmp_path / "csv" / "sub"
        if found.endswith("p.csv") and not sub.is_symlink():
            sub.rename(tmp_path / "moved")
            sub.symlink_to(tmp_path / "secrets")
        return found

    monkeypatch.setattr(opening.os.path, "realpath", exchanged)
    with pytest.raises(SourceDataError, match="not a file that can be read"):
        read(tmp_path / "csv" / "sub" / "p.csv", tmp_path / "csv")


def test_a_file_that_becomes_a_fifo_after_it_was_looked_at_neither_blocks_nor_is_read(
    tmp_path, monkeypatch
):
    path = tmp_path / "p.csv"
    path.write_text("sound\n")
    looked_at = os.stat

    def exchanged(*arguments, **options):
        found = looked_at(*arguments, **options)
        if arguments[0] == "p.csv":
            path.unlink()
            os.mkfifo(path)
        return found

    monkeypatch.setattr(opening.os, "stat", exchanged)
    with pytest.raises(SourceDataError, match="a named pipe"):
        read(path, tmp_path)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("folder", "a folder; expected a regular file"),
        ("fifo", "a named pipe; expected a regular file"),
        ("socket", "a socket; expected a regular file"),
        ("dangling", "a link to nothing"),
        ("circle", "not a file that can be read"),
        ("itself", "leads out of"),
    ],
)
def test_anything_but_a_regular_file_is_rejected_at_once(kind, message, tmp_path, monkeypatch):
    path = tmp_path / "AAA.csv"
    server = socket.socket(socket.AF_UNIX)
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        monkeypatch.chdir(tmp_path)  # an address of a socket holds 107 characters
        server.bind("AAA.csv")
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "circle":
        path.symlink_to("AAA.csv")
    else:
        path.symlink_to(".")
    with server, pytest.raises(SourceDataError, match=message):
        read(path, tmp_path)


def test_a_missing_file_may_appear_later(tmp_path):
    with pytest.raises(SourceUnavailableError, match="no such file or folder"):
        read(tmp_path / "p.csv", tmp_path)


def test_more_than_the_allowed_bytes_are_refused_before_or_while_they_are_unpacked(tmp_path):
    content = b"0123456789abcde\n" * 4096
    (tmp_path / "p.csv").write_bytes(content)
    (tmp_path / "p.gz").write_bytes(gzip.compress(content))
    assert len(read(tmp_path / "p.csv", tmp_path, len(content))) == 4096
    for name in ("p.csv", "p.gz"):
        with pytest.raises(SourceDataError, match="ROI_CSV_FILE_MIB"):
            read(tmp_path / name, tmp_path, len(content) - 1)


def test_a_line_without_an_end_is_refused(tmp_path):
    (tmp_path / "p.csv").write_text("a\n" + "b" * (MAX_LINE + 1))
    with pytest.raises(SourceDataError, match="line 2: longer than"):
        read(tmp_path / "p.csv", tmp_path, 4 * MIB)


@pytest.mark.parametrize("cut", [1, 8, 30])
def test_half_a_gzip_file_is_refused(cut, tmp_path):
    (tmp_path / "p.gz").write_bytes(gzip.compress(os.urandom(100).hex().encode() + b"\n")[:-cut])
    with pytest.raises(SourceDataError, match="not a complete gzip file"):
        read(tmp_path / "p.gz", tmp_path)


_UNPACK = """
import resource, sys
from pathlib import Path
from roi_forecast.market.sources.csv_files import CsvSource
from roi_forecast.errors import SourceDataError
from roi_forecast.universe import load_universe
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
path = Path(sys.argv[1])
try:
    CsvSource("k", path).check_reachable(load_universe().asset("AAA"))
except SourceDataError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("unit", [b"\0", b"\n", b"AAA,2024-01-02,1,1,1,1,1,1\n"])
def test_a_small_gzip_file_that_unpacks_to_gigabytes_costs_little_memory(unit, tmp_path):
    path = tmp_path / "bomb.csv.gz"
    block = unit * (2**22 // len(unit))
    with gzip.open(path, "wb") as file:
        file.write(b"symbol,date,open,high,low,close,adj_close,volume\n")
        for _ in range(64):
            file.write(block)
    assert path.stat().st_size < MIB
    answer = subprocess.run(
        [sys.executable, "-c", _UNPACK, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    message, grown_kib = answer.stdout.strip().splitlines()
    assert "larger than the limit" in message or "longer than" in message
    assert int(grown_kib) < 64 * 1024
