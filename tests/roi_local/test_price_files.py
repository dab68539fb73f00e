"""What is printed of price files before a run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from roi_forecast.errors import SourceUnavailableError
from roi_local.errors import LocalError
from roi_local.price_files import print_price_files


def lines_of(symbol: str, periods: int, end: str = "2024-06-28") -> list[str]:
    days = pd.bdate_range(end=end, periods=periods)
    return [f"{symbol},{day:%Y-%m-%d},{100 + at / 8},10" for at, day in enumerate(days)]


def write(path: Path, *rows: str, header: str = "Symbol,Date,Close,Volume") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def printed(path: Path, **conf: Any) -> str:
    out = io.StringIO()
    print_price_files({"csv_path": str(path), **conf}, out)
    return out.getvalue()


def rows_of(text: str) -> dict[str, list[str]]:
    return {cells[0]: cells for line in text.splitlines() if (cells := line.split())}


def test_format_conventions_symbols_dates_and_gaps_are_printed(tmp_path: Path) -> None:
    rows = lines_of("MSFT", 20) + lines_of("AAPL", 10)[:4] + lines_of("AAPL", 10)[7:]
    text = printed(write(tmp_path / "p.csv", *rows))
    assert "p.csv: columns of its own (plain, UTF-8, comma)" in text
    assert "decimal point: '100.0' in line 2" in text
    assert "2 symbols, 2024-06-03 to 2024-06-28, 27 rows" in text
    assert rows_of(text)["MSFT"][1:5] == ["2024-06-03", "2024-06-28", "20", "0"]
    assert rows_of(text)["AAPL"][1:9] == [
        "2024-06-17", "2024-06-28", "7", "3,", "up", "to", "3", "in",
    ]  # fmt: skip
    assert "open, high, low, adj_close" in text


def test_faults_are_printed_with_their_line_before_symbols_without(tmp_path: Path) -> None:
    sound = [row for at in range(50) for row in lines_of(f"A{at}.NS", 2)]
    text = printed(
        write(tmp_path / "p.csv", *sound, *lines_of("TCS.NS", 2), "TCS.NS,2024-07-01,x,1")
    )
    assert "p.csv, line 104: close is 'x'" in line_of(text, "TCS.NS is not usable: ")
    assert rows_of(text)["TCS.NS"]
    assert "and 11 more" in text


def line_of(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(start))


def test_a_symbol_of_no_exchange_is_printed_with_the_reason(tmp_path: Path) -> None:
    text = printed(write(tmp_path / "p.csv", *lines_of("AAPL", 3), *lines_of("FOO.XX", 3)))
    assert "is not declared" in line_of(text, "Left out: symbol 'FOO.XX'")
    assert "1 symbol, " in text


def test_a_file_of_which_no_symbol_is_sound_is_an_error_with_the_fault(tmp_path: Path) -> None:
    hours = [f"AAPL,2024-06-{day:02d} {hour}:00,{hour}.5,1" for day in (3, 4) for hour in (10, 11)]
    with pytest.raises(LocalError, match=r"line 3: two different bars .*build daily bars"):
        printed(write(tmp_path / "p.csv", *hours))


def test_symbols_that_a_run_leaves_out_are_named_unless_symbols_are_given(tmp_path: Path) -> None:
    rows = lines_of("AAPL", 9) + lines_of("MSFT", 9) + lines_of("TWTR", 9, "2022-10-27")
    path = write(tmp_path / "p.csv", *rows)
    assert "leaves out what ended over 30 days before the rest: TWTR (2022-10-27)" in printed(path)
    assert "leaves out" not in printed(path, symbols=["AAPL", "TWTR"])


def test_symbols_asked_for_that_are_not_there_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", *lines_of("AAPL", 3))
    assert "Asked for, but not in the file: MSFT" in printed(path, symbols=["AAPL", "MSFT"])
    with pytest.raises(LocalError, match=r"received MSFT; none of them.*which has AAPL"):
        printed(path, symbols=["MSFT"])


def test_the_parameters_of_files_count(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", "TCS,03/02/2024,1.5,1", "TCS,04/02/2024,1.5,1")
    with pytest.raises(LocalError, match="csv_dates"):
        printed(path, csv_suffix=".NS")
    text = printed(path, csv_suffix=".NS", csv_dates="day_first")
    assert rows_of(text)["TCS.NS"][1:3] == ["2024-02-03", "2024-02-04"]
    assert "day first: csv_dates says so" in text


def test_each_file_of_a_folder_is_printed_and_a_faulty_one_stops_nothing(tmp_path: Path) -> None:
    write(tmp_path / "AAPL.csv", "2024-06-03,1.5", header="Date,Close")
    (tmp_path / "notes.txt").write_text("Prices of one stock.")
    text = printed(tmp_path)
    assert "AAPL.csv: columns of its own" in text
    assert "notes.txt: not understood" in text
    assert "Not usable:" in text


def test_of_many_files_the_faulty_ones_and_a_total_are_printed(tmp_path: Path) -> None:
    for at in range(30):
        write(tmp_path / f"A{at:02d}.NS.csv", "2024-06-03,1.5", "2024-06-04,2", header="Date,Close")
    write(tmp_path / "ZZ.NS.csv", "2024-06-03,x", header="Date,Close")
    text = printed(tmp_path)
    assert "A08.NS.csv: " in text
    assert "A09.NS.csv: " not in text
    assert "ZZ.NS.csv, line 2: close is 'x'" in text
    assert "And 21 files like these\n  21 symbols, 2024-06-03 to 2024-06-04, 42 rows" in text


def test_nothing_usable_is_an_error_with_the_first_reason(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="Return"):
        printed(write(tmp_path / "AAPL.csv", "2024-06-03,1.5", header="Date,Return"))
    with pytest.raises(LocalError, match=r"FOO\.XX"):
        printed(write(tmp_path / "p.csv", *lines_of("FOO.XX", 3)))
    with pytest.raises(SourceUnavailableError, match="no such file"):
        printed(tmp_path / "missing.csv")
