"""Parquet as pandas, polars and others write it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from market.sources.csv_files.test_formats import fetch
from roi_forecast.errors import SourceDataError
from roi_forecast.market.sources.csv_files import CsvSource, understand

DAYS = pd.DatetimeIndex(["2024-01-02", "2024-01-03"], name="Date")
PRICES = pd.DataFrame(
    {"Open": [1.0, 2.0], "High": [3.0, 4.0], "Low": [0.5, 1.5], "Close": [2.0, 3.25],
     "Volume": [100, 200]},
    DAYS,
)  # fmt: skip
EXPECTED = [[1, 3, 0.5, 2, 2, 100], [2, 4, 1.5, 3.25, 3.25, 200]]


def written(path: Path, frame: pd.DataFrame, **options: object) -> Path:
    frame.to_parquet(path, **options)
    return path


def values_of(path: Path, symbol: str = "AAPL") -> list[list[float]]:
    fetched = fetch(path, symbol)
    assert fetched.bars["trading_date"].dt.strftime("%Y-%m-%d").tolist() == [
        "2024-01-02",
        "2024-01-03",
    ]
    return fetched.bars.to_numpy()[:, 1:].tolist()


@pytest.mark.parametrize(
    "index",
    [
        DAYS,
        DAYS.rename(None),
        DAYS.tz_localize("America/New_York"),
        DAYS.tz_localize("Asia/Kolkata"),
        DAYS.as_unit("ns"),
        DAYS.as_unit("s"),
        pd.Index(DAYS.date, name="date"),
        pd.Index(DAYS.strftime("%Y-%m-%d"), name="date"),
        pd.Index(DAYS.strftime("%d.%m.%Y"), name="date"),
        pd.Index([1704205800000.0, 1704292200000.0], name="timestamp"),
    ],
    ids=lambda index: f"{index.dtype}-{index.name}",
)
def test_an_index_of_dates_is_restored(index, tmp_path):
    assert values_of(written(tmp_path / "AAPL.parquet", PRICES.set_index(index))) == EXPECTED


def test_row_numbers_and_other_types_do_no_harm(tmp_path):
    frame = PRICES.reset_index().assign(
        Ticker=pd.Categorical(["AAPL", "AAPL"]),
        Close=[Decimal("2.00"), Decimal("3.25")],
        Volume=np.array([100, 200], "uint32"),
        Flags=[[1], [2]],
    )
    assert values_of(written(tmp_path / "p.parquet", frame)) == EXPECTED
    frame = frame.assign(Date=[1704205800, 1704292200])
    assert values_of(written(tmp_path / "q.PQ", frame.astype({"Open": "float32"}))) == EXPECTED


def test_files_in_several_row_groups_and_packings_are_read(tmp_path):
    for packing in ("snappy", "gzip", "zstd", "brotli", None):
        path = written(tmp_path / "AAPL.pq", PRICES, compression=packing, row_group_size=1)
        assert pq.ParquetFile(path).num_row_groups == 2
        assert values_of(path) == EXPECTED


@pytest.mark.parametrize("first", ["Price", "Ticker"])
def test_columns_in_two_levels_are_read_for_every_symbol(first, tmp_path):
    frame = pd.concat({"AAPL": PRICES, "INFY.NS": PRICES * 10}, axis=1, names=["Ticker", "Price"])
    if first == "Price":
        frame = frame.swaplevel(axis=1)
    path = written(tmp_path / "p.parquet", frame)
    assert CsvSource("k", path).symbols() == ("AAPL", "INFY.NS")
    assert values_of(path) == EXPECTED
    assert values_of(path, "INFY.NS") == (np.array(EXPECTED) * 10).tolist()
    assert understand(path)[0].format == "yfinance download, adjusted"


def test_a_column_a_symbol_and_long_tables_are_read(tmp_path):
    wide = pd.DataFrame({"AAPL": [1.5, 2.5], "MSFT": [np.nan, 3.5]}, DAYS)
    path = written(tmp_path / "wide.parquet", wide)
    assert fetch(path, "AAPL").bars["close"].tolist() == [1.5, 2.5]
    assert fetch(path, "MSFT").bars["close"].tolist() == [3.5]
    table = pa.table(
        {
            "symbol": pa.array(["msft", "aapl", "aapl"], pa.large_string()),
            "date": pa.array(["2024-01-02", "2024-01-02", "2024-01-03"]).cast(pa.date32()),
            "close": pa.array([9.0, 2.0, None]),
        }
    )
    pq.write_table(table, tmp_path / "long.parquet")
    assert CsvSource("k", tmp_path / "long.parquet").symbols() == ("MSFT", "AAPL")
    assert fetch(tmp_path / "long.parquet", "AAPL").bars["close"].isna().tolist() == [False, True]


def test_a_fault_names_the_row(tmp_path):
    frame = PRICES.astype({"Close": str})
    frame.iloc[1, 3] = "many"
    with pytest.raises(SourceDataError, match=r"AAPL\.pq, row 2: close is 'many'"):
        fetch(written(tmp_path / "AAPL.pq", frame), "AAPL")


def test_a_table_without_prices_or_with_nested_ones_is_refused(tmp_path):
    with pytest.raises(SourceDataError, match="columns close are missing"):
        fetch(written(tmp_path / "AAPL.pq", PRICES[["Open"]].assign(Note="a")), "AAPL")
    with pytest.raises(SourceDataError, match="column 'Close' holds list"):
        fetch(written(tmp_path / "AAPL.pq", PRICES.assign(Close=[[1], [2]])), "AAPL")


def test_a_damaged_or_too_large_file_is_refused(tmp_path):
    path = written(tmp_path / "AAPL.parquet", PRICES)
    whole = path.read_bytes()
    for content in (
        whole[:-4],
        whole[:-9] + b"\xff\xff\xff\x7fPAR1",
        b"PAR1" + b"\xff" * 200 + b"\x20\0\0\0PAR1",
        b"PAR1PAR1",
        whole[:60] + b"\0" * 400 + whole[460:],
    ):
        path.write_bytes(content)
        with pytest.raises(SourceDataError, match=r"AAPL\.parquet: ") as refusal:
            fetch(path, "AAPL")
        assert str(refusal.value).isprintable()
    frame = pd.DataFrame({"date": "2024-01-02", "Close": np.zeros(2_000_000)})
    assert written(path, frame).stat().st_size < 2**16
    with pytest.raises(SourceDataError, match="ROI_CSV_FILE_MIB"):
        CsvSource("k", path, max_bytes=2**20).symbols()
