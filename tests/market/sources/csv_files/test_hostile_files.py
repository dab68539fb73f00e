"""Files that mean harm, or were harmed, cost one clear error and bounded memory and time."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from market.sources.csv_files.test_formats import fetch
from roi_forecast.errors import SourceError
from roi_forecast.market.sources.csv_files import understand

HEADER = b"symbol,date,open,high,low,close,adj_close,volume\n"
ROW = b"AAPL,2024-01-02,1,3,0.5,2,1.5,100\n"

READ = {
    "unbalanced quotes of others": HEADER + b'"TCS,2024-01-02,1,1,1,1,1,1\n' * 999 + ROW,
    "quotes in quotes": HEADER + b'TCS,"a""b",1,1,1,1,1,1\n' * 999 + b'"AAPL",' + ROW[5:],
    "a quote that spans lines": HEADER + b'TCS,"2024\n-01-02",1,1,1,1,1,1\n' + ROW,
    "NUL bytes in another line": HEADER + b"TCS\0,\0\0,1,1,1,1,1,1\n" + ROW,
    "a symbol of a million letters": HEADER + b"A" * 2**19 + b",2024-01-02,1,1,1,1,1,1\n" + ROW,
    "a million blank lines": HEADER + b"\n" * 10**6 + ROW,
    "many symbols": HEADER + b"".join(b"S%d,2024-01-02,1,1,1,1,1,1\n" % n for n in range(19_999))
    + ROW,
    "many dates": HEADER + b"".join(b"S,%d,1,1,1,1,1,1\n" % n for n in range(10**9, 10**9 + 99_999))
    + ROW,
    "many headers": HEADER * 9999 + ROW,
    "many short lines": HEADER + b"a\n" * 10**5 + ROW,
}  # fmt: skip
REFUSED = {
    "a million columns": b"," * (2**20 - 2) + b"\n" + ROW,
    "a million named columns": b"date,close" + b",a" * 500_000 + b"\n" + ROW,
    "a line without an end": HEADER + b"A" * 2**21,
    "NUL bytes": b"\0" * 10**6,
    "NUL bytes in a value": HEADER + b"AAPL,2024-01-02,1,3,0.5,2\0,1.5,100\n",
    "unbalanced quotes": HEADER + b'AAPL,"2024-01-02,1,1,1,1,1,1\n' * 999,
    "a quote in the header": b'symbol,date,"close\n' + ROW,
    "a value of a million digits": HEADER + b"AAPL,2024-01-02," + b"1" * 2**19 + b",1,1,1,1,1\n",
    "many notes": b"a note\n" * 10**5 + HEADER + ROW,
    "many wrong numbers": HEADER + b"AAPL,2024-01-02,x,y,z,a,b,c\n" * 10**5,
}


@pytest.fixture(scope="module")
def usual_seconds(tmp_path_factory):
    """Processor seconds that a sound file of as many lines takes."""
    path = tmp_path_factory.mktemp("sound") / "p.csv"
    lines = (b"S%d,2024-01-02,1,1,1,1,1,1\n" % (number % 1000) for number in range(10**5))
    path.write_bytes(HEADER + b"".join(lines) + ROW)
    began = time.process_time()
    fetch(path, "AAPL")
    return time.process_time() - began


@pytest.mark.parametrize("kind", READ)
def test_lines_of_others_cost_little_however_they_are_harmed(kind, usual_seconds, tmp_path):
    (tmp_path / "p.csv").write_bytes(READ[kind])
    began = time.process_time()
    assert fetch(tmp_path / "p.csv", "AAPL").bars["adj_close"].tolist() == [1.5]
    assert time.process_time() - began < 100 * usual_seconds


@pytest.mark.parametrize("kind", REFUSED)
def test_a_harmed_file_is_refused_in_few_words_and_in_time(kind, usual_seconds, tmp_path):
    (tmp_path / "p.csv").write_bytes(REFUSED[kind])
    began = time.process_time()
    with pytest.raises(SourceError) as refusal:
        fetch(tmp_path / "p.csv", "AAPL")
    assert time.process_time() - began < 100 * usual_seconds
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 1200


@pytest.mark.parametrize("kind", [*READ, *REFUSED])
def test_people_are_told_of_every_file_without_an_error_of_the_program(kind, tmp_path):
    (tmp_path / "p.csv").write_bytes((READ | REFUSED)[kind])
    [contents] = understand(tmp_path / "p.csv")
    assert contents.name == "p.csv"


_READ = """
import resource, sys
from pathlib import Path
from roi_forecast.market.sources.csv_files import CsvSource
from roi_forecast.universe import load_universe
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
CsvSource("k", Path(sys.argv[1])).check_reachable(load_universe().asset("AAPL"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("unit", [b"a\n", b"TCS,2024-01-02,1,1,1,1,1,1\n", ROW, b'"a\n'])
def test_a_large_file_of_what_is_not_wanted_costs_little_memory(unit, tmp_path: Path):
    path = tmp_path / "p.csv"
    path.write_bytes(HEADER + unit * (20 * 2**20 // max(len(unit), 20)))
    answer = subprocess.run(
        [sys.executable, "-c", _READ, str(path)], capture_output=True, text=True, check=True
    )
    assert int(answer.stdout.splitlines()[-1]) < 150 * 1024
