from __future__ import annotations

import gzip
import os
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roi_forecast.errors import SourceDataError, SourceError, SourceUnavailableError
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.sources.csv_files import CsvSource
from roi_forecast.market.sources.csv_files.contents import understand
from roi_forecast.market.sources.source import NoPricesError, UnknownSymbolError
from roi_forecast.universe import load_universe

RELIANCE = load_universe().asset("RELIANCE.NS")
GOLD = load_universe().asset("GC=F")
START, END = date(2024, 1, 1), date(2024, 12, 31)

HEADER = "symbol,date,open,high,low,close,adj_close,volume"
ROWS = [
    "RELIANCE.NS,2024-01-02,10,12,9,11,10.5,100",
    "RELIANCE.NS,2024-01-03,11,13,10,12,11.5,200",
    "GC=F,2024-01-02,2000,2010,1990,2005,2005,0",
]


def write(path: Path, *lines: str) -> CsvSource:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return CsvSource("csv:prices", path)


def test_fetch_reads_the_long_layout(tmp_path):
    source = write(tmp_path / "prices.csv", HEADER, *ROWS)
    bars = source.fetch(RELIANCE, START, END).bars
    assert bars.to_dict("list") == {
        "trading_date": [pd.Timestamp("2024-01-02"), pd.Timestamp("2024-01-03")],
        "open": [10.0, 11.0],
        "high": [12.0, 13.0],
        "low": [9.0, 10.0],
        "close": [11.0, 12.0],
        "adj_close": [10.5, 11.5],
        "volume": [100, 200],
    }
    assert source.last_trading_date([RELIANCE], END) == date(2024, 1, 3)


def test_what_is_empty_in_all_rows_of_an_asset_is_missing_for_that_asset_alone(tmp_path):
    source = write(
        tmp_path / "prices.csv",
        HEADER,
        *ROWS[:2],
        "GC=F,2024-01-02,,2010,1990,2005,,0",
        "GC=F,2024-01-03,,2020,1990,2015,,0",
        "TCS.NS,2024-01-02,,12,9,11,10.5,100",
        "TCS.NS,2024-01-03,11,13,10,12,,200",
    )
    gold = source.fetch(GOLD, START, END)
    assert gold.missing == ("open", "adj_close")
    assert gold.bars["adj_close"].tolist() == [2005.0, 2015.0]
    assert source.fetch(RELIANCE, START, END).missing == ()
    (contents,) = understand(tmp_path / "prices.csv")
    assert [each.missing for each in contents.symbols] == [(), ("open", "adj_close"), ()]
    # A single empty value is a bar without it, on a range of dates without others, too.
    partly = source.fetch(load_universe().asset("TCS.NS"), START, date(2024, 1, 2))
    assert partly.missing == ()
    assert np.isnan(partly.bars["open"]).all()


def test_fetch_reads_gzip_whatever_the_file_is_called(tmp_path):
    plain = write(tmp_path / "prices.csv", HEADER, *ROWS)
    packed = tmp_path / "packed.dat"
    packed.write_bytes(gzip.compress((tmp_path / "prices.csv").read_bytes()))
    expected = plain.fetch(RELIANCE, START, END).bars
    pd.testing.assert_frame_equal(CsvSource("k", packed).fetch(RELIANCE, START, END).bars, expected)


@pytest.mark.parametrize(
    "header",
    [
        "Date,Open,High,Low,Close,Adj Close,Volume",  # Yahoo's download
        ",open,high,low,close,adj_close,volume",  # pandas' to_csv of an indexed frame
        "timestamp;Open;High;Low;Close;AdjClose;Volume",
        "\ufeffDate,Open,High,Low,Close,Adj_Close,Volume",
    ],
)
def test_fetch_reads_a_folder_with_one_file_per_symbol(header, tmp_path):
    separator = ";" if ";" in header else ","
    lines = [row.split(",", 1)[1].replace(",", separator) for row in ROWS[:2]]
    write(tmp_path / "RELIANCE.NS.csv", header, *lines)
    write(tmp_path / "prices.csv", HEADER, ROWS[2])
    source = CsvSource("csv:folder", tmp_path)
    assert source.fetch(RELIANCE, START, END).bars["adj_close"].tolist() == [10.5, 11.5]
    assert source.fetch(GOLD, START, END).bars["close"].tolist() == [2005.0]


@pytest.mark.parametrize(
    ("written", "symbol", "expected"),
    [
        ("2024-01-03", "RELIANCE.NS", date(2024, 1, 3)),
        ("2024-01-03 00:00:00", "RELIANCE.NS", date(2024, 1, 3)),
        ("2024-01-03 00:00:00+05:30", "RELIANCE.NS", date(2024, 1, 3)),
        ("2024-01-03T00:00:00Z", "GC=F", date(2024, 1, 3)),
        ("2024-01-02T18:30:00Z", "RELIANCE.NS", date(2024, 1, 3)),
        ("2024-01-03 05:00:00+00:00", "GC=F", date(2024, 1, 3)),
        ("2024-01-03 09:15:00", "RELIANCE.NS", date(2024, 1, 3)),
    ],
)
def test_fetch_takes_the_exchanges_date(written, symbol, expected, tmp_path):
    source = write(tmp_path / "p.csv", HEADER, f"{symbol},{written},1,1,1,1,1,0")
    bars = source.fetch(load_universe().asset(symbol), START, END).bars
    assert [day.date() for day in bars["trading_date"]] == [expected]


def test_fetch_keeps_a_missing_price_as_missing_and_skips_blank_lines(tmp_path):
    source = write(tmp_path / "p.csv", HEADER, ROWS[0], "", "RELIANCE.NS,2024-01-03,1,1,1,,1,")
    bars = source.fetch(RELIANCE, START, END).bars
    assert bars["close"].isna().tolist() == [False, True]
    assert bars["volume"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEADER, ROWS[0], "RELIANCE.NS,2024-01-03,1,1,1,abc,1,0"], "line 3: close is 'abc'"),
        ([HEADER, "", "RELIANCE.NS,03/01/2024,1,1,1,1,1,0"], "line 3: date is '03/01/2024'"),
        ([HEADER, "RELIANCE.NS,2024-02-30,1,1,1,1,1,0"], "line 2: date is '2024-02-30'"),
        ([HEADER, ROWS[0], ROWS[0].replace(",11,", ",19,")], "two different bars"),
        (["symbol,date,open,high,low,adjusted_by_me,volume", "x"], "line 1: .*close are missing"),
        ([HEADER, ROWS[0], ROWS[0] + ",9,9"], "line 3: 10 fields under 8 names"),
        ([HEADER], "a header but no rows"),
        ([""], "not a table"),
        (["Prices of three stocks.", "Source: example.org"], "line 1: not a table of prices"),
        ([HEADER, ROWS[0], "RELIANCE.NS,2024-01-03,1,1"], "line 3: 4 fields under 8 names"),
        ([HEADER, 'RELIANCE.NS,2024-01-03,"1,501",1,1,1,1,0'], "line 2: open is '1,501'.*csv_dec"),
        ([HEADER, 'RELIANCE.NS,2024-01-03,"1,1,1,1,1,0', ROWS[0]], "line 2: a stray quote"),
        ([HEADER, 'RELIANCE.NS,2024-01-03,1,1,1,1,1,"0', '"'], "line 2: a stray quote"),
        ([HEADER, 'RELIANCE.NS,"2024-01-03"x,1,1,1,1,1,0'], "line 2: a stray quote"),
        ([HEADER, ROWS[0], "symbol,date,close,open,high,low,adj_close,volume"], "line 3: a second"),
        ([HEADER, "RELIANCE.NS,0000-01-01,1,1,1,1,1,0"], "line 2: date is '0000-01-01'"),
        ([HEADER, "RELIANCE.NS,0001-01-01,1,1,1,1,1,0"], "line 2: date is '0001-01-01'"),
        ([HEADER, "RELIANCE.NS,2199-01-01,1,1,1,1,1,0"], "date is '2199-01-01'; expected .* to 20"),
        ([HEADER, "RELIANCE.NS,9999-12-31T23:00-14:00,1,1,1,1,1,0"], "line 2: date is '9999"),
        ([HEADER, "RELIANCE.NS,2024-01-03T25:00Z,1,1,1,1,1,0"], "line 2: date is '2024-01-03T25"),
        ([HEADER, "RELIANCE.NS,2024-01-03,1,1,1,1_0,1,0"], "line 2: close is '1_0'"),
        ([HEADER, "RELIANCE.NS,2024-01-03,1,1,1,True,1,0"], "line 2: close is 'True'"),
        ([HEADER, "RELIANCE.NS,2024-01-03,1,1,1,1\x00,1,0"], r"line 2: close is '1\\x00'"),
        ([HEADER, f"RELIANCE.NS,2024-01-03,1,1,1,{'1' * 1000},1,0"], "line 2: a field of more"),
        ([HEADER + ",", ROWS[0] + ",7"], "line 2: a value in a column that has no name"),
        ([HEADER + ",Ticker", ROWS[0] + ",X"], "line 1: .*'symbol' and 'Ticker' both mean symbol"),
        ([HEADER + ",CLOSE ", ROWS[0] + ",1"], "line 1: .*'close' and 'CLOSE ' both mean close"),
        ([HEADER + ",Date", ROWS[0] + ",1"], "line 1: .*'date' and 'Date' both mean date"),
    ],
)
def test_fetch_names_file_line_and_what_was_expected(lines, message, tmp_path):
    source = write(tmp_path / "p.csv", *lines)
    with pytest.raises(SourceDataError, match=f"(?is){message}"):
        source.fetch(RELIANCE, START, END)


def test_fetch_of_a_sound_symbol_does_not_mind_a_wrong_line_of_another(tmp_path):
    source = write(tmp_path / "p.csv", HEADER, *ROWS, "GC=F,2024-01-03,1,1,1,abc,1,0")
    assert len(source.fetch(RELIANCE, START, END).bars) == 2
    with pytest.raises(SourceDataError, match="line 5: close is 'abc'"):
        source.fetch(GOLD, START, END)


@pytest.mark.parametrize(
    "line",
    [
        "Total,,,,,,,813",
        "Total",
        HEADER,
        ",,,,,,,",
        "# source: example.org, 2024",
        '"TCS.NS,2024-01-03,1,1,1,1,1,0',
        "TCS.NS,2024-01-03,1,501.51,1,1,1,1,0",
        "TCS.NS,2099-01-01,1,1,1,1,1,0",
        "TCS.NS,yesterday,many,1,1,1,1,0",
        "TCS.NS\x00,2024-01-03,1,1,1,1,1,0",
        ",2024-01-03,1,1,1,1,1,0",
        "x" * 100_000,
    ],
)
def test_a_line_of_a_symbol_that_nobody_asked_for_costs_nothing(line, tmp_path):
    alone = write(tmp_path / "alone.csv", HEADER, *ROWS)
    source = write(tmp_path / "p.csv", HEADER, ROWS[0], line, *ROWS[1:])
    for asset in (RELIANCE, GOLD):
        expected = alone.fetch(asset, START, END).bars
        pd.testing.assert_frame_equal(source.fetch(asset, START, END).bars, expected)
    assert source.last_trading_date([RELIANCE, GOLD], END) == date(2024, 1, 3)


def test_a_shifted_line_costs_the_asset_it_names_in_any_column(tmp_path):
    header = "date,open,high,low,close,adj_close,volume,symbol"
    lines = [f"{row.split(',', 1)[1]},{row.split(',', 1)[0]}" for row in ROWS]
    shifted = "2024-01-04,1,501.51,1,1,1,1,0,RELIANCE.NS"
    source = write(tmp_path / "p.csv", header, *lines, shifted)
    assert len(source.fetch(GOLD, START, END).bars) == 1
    with pytest.raises(SourceDataError, match="line 5: 9 fields under 8 names"):
        source.fetch(RELIANCE, START, END)


@pytest.mark.parametrize("symbol", ["NA", "NULL", "NAN", "NONE", "TRUE", "INF", "LOW", "DATE", "1"])
def test_a_symbol_is_what_is_written(symbol, tmp_path):
    asset = load_universe().asset(symbol)
    source = write(tmp_path / "p.csv", HEADER, *ROWS, f"{symbol},2024-01-02,1,1,1,1,1,7")
    assert source.fetch(asset, START, END).bars["volume"].tolist() == [7]
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / f"{symbol}.csv", HEADER.partition(",")[2], "2024-01-02,1,1,1,1,1,8")
    assert CsvSource("k", folder).fetch(asset, START, END).bars["volume"].tolist() == [8]


def test_prices_and_volumes_that_cannot_be_are_left_to_the_checks(tmp_path):
    row = "RELIANCE.NS,2024-01-02,inf,-1,0,1e300,1e400,-Infinity"
    bars = write(tmp_path / "p.csv", HEADER, row).fetch(RELIANCE, START, END).bars
    assert bars.iloc[0, 1:].tolist() == [np.inf, -1, 0, 1e300, np.inf, -np.inf]


@pytest.mark.parametrize("written", ["", "NaN", "null", "None", "N/A", "#N/A"])
def test_a_number_may_be_written_as_missing(written, tmp_path):
    row = f"RELIANCE.NS,2024-01-02,1,1,1,{written},1,{written}"
    bars = write(tmp_path / "p.csv", HEADER, row).fetch(RELIANCE, START, END).bars
    assert bars[["close", "volume"]].isna().all(axis=None)


def test_row_numbers_that_pandas_writes_are_no_dates(tmp_path):
    frame = pd.DataFrame([row.split(",") for row in ROWS], columns=HEADER.split(","))
    frame.to_csv(tmp_path / "p.csv")
    frame.reset_index(names="Unnamed: 0").to_csv(tmp_path / "q.csv", index=False)
    for name in ("p.csv", "q.csv"):
        bars = CsvSource("k", tmp_path / name).fetch(RELIANCE, START, END).bars
        assert bars["adj_close"].tolist() == [10.5, 11.5]


@pytest.mark.parametrize("first", ["Price", "Ticker"])
def test_the_three_headers_of_yfinance_are_read_for_every_symbol_in_them(first, tmp_path):
    columns = ["Adj Close", "Close", "High", "Low", "Open", "Volume"]
    index = pd.MultiIndex.from_product([columns, ["GC=F", "TCS.NS"]], names=["Price", "Ticker"])
    days = pd.DatetimeIndex(["2024-01-02", "2024-01-03"], name="Date")
    values = np.arange(24.0).reshape(2, 12)
    values[1, ::2] = np.nan  # gold was not traded on the second day
    frame = pd.DataFrame(values, days, index)
    if first == "Ticker":
        frame = frame.swaplevel(axis=1)
    frame.to_csv(tmp_path / "p.csv")
    source = CsvSource("k", tmp_path / "p.csv")
    gold = source.fetch(GOLD, START, END).bars
    assert gold.to_numpy()[:, 1:].tolist() == [[8, 4, 6, 2, 0, 10]]
    tata = source.fetch(load_universe().asset("TCS.NS"), START, END).bars
    assert tata["open"].tolist() == [9, 21]
    with pytest.raises(UnknownSymbolError, match=r"it has GC=F, TCS\.NS"):
        source.fetch(RELIANCE, START, END)


@pytest.mark.parametrize(
    "lines",
    [
        ["Price,Close", "Ticker,GC=F"],
        ["Price,Close", "Ticker,GC=F", "2024-01-02,1"],
        ["Price,Close,Volume", "Ticker,GC=F", "Date,,"],
        ["Price,Close,close", "Ticker,GC=F,GC=F", "Date,,"],
        ["Price,Open,Volume", "Ticker,GC=F,GC=F", "Date,,"],
        ['Price,Close,"Volume', "Ticker,GC=F,GC=F", "Date,,"],
    ],
)
def test_half_of_the_three_headers_is_refused_with_the_file(lines, tmp_path):
    source = write(tmp_path / "p.csv", *lines)
    with pytest.raises(SourceDataError, match=r"p\.csv, line(s 1 to 3, columns of| [123])"):
        source.fetch(GOLD, START, END)


def test_fetch_says_which_symbols_there_are(tmp_path):
    source = write(tmp_path / "p.csv", HEADER, *ROWS)
    with pytest.raises(UnknownSymbolError, match=r"TCS\.NS: .*it has GC=F, RELIANCE\.NS"):
        source.fetch(load_universe().asset("TCS.NS"), START, END)
    with pytest.raises(NoPricesError, match="no bars from 2019"):
        source.fetch(RELIANCE, date(2019, 1, 1), date(2019, 12, 31))


def test_check_reachable_names_a_path_that_is_not_there(tmp_path):
    with pytest.raises(SourceUnavailableError, match=r"nowhere\.csv: no such file or folder"):
        CsvSource("k", tmp_path / "nowhere.csv").check_reachable(RELIANCE)


def test_check_reachable_refuses_half_a_gzip_file(tmp_path):
    content = gzip.compress("\n".join([HEADER, *ROWS]).encode())
    (tmp_path / "p.csv.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceDataError, match="not a complete gzip file"):
        CsvSource("k", tmp_path / "p.csv.gz").check_reachable(RELIANCE)


def test_fetch_reads_of_a_folder_only_the_file_that_is_named_after_the_asset(tmp_path):
    write(tmp_path / "RELIANCE.NS.csv", HEADER, *ROWS[:2])
    write(tmp_path / "TCS.NS.csv", HEADER, "TCS.NS,yesterday,1,1,1,1,1,0", "too,few,columns")
    (tmp_path / "broken.csv.gz").write_bytes(b"\x1f\x8bnothing")
    source = CsvSource("csv:folder", tmp_path)
    assert len(source.fetch(RELIANCE, START, END).bars) == 2
    with pytest.raises(SourceDataError, match="broken"):
        source.fetch(GOLD, START, END)


STRAYS = [
    "readme",
    "hidden",
    "empty",
    "broken",
    "huge",
    "folder",
    "fifo",
    "device",
    "dangling",
    "link",
    "binary",
    "name",
    "unfinished",
]


@pytest.fixture(params=STRAYS)
def folder_with_stray(request, tmp_path):
    """A folder of RELIANCE.NS and a shared file with gold, and one thing that does not belong."""
    folder = tmp_path / "folder"
    folder.mkdir()
    plain = HEADER.partition(",")[2]
    write(folder / "RELIANCE.NS.csv", plain, *(row.partition(",")[2] for row in ROWS[:2]))
    write(folder / "zz_others.csv", HEADER, ROWS[2])
    stray = folder / "TCS.NS.csv"
    whole = "\n".join([HEADER, *(f"TCS.NS,2024-{m:02d}-01,1,1,1,1,1,1" for m in range(1, 13))])
    match request.param:
        case "readme":
            (folder / "README.txt").write_text("Prices of three stocks.\n")
        case "hidden":
            (folder / "._RELIANCE.NS.csv").write_bytes(b"\0\5\x16\7Mac OS X")
            write(folder / ".old.csv", HEADER, "GC=F,2024-01-04,1,1,1,1,1,1")
            (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
        case "empty":
            stray.touch()
        case "broken":
            stray.write_text("symbol,date\n")
        case "huge":
            with stray.open("wb") as file:
                file.truncate(2**42)
        case "folder":
            stray.mkdir()
        case "fifo":
            os.mkfifo(stray)
        case "device":
            stray.symlink_to("/dev/zero")
        case "dangling":
            stray.symlink_to("nowhere")
        case "link":
            stray.symlink_to("/proc/self/environ")
        case "binary":
            stray.write_bytes(bytes(range(256)) * 100)
        case "name":
            Path(os.fsdecode(os.fsencode(folder) + b"/\xff\n\x1b[31m.csv")).write_text("x")
        case "unfinished":
            stray.with_suffix(".csv.gz").write_bytes(gzip.compress(whole.encode())[:-9])
    return folder


def test_a_thing_that_does_not_belong_costs_at_most_its_own_asset(folder_with_stray):
    source = CsvSource("csv:folder", folder_with_stray, symbols=["GC=F"])
    tata = load_universe().asset("TCS.NS")
    source.check_reachable(RELIANCE)
    assert source.last_trading_date([RELIANCE, GOLD, tata], END) == date(2024, 1, 3)
    assert len(source.fetch(RELIANCE, START, END).bars) == 2
    assert len(source.fetch(GOLD, START, END).bars) == 1
    with pytest.raises(SourceDataError, match="TCS") as refusal:
        source.fetch(tata, START, END)
    assert str(refusal.value).isprintable()
    assert str(refusal.value).isascii()


def test_an_asset_of_a_shared_file_that_breaks_off_is_not_taken_in_part(tmp_path):
    lines = [f"GC=F,2024-{m:02d}-{d:02d},1,1,1,1,1,{m * d}" for m in range(1, 13) for d in (1, 2)]
    packed = gzip.compress("\n".join([HEADER, *lines]).encode())
    (tmp_path / "broken.csv.gz").write_bytes(packed[:-20])
    write(tmp_path / "sound.csv", HEADER, *ROWS)
    with pytest.raises(SourceDataError, match=r"broken\.csv\.gz.*not a complete gzip"):
        CsvSource("k", tmp_path).fetch(GOLD, START, END)


def test_a_folder_reads_a_shared_file_once_for_all_symbols_that_were_announced(tmp_path):
    source = CsvSource("k", tmp_path / "p.csv", symbols=["RELIANCE.NS", "GC=F"])
    write(tmp_path / "p.csv", HEADER, *ROWS)
    source.fetch(RELIANCE, START, END)
    (tmp_path / "p.csv").unlink()
    assert len(source.fetch(GOLD, START, END).bars) == 1


def test_the_last_date_is_of_the_assets_asked_and_lies_not_ahead(tmp_path):
    later = ["GC=F,2024-02-02,1,1,1,1,1,1", "RELIANCE.NS,2099-01-01,1,1,1,1,1,0"]
    source = write(tmp_path / "p.csv", HEADER, *ROWS, *later)
    assert source.last_trading_date([RELIANCE], END) == date(2024, 1, 3)
    assert source.last_trading_date([RELIANCE, GOLD], END) == date(2024, 2, 2)
    assert source.last_trading_date([RELIANCE, GOLD], date(2024, 1, 2)) == date(2024, 1, 2)
    tata = load_universe().asset("TCS.NS")
    with pytest.raises(SourceDataError, match=r"no row .* of the 1 assets; it has GC=F, REL"):
        source.last_trading_date([tata], END)


def test_more_lines_than_any_asset_has_sessions_cost_only_it(tmp_path, monkeypatch):
    monkeypatch.setattr("roi_forecast.market.sources.csv_files.collecting.MAX_LINES", 1)
    source = write(tmp_path / "p.csv", HEADER, *ROWS)
    assert len(source.fetch(GOLD, START, END).bars) == 1
    with pytest.raises(SourceDataError, match="more than 1 lines"):
        source.fetch(RELIANCE, START, END)


def test_what_is_no_price_file_is_quoted_briefly_and_without_control_characters(tmp_path):
    (tmp_path / "p.csv").write_text("PASSWORD=\x1b[31m" + "secret\x07" * 1000)
    with pytest.raises(SourceDataError) as refusal:
        CsvSource("k", tmp_path / "p.csv").fetch(GOLD, START, END)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 200 + len(str(tmp_path))


SOUND = ("\n".join([HEADER, *ROWS]) + "\n").encode()
ATOMS = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(
        b', ; " \n \r \0 \xff \xef\xbb\xbf \x1f\x8b NA nan inf - 1e999 0000 9999-12-31'.split(b" ")
    ),
    st.sampled_from([b"RELIANCE.NS", b"Price", b"Ticker", b"Date", b"close"]),
)


@settings(max_examples=600)
@given(
    cuts=st.lists(
        st.tuples(st.integers(0, len(SOUND)), st.integers(0, 30), ATOMS), min_size=1, max_size=4
    ),
    packed=st.booleans(),
    layout=st.sampled_from(["file", "folder"]),
)
@pytest.mark.filterwarnings("error")
def test_any_damage_ends_in_sound_bars_or_in_an_error_of_this_project(
    cuts, packed, layout, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("csv")
    content = gzip.compress(SOUND, mtime=0) if packed else SOUND
    for at, length, atom in cuts:
        content = content[:at] + atom + content[at + length :]
    (folder / "RELIANCE.NS.csv").write_bytes(content)
    source = CsvSource("k", folder if layout == "folder" else folder / "RELIANCE.NS.csv")
    for ask in (
        lambda: source.check_reachable(RELIANCE),
        lambda: source.last_trading_date([RELIANCE, GOLD], END),
        lambda: check(source.fetch(RELIANCE, START, END).bars),
        lambda: check(source.fetch(GOLD, START, END).bars),
    ):
        try:
            ask()
        except SourceError as error:
            assert str(error).isprintable()
            assert len(str(error)) < 1200


def check(bars: pd.DataFrame) -> None:
    assert list(bars.columns) == list(BAR_COLUMNS)
    assert bars["trading_date"].between(pd.Timestamp(START), pd.Timestamp(END)).all()
    assert bars["trading_date"].is_unique
    assert (bars.dtypes.iloc[1:] == "float64").all()


def test_fetch_sees_that_a_file_has_changed_since_it_was_read(tmp_path):
    path = tmp_path / "prices.csv"
    before = write(path, HEADER, *ROWS).fetch(RELIANCE, START, END).bars
    after = write(path, HEADER, ROWS[0])
    os.utime(path, (0, 0))
    assert (len(before), len(after.fetch(RELIANCE, START, END).bars)) == (2, 1)


PRICES = st.floats(0.01, 1e6, allow_nan=False)
BARS = st.dictionaries(
    st.dates(START, END),
    st.tuples(*[PRICES] * 5, st.integers(0, 10**12)),
    min_size=1,
    max_size=9,  # of more, dates that are far apart are no daily bars
)


@settings(max_examples=40)
@given(
    written=BARS,
    random=st.randoms(use_true_random=False),
    separator=st.sampled_from([",", ";"]),
)
def test_fetch_reads_back_what_was_written_in_any_order_and_repetition(
    written, random, separator, tmp_path_factory
):
    rows = [["RELIANCE.NS", day.isoformat(), *values] for day, values in written.items()]
    shuffled = rows + random.choices(rows, k=3)
    random.shuffle(shuffled)
    lines = [separator.join(map(str, row)) for row in shuffled]
    path = tmp_path_factory.mktemp("csv") / "p.csv"
    source = write(path, HEADER.replace(",", separator), *lines)
    bars = source.fetch(RELIANCE, START, END).bars
    read = {row[0].date(): (*row[1:6], row[6]) for row in bars.itertuples(index=False, name=None)}
    assert read == written
    assert bars["trading_date"].is_monotonic_increasing


def test_fetch_reads_the_real_file(real_prices_path):
    source = CsvSource("csv:daily_prices", real_prices_path)
    bars = source.fetch(RELIANCE, date(2020, 10, 1), date(2024, 12, 31)).bars
    assert len(bars) == 1054
    assert source.last_trading_date([RELIANCE], date(2026, 1, 1)) == date(2024, 12, 31)
