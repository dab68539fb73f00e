"""What people are told of a file before a run, and whose bars it holds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from roi_forecast.config import RunConfig
from roi_forecast.errors import SourceDataError, SourceUnavailableError
from roi_forecast.market.sources.csv_files import (
    Conventions,
    CsvSource,
    FileContents,
    SymbolContents,
    open_source,
    understand,
)
from roi_forecast.settings import Settings
from roi_forecast.universe import load_universe

HEADER = "symbol,date,close,volume"


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_file_is_described_by_symbol(tmp_path):
    path = write(
        tmp_path / "p.csv",
        "Prices of June",
        HEADER,
        "msft,2024-06-03,1.5,1",
        "msft,2024-06-04,1.5,1",
        "AAPL,2024-06-03,2.5,1",
        "AAPL,2024-06-12,2.5,1",
        "AAPL,2024-06-14,many,1",
        HEADER,
        "FOO.XX,2024-06-14,1.5,1",
        "AAPL,2024-06-17,1,501.5,1",
        "Total,,12.5,5",
    )
    shifted = (
        f"{path}, line 10: 5 fields under 4 names; write numbers without thousands separators or "
        "in quotes, and one field for each column (1 such line of AAPL)"
    )
    word = (
        f"{path}, line 7: close is 'many'; expected a number with a decimal point, or nothing (1 "
        "such line of AAPL)"
    )
    missing = ("open", "high", "low", "adj_close")
    days = date(2024, 6, 3), date(2024, 6, 14)
    [contents] = understand(path)
    refused = contents.symbols[2].refused
    assert contents == FileContents(
        name="p.csv",
        error=None,
        format="columns of its own",
        packing="plain",
        encoding="UTF-8",
        separator="comma",
        conventions=("decimal point: '1.5' in line 3",),
        symbols=(
            SymbolContents("MSFT", days[0], date(2024, 6, 4), 2, missing),
            # From the 4th to the 11th and on the 13th it lacks six weekdays and one.
            SymbolContents("AAPL", *days, 3, missing, 7, 6, (shifted, word)),
            SymbolContents("FOO.XX", days[1], days[1], 1, missing, refused=refused),
        ),
        notes=(
            "lines before the header skipped: 1",
            "repeated headers skipped: 1",
            "rows of dividends, splits or remarks skipped: 1",
        ),
    )
    assert refused is not None
    assert "FOO.XX" in refused


def test_the_symbols_of_a_run_are_those_that_an_exchange_takes_in_their_order(tmp_path, caplog):
    path = write(
        tmp_path / "p.csv",
        HEADER,
        "TCS.NS,2024-06-03,1.5,1",
        "NA,2024-06-03,1.5,1",
        "no symbol,2024-06-03,1.5,1",
        "AAPL,2024-06-03,1.5,1",
        "TCS.NS,2024-06-04,1.5,1",
        "FOO.XX,2024-06-04,1.5,1",
        "Total,,9,6",
    )
    assert CsvSource("k", path).symbols() == ("TCS.NS", "NA", "AAPL")
    assert "'NO SYMBOL'" in caplog.text
    assert "FOO.XX" in caplog.text


def test_the_symbols_of_a_folder_are_those_of_its_files(tmp_path, caplog):
    write(tmp_path / "AAPL.csv", "date,close", "2024-06-03,1.5")
    write(tmp_path / "README.txt", "Prices of one stock.")
    write(tmp_path / "others.csv", HEADER, "TCS.NS,2024-06-03,1.5,1")
    assert CsvSource("k", tmp_path).symbols() == ("AAPL", "TCS.NS")
    assert "README.txt" in caplog.text
    contents = understand(tmp_path)
    assert [found.name for found in contents] == ["AAPL.csv", "README.txt", "others.csv"]
    assert [found.error is None for found in contents] == [True, False, True]


def test_a_file_without_any_symbol_of_an_exchange_says_why(tmp_path):
    path = write(tmp_path / "p.csv", HEADER, "FOO.XX,2024-06-03,1.5,1")
    with pytest.raises(SourceDataError, match=r"no symbol of a known exchange.*FOO\.XX"):
        CsvSource("k", path).symbols()
    path = write(tmp_path / "p.csv", HEADER)
    with pytest.raises(SourceDataError, match="no rows"):
        CsvSource("k", path).symbols()
    assert "a header but no rows" in str(understand(path)[0].error)


def test_a_path_that_is_not_there_is_an_error_and_no_contents(tmp_path):
    for ask in (understand, lambda path: CsvSource("k", path).symbols()):
        with pytest.raises(SourceUnavailableError, match="no such file"):
            ask(tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("written", "symbol"),
    [
        ("RELIANCE", "RELIANCE.NS"),
        ("reliance", "RELIANCE.NS"),
        ("M&M", "M&M.NS"),
        ("TCS.NS", "TCS.NS"),
        ("NSE:RELIANCE", "RELIANCE.NS"),
        ("NASDAQ:AAPL", "AAPL"),
        ("RCI.B", "RCI-B.NS"),
        ("BTCINR", "BTCINR.NS"),
        ("GC=F", "GC=F"),
        ("^NSEI", "^NSEI"),
    ],
)
def test_a_suffix_completes_symbols_that_have_none(written, symbol, tmp_path):
    path = write(tmp_path / "p.csv", HEADER, f"{written},2024-06-03,1.5,1")
    [contents] = understand(path, Conventions(suffix=".NS"))
    assert [own.symbol for own in contents.symbols] == [symbol]


@pytest.mark.parametrize(
    ("written", "symbol"),
    [
        ("BRK.B", "BRK-B"),
        ("BRK/B", "BRK-B"),
        ("brk-b", "BRK-B"),
        ("BF B", "BF-B"),
        ("RR.L", "RR.L"),
        ("EURUSD", "EURUSD=X"),
        ("EUR/USD", "EURUSD=X"),
        ("BTC/USDT", "BTC-USD"),
        ("AAPL.US", "AAPL"),
        ("5.HK", "0005.HK"),
    ],
)
def test_what_another_vendor_writes_is_taken_for_what_yahoo_writes(
    written: str, symbol: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "p.csv", HEADER, f"{written},2024-06-03,1.5,1")
    assert CsvSource("k", path).symbols() == (symbol,)


def test_the_parameters_of_a_run_settle_what_a_file_leaves_open(
    tmp_path: Path, settings: Settings
) -> None:
    write(tmp_path / "p.csv", "symbol;date;close", "RELIANCE;01/02/2024;1,234")
    config = RunConfig(
        source="csv",
        csv_path=str(tmp_path / "p.csv"),
        symbols=["RELIANCE.NS"],
        csv_dates="month_first",
        csv_decimal="comma",
        csv_suffix=".NS",
    )
    source = open_source(config, settings, ())
    asset = load_universe().asset("RELIANCE.NS")
    bars = source.fetch(asset, date(2024, 1, 1), date(2024, 12, 31)).bars
    assert bars[["trading_date", "close"]].astype(str).to_numpy().tolist() == [
        ["2024-01-02", "1.234"]
    ]


def test_a_file_of_a_folder_is_found_by_the_symbol_that_its_name_stands_for(tmp_path):
    write(tmp_path / "NSE_RELIANCE, 1D.csv", "time,open,high,low,close", "1704167100,1,3,1,2.5")
    write(tmp_path / "TCS (1).csv", "date,close", "2024-01-02,3.5")
    write(tmp_path / "broken.csv", "date,close", "x,y")
    source = CsvSource("k", tmp_path, conventions=Conventions(suffix=".NS"))
    for symbol, close in (("RELIANCE.NS", 2.5), ("TCS.NS", 3.5)):
        asset = load_universe().asset(symbol)
        bars = source.fetch(asset, date(2024, 1, 1), date(2024, 12, 31)).bars
        assert bars["close"].tolist() == [close]


def test_a_file_of_which_no_line_can_be_divided_names_the_first(tmp_path):
    path = write(tmp_path / "p.csv", HEADER, "AAPL,2024-06-03,1,501.5,1", "AAPL,2024-06-04,1,499,2")
    expected = r"p\.csv, line 2: 5 fields under 4 names.*\(2 such lines\)"
    (contents,) = understand(path)
    assert contents.error is not None
    with pytest.raises(SourceDataError, match=expected):
        raise SourceDataError(contents.error)
    with pytest.raises(SourceDataError, match=expected):
        CsvSource("csv:p", path).symbols()


def test_the_symbols_of_a_file_are_read_once(tmp_path):
    path = write(tmp_path / "p.csv", HEADER, "AAPL,2024-06-03,1.5,1")
    source = CsvSource("csv:p", path)
    assert source.symbols() == ("AAPL",)
    path.unlink()
    assert source.symbols() == ("AAPL",)
