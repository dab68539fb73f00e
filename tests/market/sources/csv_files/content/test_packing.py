"""What a file is shows in its first bytes; what cannot be read is refused by name."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import json
import lzma
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from market.sources.csv_files.test_formats import fetch
from roi_forecast.errors import SourceDataError
from roi_forecast.market.sources.csv_files import CsvSource, understand
from roi_forecast.market.sources.csv_files.content.opening import MIB

PRICES = b"Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,1,3,0.5,2,1.5,100\n"


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda content: content,
    "gzip": gzip.compress,
    "zip": lambda content: zipped(("AAPL.csv", content)),
    "xz": lzma.compress,
    "bz2": bz2.compress,
}


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("name", ["AAPL.csv", "AAPL.Csv.GZ", "AAPL.TXT", "AAPL.zip", "AAPL.tsv.XZ"])
def test_a_packed_file_is_read_whatever_its_ending_says(packing, name, tmp_path):
    (tmp_path / name).write_bytes(PACKED[packing](PRICES))
    assert understand(tmp_path / name)[0].packing == packing
    for path in (tmp_path, tmp_path / name):
        assert fetch(path, "AAPL").bars["close"].tolist() == [2]


def test_streams_of_one_packing_one_after_another_are_one_file(tmp_path):
    halves = PRICES[:50], PRICES[50:]
    for number, packing in enumerate(("gzip", "xz", "bz2")):
        path = tmp_path / f"{number}" / "AAPL.csv"
        path.parent.mkdir()
        path.write_bytes(b"".join(PACKED[packing](half) for half in halves))
        assert fetch(path, "AAPL").bars["close"].tolist() == [2]


def test_what_programs_add_to_a_zip_does_not_count(tmp_path):
    members = [("__MACOSX/._AAPL.csv", b"\0\5"), ("folder/", b""), (".DS_Store", b"\0")]
    (tmp_path / "AAPL.zip").write_bytes(zipped(*members, ("folder/AAPL.csv", PRICES)))
    assert fetch(tmp_path / "AAPL.zip", "AAPL").bars["close"].tolist() == [2]


def encrypted() -> bytes:
    content = bytearray(zipped(("AAPL.csv", PRICES)))
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(mark) + at] |= 1
    return bytes(content)


REFUSED = {
    "workbook": (zipped(("[Content_Types].xml", b""), ("xl/workbook.xml", b"")), "save the sheet"),
    "open workbook": (zipped(("mimetype", b"opendocument"), ("content.xml", b"")), "workbook"),
    "old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "an Excel workbook"),
    "several": (zipped(("a.csv", PRICES), ("b.csv", PRICES)), r"2 files in one zip \(a\.csv, b"),
    "none": (zipped(("readme/", b"")), "0 files in one zip"),
    "encrypted": (encrypted(), "encrypted; unpack it with its password"),
    "lzma in zip": (zipped(("a.csv", PRICES), method=zipfile.ZIP_LZMA), "packed in a way"),
    "twice": (gzip.compress(gzip.compress(PRICES)), "packed twice"),
    "zip in zip": (zipped(("a.zip", zipped(("a.csv", PRICES)))), "packed twice"),
    "Parquet in gzip": (gzip.compress(b"PAR1" + bytes(99)), "packed twice"),
    "tar": (gzip.compress(bytes(257) + b"ustar\x0000" + bytes(600)), "packed twice"),
    "PDF": (b"%PDF-1.7\n%", "a PDF document"),
    "page": (b"\n<!DOCTYPE html><html><body>429", "a web page"),
    "table of a page": (b"<table><tr><td>Date</td></tr></table>", "a web page"),
    "JSON": (json.dumps({"Date": ["2024-01-02"]}).encode(), "JSON"),
    "JSON rows": (json.dumps([{"date": "2024-01-02"}], indent=1).encode(), "JSON"),
    "pickle": (pickle.dumps({"a": 1}), "a pickle"),
    "Feather": (b"ARROW1\0\0" + bytes(99), "an Arrow file"),
    "database": (b"SQLite format 3\0" + bytes(99), "an SQLite database"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(99), "packed with zstd"),
    "half a zip": (zipped(("a.csv", PRICES * 99))[:200], "not a complete zip"),
    "half an xz": (lzma.compress(PRICES)[:-20], "not a complete xz"),
    "half a bz2": (bz2.compress(PRICES)[:-9], "not a complete bz2"),
    "damaged bz2": (b"BZh9" + bytes(99), "not a complete bz2"),
    "damaged xz": (b"\xfd7zXZ\0" + bytes(99), "not a complete xz"),
    "binary": (bytes(range(256)) * 9, "binary"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_read_is_refused_with_what_to_do(kind, tmp_path):
    content, message = REFUSED[kind]
    (tmp_path / "AAPL.csv").write_bytes(content)
    with pytest.raises(SourceDataError, match=rf"AAPL\.csv: .*{message}") as refusal:
        fetch(tmp_path / "AAPL.csv", "AAPL")
    assert str(refusal.value).isprintable()
    assert understand(tmp_path / "AAPL.csv")[0].error == str(refusal.value)


@pytest.mark.parametrize("packing", ["gzip", "zip", "xz", "bz2"])
def test_no_packing_unpacks_to_more_than_a_hundred_times_its_size(packing, tmp_path):
    header = PRICES.splitlines(keepends=True)[0]
    content = header + b"2024-01-02,1,3,0.5,2,1.5,100\n" * (40 * MIB // 30)
    path = tmp_path / "AAPL.csv"
    path.write_bytes(PACKED[packing](content))
    assert path.stat().st_size < MIB / 3
    with pytest.raises(SourceDataError, match=r"100 times its packed size.*ROI_CSV_FILE_MIB"):
        fetch(path, "AAPL")
    with pytest.raises(SourceDataError, match="ROI_CSV_FILE_MIB"):
        CsvSource("k", path, max_bytes=MIB).symbols()


ACCENTS = "Datum;Eröffnung;Höchst;Tief;Schluß;Stücke\n02.01.2024;1,5;3;0,5;2 €;100\n"


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("cp1252", "Windows-1252"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
    ],
)
@pytest.mark.parametrize("packing", ["plain", "zip"])
def test_text_is_read_in_the_encoding_it_is_in(encoding, said, packing, tmp_path):
    path = tmp_path / "AAPL.csv"
    path.write_bytes(PACKED[packing](ACCENTS.encode(encoding)))
    assert understand(path)[0].encoding == said
    bars = fetch(path, "AAPL").bars
    assert bars[["open", "close", "volume"]].to_numpy().tolist() == [[1.5, 2, 100]]


def test_utf_16_with_the_other_byte_order_is_read(tmp_path):
    path = tmp_path / "AAPL.csv"
    path.write_bytes(codecs.BOM_UTF16_BE + ACCENTS.encode("utf-16-be"))
    assert fetch(path, "AAPL").bars["close"].tolist() == [2]


def test_a_line_feed_after_a_carriage_return_at_the_end_of_a_block_is_no_second_line(
    tmp_path: Path, monkeypatch
):
    monkeypatch.setattr("roi_forecast.market.sources.csv_files.content.text._BLOCK", 1)
    rows = "".join(f"2024-01-{n:02d},{n}\r\n" for n in range(1, 31)) + "2024-01-31,x\r\n"
    path = tmp_path / "AAPL.csv"
    path.write_bytes(b"Date,Close\r\n" + rows.encode())
    with pytest.raises(SourceDataError, match="line 32: close is 'x'"):
        fetch(path, "AAPL")
