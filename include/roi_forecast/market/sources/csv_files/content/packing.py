"""Unpacking a file by its first bytes, whatever it is called, and never to more than allowed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from roi_forecast.errors import SourceDataError
from roi_forecast.market.sources.csv_files.content.opening import MIB, not_readable, too_large
from roi_forecast.quoting import listed, quoted

MAX_UNPACKED = 100
"""Largest ratio of unpacked to packed size; prices reach about 10."""

_ALWAYS_UNPACKED = MIB
_XZ_MEMORY = 128 * MIB
_HEAD = 512
_BLOCK = 2**17
_ZIP_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2}
_PACKINGS = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bz2",
    b"PAR1": "Parquet",
}
_UNPACK = "unpack it and pack it again with gzip or zip"
_SAVE = "save the sheet of prices as CSV"
_REFUSED = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("an Excel workbook", _SAVE),
    b"%PDF": ("a PDF document", "save the prices as CSV"),
    b"{\\rtf": ("a text document", "save the prices as CSV"),
    b"ARROW1": ("an Arrow file", "save it as Parquet"),
    b"FEA1": ("a Feather file", "save it as Parquet"),
    b"ORC": ("an ORC file", "save it as Parquet"),
    b"Obj\x01": ("an Avro file", "save it as Parquet"),
    b"SQLite format 3\x00": ("an SQLite database", "export the prices as CSV"),
    b"\x89HDF\r\n": ("an HDF5 file", "save it as Parquet"),
    b"\x93NUMPY": ("a NumPy array", "save it as Parquet"),
    b"\x89PNG": ("a picture", "save the prices as CSV"),
    b"\x28\xb5\x2f\xfd": ("packed with zstd", _UNPACK),
    b"\x04\x22\x4d\x18": ("packed with lz4", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("packed with 7-Zip", _UNPACK),
    b"Rar!\x1a\x07": ("packed with RAR", _UNPACK),
    b"\x1f\x9d": ("packed with compress", _UNPACK),
}
_PICKLE = re.compile(rb"\x80[\x02-\x05][\x95}c(\]]")
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml|table|script|div)", re.IGNORECASE)
_JSON = re.compile(rb'\s*(?:\{\s*["}]|\[\s*[\[{\]])')
_WORKBOOK = re.compile(r"\[Content_Types\]\.xml|xl/.*|mimetype|Index/.*\.iwa")


@dataclass(frozen=True)
class Unpacked:
    """The content of a file.

    Attributes:
        packing: How it was packed: plain, gzip, zip, xz, bz2; or Parquet.
        content: Its bytes; of Parquet the file itself.
    """

    packing: str
    content: io.BufferedReader


def unpack(file: io.BufferedReader, name: str, max_bytes: int) -> Unpacked:
    """Return the unpacked content of an open file.

    Args:
        file: The file.
        name: The file's name in errors.
        max_bytes: Maximum bytes read, after unpacking.

    Raises:
        SourceDataError: It is of a kind that is not read; names the kind and says what to do. Or,
            while its content is read: it is too large, or not completely packed.
    """
    head = file.peek(_HEAD)[:_HEAD]
    packing = _packing_of(head)
    if packing == "Parquet":
        return Unpacked(packing, file)
    if packing is None:
        _require_text(head, name)
        return Unpacked("plain", _bounded(file, name, "", max_bytes))
    limit = max(MAX_UNPACKED * os.fstat(file.fileno()).st_size, _ALWAYS_UNPACKED)
    source: Any
    if packing == "gzip":
        source = gzip.GzipFile(fileobj=file)
    elif packing == "zip":
        source = _only_member(file, name)
    else:
        make = bz2.BZ2Decompressor if packing == "bz2" else _xz_decompressor
        source = io.BufferedReader(_Decompressed(file, make), _BLOCK)
    content = _bounded(source, name, packing, min(limit, max_bytes))
    head = content.peek(_HEAD)[:_HEAD]
    if _packing_of(head) or head[257:262] == b"ustar":
        raise SourceDataError(
            f"{name}: packed twice; expected one file of text in {packing}: unpack it once"
        )
    _require_text(head, name)
    return Unpacked(packing, content)


def _packing_of(head: bytes) -> str | None:
    return next((kind for magic, kind in _PACKINGS.items() if head.startswith(magic)), None)


def _require_text(head: bytes, name: str) -> None:
    found = next((kind for magic, kind in _REFUSED.items() if head.startswith(magic)), None)
    if found is None and _PICKLE.match(head):
        found = ("a pickle", "save it as Parquet")
    if found is None and _MARKUP.match(head.removeprefix(b"\xef\xbb\xbf")):
        found = ("a web page", "download the prices themselves as CSV")
    if found is None and _JSON.match(head.removeprefix(b"\xef\xbb\xbf")):
        found = ("JSON", "save the prices as CSV")
    if found is not None:
        raise SourceDataError(f"{name}: {found[0]}, not a table of prices; {found[1]}")


def _only_member(file: io.BufferedReader, name: str) -> IO[bytes]:
    try:
        archive = zipfile.ZipFile(file)
        members = archive.infolist()
        if any(_WORKBOOK.fullmatch(member.filename) for member in members):
            raise SourceDataError(f"{name}: a workbook, not a table of prices; {_SAVE}")
        members = [member for member in members if _counts(member)]
        if len(members) != 1:
            names = listed([member.filename for member in members]) or "none"
            raise SourceDataError(
                f"{name}: {len(members)} files in one zip ({names}); expected one: put them into a "
                "folder instead"
            )
        [member] = members
        if member.flag_bits & 1:
            raise SourceDataError(f"{name}: encrypted; unpack it with its password")
        if member.compress_type not in _ZIP_METHODS:
            raise SourceDataError(f"{name}: packed in a way that is not read; {_UNPACK}")
        return archive.open(member)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
        raise SourceDataError(f"{name}: not a complete zip file ({quoted(str(error))})") from error


def _counts(member: zipfile.ZipInfo) -> bool:
    parts = member.filename.split("/")
    return not member.is_dir() and not any(p.startswith((".", "__MACOSX")) for p in parts)


def _xz_decompressor() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)


class _Decompressed(io.RawIOBase):
    """Unpacks a stream, or several one after another."""

    def __init__(self, file: io.BufferedReader, make: Callable[[], Any]) -> None:
        self._file, self._make, self._unpacker = file, make, make()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while True:
            if self._unpacker.eof:
                rest = self._unpacker.unused_data or self._file.read(_BLOCK)
                if not rest.strip(b"\0"):
                    return 0
                self._unpacker = self._make()
            elif self._unpacker.needs_input:
                rest = self._file.read(_BLOCK)
                if not rest:
                    raise EOFError("it ends too early")
            else:
                rest = b""
            content = self._unpacker.decompress(rest, len(buffer))
            if content:
                buffer[: len(content)] = content
                return len(content)


def _bounded(source: Any, name: str, packing: str, max_bytes: int) -> io.BufferedReader:
    return io.BufferedReader(_Bounded(source, name, packing, max_bytes), buffer_size=_BLOCK)


class _Bounded(io.RawIOBase):
    """Reads from another file and fails after a number of bytes."""

    def __init__(self, source: Any, name: str, packing: str, max_bytes: int) -> None:
        self._source, self._name, self._packing = source, name, packing
        self._max_bytes = self._left = max_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            # read1, so that data before a fault in the file is not lost.
            content = self._source.read1(len(buffer))
        except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
            raise self._incomplete(error) from error
        except OSError as error:
            # Of bad data, gzip and bz2 raise one without a number.
            if self._packing and error.errno is None:
                raise self._incomplete(error) from error
            raise not_readable(self._name, error) from error
        self._left -= len(content)
        if self._left < 0:
            if self._packing:
                raise SourceDataError(
                    f"{self._name}: larger than the limit of {self._max_bytes / MIB:,.0f} MiB when "
                    f"unpacked, or than {MAX_UNPACKED} times its packed size; split it into "
                    "several files or raise ROI_CSV_FILE_MIB"
                )
            raise too_large(self._name, self._max_bytes)
        buffer[: len(content)] = content
        return len(content)

    def _incomplete(self, error: Exception) -> SourceDataError:
        return SourceDataError(f"{self._name}: not a complete {self._packing} file ({error})")
