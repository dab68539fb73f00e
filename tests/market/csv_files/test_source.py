from __future__ import annotations

import gzip
import os
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roi_forecast.errors import SourceDataError, SourceUnavailableError
from roi_forecast.market.csv_files import CsvSource
from roi_forecast.market.source import NoPricesError, UnknownSymbolError
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
    bars = source.fetch(RELIANCE, START, END)
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


def test_fetch_reads_gzip_whatever_the_file_is_called(tmp_path):
    plain = write(tmp_path / "prices.csv", HEADER, *ROWS)
    packed = tmp_path / "packed.dat"
    packed.write_bytes(gzip.compress((tmp_path / "prices.csv").read_bytes()))
    expected = plain.fetch(RELIANCE, START, END)
    pd.testing.assert_frame_equal(CsvSource("k", packed).fetch(RELIANCE, START, END), expected)


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
    assert source.fetch(RELIANCE, START, END)["adj_close"].tolist() == [10.5, 11.5]
    assert source.fetch(GOLD, START, END)["close"].tolist() == [2005.0]


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
    bars = source.fetch(load_universe().asset(symbol), START, END)
    assert [day.date() for day in bars["trading_date"]] == [expected]


def test_fetch_keeps_a_missing_price_as_missing_and_skips_blank_lines(tmp_path):
    source = write(tmp_path / "p.csv", HEADER, ROWS[0], "", "RELIANCE.NS,2024-01-03,1,1,1,,1,")
    bars = source.fetch(RELIANCE, START, END)
    assert bars["close"].isna().tolist() == [False, True]
    assert bars["volume"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEADER, ROWS[0], "RELIANCE.NS,2024-01-03,1,1,1,abc,1,0"], "line 3: close is 'abc'"),
        ([HEADER, "", "RELIANCE.NS,03/01/2024,1,1,1,1,1,0"], "line 3: date is '03/01/2024'"),
        ([HEADER, "RELIANCE.NS,2024-02-30,1,1,1,1,1,0"], "line 2: date is '2024-02-30'"),
        ([HEADER, ROWS[0], ROWS[0].replace(",11,", ",19,")], "two different bars"),
        (["symbol,date,open,high,low,close,volume", "x"], "line 1: .*adj_close.*repeat close"),
        ([HEADER, ROWS[0], ROWS[0] + ",9,9"], "line 3: 10 fields under 8 names"),
        ([HEADER], "a header but no rows"),
        ([""], "not a table"),
    ],
)
def test_fetch_names_file_line_and_what_was_expected(lines, message, tmp_path):
    source = write(tmp_path / "p.csv", *lines)
    with pytest.raises(SourceDataError, match=f"(?is){message}"):
        source.fetch(RELIANCE, START, END)


def test_fetch_of_a_sound_symbol_does_not_mind_a_wrong_line_of_another(tmp_path):
    source = write(tmp_path / "p.csv", HEADER, *ROWS, "GC=F,2024-01-03,1,1,1,abc,1,0")
    assert len(source.fetch(RELIANCE, START, END)) == 2
    with pytest.raises(SourceDataError, match="line 5: close is 'abc'"):
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
    assert len(source.fetch(RELIANCE, START, END)) == 2
    with pytest.raises(SourceDataError, match="broken"):
        source.fetch(GOLD, START, END)


def test_fetch_sees_that_a_file_has_changed_since_it_was_read(tmp_path):
    path = tmp_path / "prices.csv"
    before = write(path, HEADER, *ROWS).fetch(RELIANCE, START, END)
    after = write(path, HEADER, ROWS[0])
    os.utime(path, (0, 0))
    assert (len(before), len(after.fetch(RELIANCE, START, END))) == (2, 1)


PRICES = st.floats(0.01, 1e6, allow_nan=False)
BARS = st.dictionaries(
    st.dates(START, END),
    st.tuples(*[PRICES] * 5, st.integers(0, 10**12)),
    min_size=1,
    max_size=20,
)


@settings(max_examples=40, deadline=None)
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
    bars = source.fetch(RELIANCE, START, END)
    read = {row[0].date(): (*row[1:6], row[6]) for row in bars.itertuples(index=False, name=None)}
    assert read == written
    assert bars["trading_date"].is_monotonic_increasing


def test_fetch_reads_the_real_file(real_prices_path):
    source = CsvSource("csv:daily_prices", real_prices_path)
    bars = source.fetch(RELIANCE, date(2020, 10, 1), date(2024, 12, 31))
    assert len(bars) == 1054
    assert source.last_trading_date([RELIANCE], date(2026, 1, 1)) == date(2024, 12, 31)
