"""The symbols of files as the universe writes them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from roi_forecast.errors import UniverseError
from roi_forecast.market.sources.csv_files.layout.exchanges import BLOOMBERG, EXCHANGES
from roi_forecast.market.sources.csv_files.layout.formats import (
    FILES_OF_STOOQ,
    PLAIN,
    Format,
    symbol_in_file_name,
)
from roi_forecast.universe import load_universe
from roi_forecast.universe.symbols import CURRENCIES, likely_symbol, suffix_of

_ENDING = re.compile(
    r"(?:\.(?:csv|tsv|txt|tab|dat|psv|prn))?(?:\.(?:gz|gzip|zip|xz|bz2|parquet|pq))?\Z",
    re.IGNORECASE,
)
_WITH_EXCHANGE = re.compile(r"([A-Z]+?)(?:_DLY|_EOD)?[:_](.+)")
_SHARE_CLASS = re.compile(r"^([A-Z0-9&-]+)[/ ]([A-Z])$")
_BLOOMBERG = re.compile(r"(\S+) ([A-Z]{2})(?: EQUITY)?")
_MINOR_UNITS = {
    **dict.fromkeys(("GBX", "GBp", "GBPence", "p"), "GBp"),
    **dict.fromkeys(("ZAC", "ZAc"), "ZAc"),
    **dict.fromkeys(("ILA", "ILAg"), "ILA"),
}
_HONG_KONG = re.compile(r"\d+\.HK")


class Spelling(NamedTuple):
    """How the symbols of a file are completed.

    Attributes:
        format: Of the file.
        suffix: `csv_suffix` of the run.
    """

    format: Format = PLAIN
    suffix: str = ""


def stem_of(file_name: str) -> str:
    """Return the name of a file without the endings of its text and its packing."""
    return _ENDING.sub("", file_name)


def symbol_of_file(file_name: str, spelling: Spelling) -> str:
    """Return the symbol that a file is named after."""
    stem = stem_of(file_name)
    written = symbol_in_file_name(stem)
    pattern = FILES_OF_STOOQ.file_name
    if spelling.format is PLAIN and pattern is not None and pattern.fullmatch(stem):
        spelling = spelling._replace(format=FILES_OF_STOOQ)
    if spelling.format is FILES_OF_STOOQ:
        written = written.replace("_", ".")
    return canonical(written, spelling)


@lru_cache(maxsize=100_000)
def canonical(written: str, spelling: Spelling) -> str:
    """Return a symbol as the universe writes it.

    `aapl` becomes `AAPL`, `NSE:RELIANCE` becomes `RELIANCE.NS`, and what only other vendors write,
    such as `BRK.B`, `EURUSD` or `AAPL.US`, becomes what Yahoo writes. What the format or
    the run knows of the exchange completes a symbol without suffix.
    """
    symbol = written.strip().strip("'\"").upper()
    suffix = spelling.format.suffix or spelling.suffix
    exchange = _WITH_EXCHANGE.fullmatch(symbol)
    if exchange and exchange[1] in EXCHANGES:
        symbol, suffix = exchange[2], EXCHANGES[exchange[1]]
        if exchange[1] == "TSE" and not symbol[:1].isdigit():
            suffix = ".TO"  # Tokyo to TradingView, Toronto to Google
    terminal = _BLOOMBERG.fullmatch(symbol)
    if terminal and terminal[2] in BLOOMBERG:
        symbol, suffix = terminal[1], BLOOMBERG[terminal[2]]
    for theirs, ours in spelling.format.suffixes.items():
        if symbol.endswith(theirs):
            symbol, suffix = symbol.removesuffix(theirs), ours
            break
    symbol = _SHARE_CLASS.sub(r"\1.\2", symbol).replace("/", "")
    if (suffix_of(symbol) or not suffix) and refusal_of(symbol) is not None:
        symbol = likely_symbol(symbol) or symbol
    if suffix and not symbol.startswith("^") and not suffix_of(symbol):
        symbol += suffix
    # Yahoo writes the codes of Hong Kong with four digits.
    return symbol.zfill(7) if _HONG_KONG.fullmatch(symbol) else symbol


def currency_of(written: str) -> str | None:
    """Return a currency as Yahoo writes it, such as `GBp` for pence; None if a text is none."""
    text = written.strip()
    if text in _MINOR_UNITS:
        return _MINOR_UNITS[text]
    return text.upper() if text.upper() in CURRENCIES else None


def refusal_of(symbol: str) -> str | None:
    """Return why no exchange of the universe takes a symbol, or None if one does."""
    try:
        load_universe().asset(symbol)
    except UniverseError as error:
        return str(error)
    return None
