"""The symbols of a run that names none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from roi_forecast.errors import ConfigError, SourceDataError
from roi_forecast.market.sources.csv_files import CsvSource
from roi_forecast.planning.own_symbols import ended, own_symbols

END = date(2024, 6, 28)


def file_of(path: Path, lasts: Mapping[str, str]) -> CsvSource:
    rows = ["symbol,date,close"]
    for symbol, last in lasts.items():
        days = pd.bdate_range(end=last, periods=20)
        rows += [f"{symbol},{day:%Y-%m-%d},{at + 1}" for at, day in enumerate(days)]
    path.write_text("\n".join(rows) + "\n")
    return CsvSource("csv:p", path)


def test_a_file_gives_its_symbols_in_its_order(tmp_path: Path) -> None:
    source = file_of(tmp_path / "p.csv", dict.fromkeys(("MSFT", "AAPL", "TCS.NS"), "2024-06-28"))
    assert own_symbols(source, END) == ("MSFT", "AAPL", "TCS.NS")


def test_symbols_that_ended_long_before_the_rest_are_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lasts = {"MSFT": "2024-06-28", "TWTR": "2022-10-27", "AAPL": "2024-06-03", "KO": "2024-06-28"}
    source = file_of(tmp_path / "p.csv", lasts)
    assert own_symbols(source, END) == ("MSFT", "AAPL", "KO")
    assert "1 of 4 symbols left out" in caplog.text
    assert "TWTR (2022-10-27)" in caplog.text


def test_rows_after_the_last_usable_date_end_nothing(tmp_path: Path) -> None:
    lasts = {"MSFT": "2024-06-28", "TWTR": "2022-10-27", "KO": "2024-06-28", "AAPL": "2022-10-27"}
    source = file_of(tmp_path / "p.csv", lasts | {"IBM": "2024-06-28"})
    with (tmp_path / "p.csv").open("a") as file:
        file.write("MSFT,2022-10-27,1\nKO,2022-10-27,1\nIBM,2022-10-27,1\n")
    assert own_symbols(source, date(2022, 10, 31)) == (*lasts, "IBM")


def test_where_most_ended_none_is_left_out() -> None:
    assert ended({"A": END, "B": date(2020, 1, 2), "C": date(2020, 1, 2)}) == {}
    assert ended({"A": END, "B": END, "C": date(2020, 1, 2)}) == {"C": date(2020, 1, 2)}
    assert ended({"A": END, "B": END, "C": date(2024, 5, 29)}) == {}
    assert ended({"A": END, "B": END, "C": date(2024, 5, 28)}) == {"C": date(2024, 5, 28)}
    assert ended({}) == {}


def test_a_symbol_with_faulty_rows_stays_so_that_its_fault_is_reported(tmp_path: Path) -> None:
    source = file_of(tmp_path / "p.csv", {"MSFT": "2024-06-28", "AAPL": "2024-06-28"})
    with (tmp_path / "p.csv").open("a") as file:
        file.write("KO,someday,1\nKO,2019-13-13,1\n")
    assert own_symbols(source, END) == ("MSFT", "AAPL", "KO")


def test_a_file_without_a_usable_symbol_says_why(tmp_path: Path) -> None:
    source = file_of(tmp_path / "p.csv", {"FOO.XX": "2024-06-28"})
    with pytest.raises(SourceDataError, match=r"no symbol of a known exchange.*FOO\.XX"):
        own_symbols(source, END)


def test_more_symbols_than_a_run_takes_are_refused_with_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roi_forecast.planning.own_symbols.MAX_SYMBOLS", 1)
    source = file_of(tmp_path / "p.csv", {"MSFT": "2024-06-28", "AAPL": "2024-06-28"})
    with pytest.raises(ConfigError, match="csv:p holds 2; name 1 to 1 of them"):
        own_symbols(source, END)
