"""Decoding a file to blocks of whole lines."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from roi_forecast.errors import SourceDataError, SourceError
from roi_forecast.market.sources.csv_files.content.opening import MIB

MAX_LINE = MIB
"""Bytes of one line; five thousand assets next to each other take 300,000."""

_BLOCK = 4 * MIB
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "UTF-8",
    codecs.BOM_UTF32_LE: "UTF-32-LE",
    codecs.BOM_UTF32_BE: "UTF-32-BE",
    codecs.BOM_UTF16_LE: "UTF-16-LE",
    codecs.BOM_UTF16_BE: "UTF-16-BE",
}
_HEAD = 4096


class Block(NamedTuple):
    """Whole lines.

    Attributes:
        first: Number of the first line, from 1.
        size: Number of lines.
        content: The lines in UTF-8, each with a line feed at its end.
    """

    first: int
    size: int
    content: bytes


class Text:
    """The lines of a file as text in UTF-8.

    Bytes that are not UTF-8 are read as Windows-1252, line by line, so that a name with an accent
    does no harm: prices, dates and symbols are the same in both.

    Args:
        content: The file.
        name: The file's name in errors.
    """

    def __init__(self, content: io.BufferedReader, name: str) -> None:
        self._content, self._name = content, name
        self.encoding = "UTF-8"

    def blocks(self) -> Iterator[Block]:
        """Yield the lines in blocks of a few MiB.

        Raises:
            SourceDataError: A line is too long, or the file cannot be unpacked to its end. What
                comes before is yielded first.
        """
        number, rest = 1, b""
        for chunk in self._decoded():
            if isinstance(chunk, SourceError):
                raise chunk
            whole, feed, rest = (rest + chunk).rpartition(b"\n")
            if feed:
                block = self._block(number, whole + feed)
                yield block
                number += block.size
            if len(rest) > MAX_LINE:
                raise self._too_long(number)
        if rest:
            yield self._block(number, rest + b"\n")

    def _block(self, first: int, content: bytes) -> Block:
        ends = np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n"))
        lengths = np.diff(ends, prepend=-1)
        if lengths.max() > MAX_LINE:
            raise self._too_long(first + int(lengths.argmax()))
        if not content.isascii():
            content = self._as_utf_8(content)
        return Block(first, len(ends), content)

    def _as_utf_8(self, content: bytes) -> bytes:
        try:
            content.decode("utf-8")
        except UnicodeDecodeError:
            self.encoding = "Windows-1252"
            return b"".join(map(_line_as_utf_8, content.splitlines(keepends=True)))
        return content

    def _decoded(self) -> Iterator[bytes | SourceError]:
        """Yield UTF-8 (or whatever is not) with plain line ends, and at last a fault."""
        chunks = self._chunks()
        head = next(chunks, b"")
        if isinstance(head, SourceError):
            yield head
            return
        encoding, mark = _encoding_of(head)
        head = head[len(mark) :]
        decode = None
        if encoding != "UTF-8":
            self.encoding = encoding.removesuffix("-LE").removesuffix("-BE")
            decode = codecs.getincrementaldecoder(encoding)("replace").decode
        held = b""
        for chunk in _chained(head, chunks):
            if isinstance(chunk, SourceError):
                yield held.replace(b"\r", b"\n")
                yield chunk
                return
            plain = held + (chunk if decode is None else decode(chunk).encode("utf-8", "replace"))
            # The line feed of a carriage return may be in the next chunk.
            held = b"\r" if plain.endswith(b"\r") else b""
            if held:
                plain = plain[:-1]
            if b"\r" in plain:
                plain = plain.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            yield plain
        yield held.replace(b"\r", b"\n")

    def _chunks(self) -> Iterator[bytes | SourceError]:
        fault: SourceError | None = None
        while fault is None:
            parts: list[bytes] = []
            size = 0
            try:
                while size < _BLOCK:
                    part = self._content.read1(min(MIB, _BLOCK))
                    if not part:
                        break
                    parts.append(part)
                    size += len(part)
            except SourceError as error:
                fault = error
            if parts:
                yield b"".join(parts)
            elif fault is None:
                return
        yield fault

    def _too_long(self, number: int) -> SourceDataError:
        return SourceDataError(
            f"{self._name}, line {number}: longer than {MAX_LINE:,} characters; expected one bar "
            "per line"
        )


def _chained(head: bytes, chunks: Iterator[bytes | SourceError]) -> Iterator[bytes | SourceError]:
    yield head
    yield from chunks


def _encoding_of(head: bytes) -> tuple[str, bytes]:
    """Return the encoding and the byte order mark."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding, mark
    # Without a mark, every other byte of text in UTF-16 is zero where the letters are Latin.
    sample = np.frombuffer(head[: _HEAD & ~1], np.uint8)
    if len(sample) % 2:
        sample = sample[:-1]
    if len(sample) >= 4:
        even, odd = (float((sample[start::2] == 0).mean()) for start in (0, 1))
        if odd > 0.8 and even < 0.1:
            return "UTF-16-LE", b""
        if even > 0.8 and odd < 0.1:
            return "UTF-16-BE", b""
    return "UTF-8", b""


def _line_as_utf_8(line: bytes) -> bytes:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace").encode("utf-8")
    return line
