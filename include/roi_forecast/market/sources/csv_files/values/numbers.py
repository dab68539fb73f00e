"""Reading numbers, and finding out from all numbers of a file how it writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roi_forecast.errors import SourceDataError
from roi_forecast.market.sources.csv_files.conventions import Decimal
from roi_forecast.market.sources.csv_files.values.example import Example

_SIGN = "[+-]?"
_BY_COMMA = r"[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d{2})*,\d{3}"
_BY_POINT = r"[1-9]\d{0,2}(?:\.\d{3})+"
_POINT = rf"^{_SIGN}(?:(?:{_BY_COMMA})(?:\.\d*)?|(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)$"
_COMMA = rf"^{_SIGN}(?:(?:{_BY_POINT})(?:,\d*)?|(?:\d+(?:,\d*)?|,\d+)(?:e[+-]?\d+)?)$"
_INFINITE = rf"^{_SIGN}inf(?:inity)?$"
_NOTHING = pa.array(
    [
        "",
        "nan",
        "na",
        "n/a",
        "n.a.",
        "#n/a",
        "#na",
        "null",
        "none",
        "-",
        "--",
        "\u2014",
        "\u2013",
        ".",
        "nil",
    ]
)
_SPACES = "[ \u00a0\u2009\u202f'\u2019]"
_BY_SPACE = rf"^\D*\d{{1,3}}(?:{_SPACES}\d{{3}})+(?:[.,]\d*)?\D*$"
_CURRENCY = r"^([+-]?) ?(?:us\$|r\$|a\$|c\$|hk\$|\$|€|£|¥|₹|₩|₽|rs\.?|inr|usd|eur|gbp) ?"
_CURRENCY_AFTER = r" ?(?:\$|€|£|¥|₹|₩|₽|zł|kr|rs\.?|inr|usd|eur|gbp)$"
_PARENTHESES = r"^\((.*)\)$"
_MULTIPLE = r" ?(k|m|mn|mln|mio|b|bn|t|cr|lakh|l)\.?$"
_MULTIPLES = {
    "k": 1e3, "m": 1e6, "mn": 1e6, "mln": 1e6, "mio": 1e6, "b": 1e9, "bn": 1e9, "t": 1e12,
    "cr": 1e7, "lakh": 1e5, "l": 1e5,
}  # fmt: skip

# Bytes of numbers that need no second look.
_CLEAN = np.zeros(256, bool)
_CLEAN[np.frombuffer(b"0123456789+-.eE", np.uint8)] = True
_POINT_BYTE = ord(".")


class Numbers(NamedTuple):
    """Numbers as read, shape (texts,).

    Attributes:
        values: float64; NaN where there is none.
        is_valid: Whether the text is a number or stands for nothing.
        is_open: Whether the text is a number only once csv_decimal is settled.
    """

    values: npt.NDArray[np.float64]
    is_valid: npt.NDArray[np.bool_]
    is_open: npt.NDArray[np.bool_]


@dataclass
class NumberEvidence:
    """What the numbers of one file show about its decimal mark."""

    point: Example | None = None
    comma: Example | None = None
    grouped_by_comma: Example | None = None
    grouped_by_point: Example | None = None
    _long: bool = False
    _short_next_to_grouped: bool = False
    _groups_in_volume: bool = False
    examples: list[Example] = field(default_factory=list)

    def add(self, texts: pa.Array, lines: npt.NDArray[np.int64], *, is_volume: bool) -> None:
        """Add the texts of one column, with their line numbers."""
        if self.point and is_clean(texts) and not _has_two_points(texts):
            return
        core = _core(texts)
        marked = pc.or_(pc.match_substring(core, ","), pc.match_substring(core, "."))
        as_point = pc.and_(marked, _matches(core, _POINT))
        as_comma = pc.and_(marked, _matches(core, _COMMA))
        only_point = pc.and_not(as_point, as_comma)
        only_comma = pc.and_not(as_comma, as_point)
        self.point = self.point or _first(only_point, texts, lines)
        self.comma = self.comma or _first(only_comma, texts, lines)
        if self.point or self.comma:
            return
        both = pc.and_(as_point, as_comma)
        by_comma = pc.and_(both, pc.match_substring(core, ","))
        by_point = pc.and_(both, pc.match_substring(core, "."))
        self.grouped_by_comma = self.grouped_by_comma or _first(by_comma, texts, lines)
        self.grouped_by_point = self.grouped_by_point or _first(by_point, texts, lines)
        self._long |= _any(_matches(core, rf"^{_SIGN}\d{{4,}}$"))
        if is_volume:
            self._groups_in_volume |= _any(by_point)
        else:
            self._short_next_to_grouped |= _any(_matches(core, rf"^{_SIGN}[1-9]\d{{0,2}}$"))

    def decide(self, wanted: Decimal, name: str) -> tuple[Decimal, str | None]:
        """Return the decimal mark and in words why, None if no number needs it; `auto` if open.

        Args:
            wanted: What the run settles.
            name: The file's name in errors.

        Raises:
            SourceDataError: The numbers contradict each other.
        """
        if wanted != "auto":
            return wanted, f"decimal {wanted}: csv_decimal says so"
        if self.point and self.comma:
            raise SourceDataError(
                f"{name}: numbers contradict each other: {self.point} has a decimal point, "
                f"{self.comma} a decimal comma; mend one of them, or set csv_decimal to point or "
                "comma"
            )
        if self.point:
            return "point", f"decimal point: {self.point}"
        if self.comma:
            return "comma", f"decimal comma: {self.comma}"
        if self.grouped_by_comma:
            return "auto", f"open whether a comma groups digits, as in {self.grouped_by_comma}"
        if self.grouped_by_point is None:
            return "point", None
        if self._long or not (self._groups_in_volume or self._short_next_to_grouped):
            return "point", f"decimal point: {self.grouped_by_point}, and no digits are grouped"
        return "auto", f"open whether a point groups digits, as in {self.grouped_by_point}"


def is_clean(texts: pa.Array) -> bool:
    """Return whether all characters of the texts are of plain numbers."""
    size = len(texts)
    if not size:
        return True
    _, offsets, data = texts.buffers()
    if data is None:
        return True
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + size + 1]
    content = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]
    return bool(_CLEAN[content].all())


def read_numbers(texts: pa.Array | pa.ChunkedArray, decimal: Decimal) -> Numbers:
    """Read numbers as text or as numbers already.

    Args:
        texts: The texts, or numbers.
        decimal: The decimal mark; auto: a number that depends on it is not read.
    """
    parts = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    read = [_read(part, decimal) for part in parts]
    if not read:
        nothing = np.empty(0, bool)
        return Numbers(np.empty(0), nothing, nothing)
    return Numbers(*(np.concatenate(each) for each in zip(*read, strict=True)))


def _read(texts: pa.Array, decimal: Decimal) -> Numbers:
    sound, nothing = np.ones(len(texts), bool), np.zeros(len(texts), bool)
    if not pa.types.is_string(texts.type):
        values = pc.cast(texts, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return Numbers(np.asarray(values, float), sound, nothing)
    if decimal == "point" and is_clean(texts):
        try:
            return Numbers(pc.cast(texts, pa.float64()).to_numpy(), sound, nothing)
        except pa.ArrowInvalid:
            pass  # one of them is empty or no number
    core = _core(texts)
    is_empty = pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(texts)), _NOTHING)
    as_point, as_comma = _matches(core, _POINT), _matches(core, _COMMA)
    infinite = _matches(core, _INFINITE)
    as_wanted = as_comma if decimal == "comma" else as_point
    is_open = pa.array(nothing)
    if decimal == "auto":
        marked = pc.or_(pc.match_substring(core, ","), pc.match_substring(core, "."))
        is_open = pc.and_(marked, pc.and_(as_point, as_comma))
        as_wanted = pc.and_not(as_point, is_open)
    group, mark = (".", ",") if decimal == "comma" else (",", ".")
    digits = pc.replace_substring(pc.replace_substring(core, group, ""), mark, ".")
    is_number = pc.or_(as_wanted, infinite)
    values = pc.cast(pc.if_else(is_number, digits, "nan"), pa.float64()).to_numpy()
    return Numbers(
        values * _multiples(texts),
        pc.or_(is_number, is_empty).to_numpy(zero_copy_only=False),
        is_open.to_numpy(zero_copy_only=False),
    )


def _core(texts: pa.Array) -> pa.Array:
    """Return signs, digits and marks alone, in small letters; other texts stay no numbers."""
    if is_clean(texts):
        return pc.ascii_lower(texts)
    core = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    core = pc.replace_substring(core, "\u2212", "-")
    core = pc.replace_substring_regex(core, _PARENTHESES, r"-\1")
    core = pc.replace_substring_regex(core, _CURRENCY, r"\1")
    core = pc.replace_substring_regex(core, _CURRENCY_AFTER, "")
    core = pc.replace_substring_regex(core, r"(\d)" + _MULTIPLE, r"\1")
    grouped = pc.match_substring_regex(core, _BY_SPACE)
    if _any(grouped):
        core = pc.if_else(grouped, pc.replace_substring_regex(core, _SPACES, ""), core)
    return core


def _multiples(texts: pa.Array) -> npt.NDArray[np.float64] | float:
    if is_clean(texts):
        return 1.0
    found = pc.struct_field(
        pc.extract_regex(
            pc.utf8_lower(pc.utf8_trim_whitespace(texts)),
            r"\d ?(?P<multiple>k|m|mn|mln|mio|b|bn|t|cr|lakh|l)\.?(?:\)| ?(?:\$|€|£|₹))?$",
        ),
        "multiple",
    )
    if found.null_count == len(found):
        return 1.0
    encoded = found.dictionary_encode()
    factors = np.array([*map(_MULTIPLES.__getitem__, encoded.dictionary.to_pylist()), 1.0])
    codes: Any = encoded.indices.fill_null(len(factors) - 1).to_numpy(zero_copy_only=False)
    chosen: npt.NDArray[np.float64] = factors[codes]
    return chosen


def _has_two_points(texts: pa.Array) -> bool:
    return _any(pc.greater(pc.count_substring(texts, "."), 1))


def _matches(texts: pa.Array, pattern: str) -> pa.Array:
    return pc.match_substring_regex(texts, pattern)


def _any(mask: pa.Array) -> bool:
    return bool(pc.any(mask).as_py())


def _first(mask: pa.Array, texts: pa.Array, lines: npt.NDArray[np.int64]) -> Example | None:
    at = pc.index(mask, True).as_py()
    return None if at < 0 else Example(int(lines[at]), texts[at].as_py())
