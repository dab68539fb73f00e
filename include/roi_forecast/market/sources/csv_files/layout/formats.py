"""The formats that are known by name: how each is recognised and what is special about it.

A file of a format that is not listed here is understood by its column names alone. To add one, add
a `Format` with the plain names of columns (see `columns.plain`) that only it has.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from roi_forecast.market.sources.csv_files.conventions import Dates

_NOTHING: Mapping[str, frozenset[str]] = MappingProxyType({})
_SHARES_OF_NSE = frozenset({"EQ", "BE", "BZ"})


@dataclass(frozen=True, eq=False)
class Format:
    """What is special about the files of one vendor or program.

    Attributes:
        name: In words.
        columns: Plain names of columns that a file of it has.
        without: Plain names of columns that it does not have.
        adjusted: Whether its prices are adjusted for dividends and splits already.
        dates: How it writes dates where a file does not show it.
        suffix: Exchange suffix that its symbols lack.
        kept: By plain name of a column, the values of the rows that count; others are skipped.
        shown: Likewise, but a file whose first row has another value is of another format.
        suffixes: Exchange suffix by the suffix that the vendor writes.
        file_name: Pattern of the names of its files, with a group `symbol`; if it matches, the
            columns need not be its own.
    """

    name: str
    columns: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    adjusted: bool = False
    dates: Dates = "auto"
    suffix: str = ""
    kept: Mapping[str, frozenset[str]] = field(default_factory=lambda: _NOTHING)
    shown: Mapping[str, frozenset[str]] = field(default_factory=lambda: _NOTHING)
    suffixes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    file_name: re.Pattern[str] | None = None


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STOOQ_SUFFIXES = {
    ".US": "",
    ".UK": ".L",
    ".DE": ".DE",
    ".JP": ".T",
    ".HK": ".HK",
    ".PL": ".WA",
    ".HU": ".BD",
}

PLAIN = Format("columns of its own")
ROWS_WITHOUT_HEADER = Format("rows without a header")
SYMBOL_A_COLUMN = Format("a column a symbol, closes")
COLUMNS_OF_SYMBOLS = Format("columns named after symbol and price")
YFINANCE_DOWNLOAD = Format("yfinance download, unadjusted")
YFINANCE_ADJUSTED = Format("yfinance download, adjusted", adjusted=True)

FORMATS = (
    Format(
        "yfinance history, adjusted",
        _names("date open high low close volume dividends stock_splits"),
        without=_names("adj_close symbol ticker"),
        adjusted=True,
    ),
    Format(
        "Stooq, many symbols",
        _names("ticker per date time open high low close vol openint"),
        adjusted=True,
        suffixes=_STOOQ_SUFFIXES,
    ),
    Format("Stooq", _names("data otwarcie najwyzszy najnizszy zamkniecie"), adjusted=True),
    Format("MetaTrader 5", _names("date open high low close tickvol vol spread")),
    Format(
        "Alpha Vantage, adjusted",
        _names("open high low close adjusted_close volume dividend_amount"),
    ),
    Format("Alpha Vantage", _names("timestamp open high low close volume"), _names("symbol date")),
    Format("Tiingo", _names("date close adjclose adjhigh adjlow adjopen adjvolume")),
    Format("Polygon, flat file", _names("ticker window_start open high low close volume")),
    Format("Polygon", _names("o h l c t v vw")),
    Format("Nasdaq", _names("date close_last open high low"), dates="month_first"),
    Format("investing.com", _names("date price open high low change_%")),
    Format(
        "NSE bhavcopy until 2024",
        _names("symbol series open high low close tottrdqty timestamp"),
        suffix=".NS",
        kept={"series": _SHARES_OF_NSE},
    ),
    Format(
        "NSE bhavcopy (UDiFF)",
        _names("traddt src tckrsymb sctysrs clspric"),
        suffix=".NS",
        kept={"sctysrs": _SHARES_OF_NSE},
        shown={"src": frozenset({"NSE"})},
    ),
    Format(
        "BSE bhavcopy (UDiFF)",
        _names("traddt src tckrsymb sctysrs clspric"),
        suffix=".BO",
        shown={"src": frozenset({"BSE"})},
    ),
    Format(
        "NSE bhavcopy with deliveries",
        _names("symbol series date1 open_price close_price ttl_trd_qnty"),
        suffix=".NS",
        kept={"series": _SHARES_OF_NSE},
    ),
    Format(
        "NIFTY-50 of Kaggle",
        _names("date symbol series prev_close open high low last close vwap"),
        suffix=".NS",
    ),
    Format(
        "NSE history of one share",
        _names("date series open high low prev_close ltp close vwap"),
        without=_names("symbol"),
        suffix=".NS",
        kept={"series": _SHARES_OF_NSE},
    ),
    Format(
        "NSE history by security",
        _names("symbol series date open_price high_price low_price close_price"),
        suffix=".NS",
        kept={"series": _SHARES_OF_NSE},
    ),
    Format("AMFI net asset values", _names("scheme_code scheme_name net_asset_value date")),
    Format(
        "TradingView",
        _names("time open high low close"),
        _names("date symbol ticker"),
        file_name=re.compile(r"(?P<symbol>[A-Z0-9]+(?:_DLY|_EOD)?_[^,]+), ?1?[DdWM].*"),
    ),
    Format(
        "Kaggle's Name", _names("date open high low close volume name"), _names("symbol ticker")
    ),
    Format("Yahoo", _names("date open high low close adj_close volume"), _names("symbol ticker")),
)

FILES_OF_STOOQ = Format(
    "Stooq",
    adjusted=True,
    suffixes=_STOOQ_SUFFIXES,
    file_name=re.compile(r"(?P<symbol>[A-Za-z0-9-]+[._](us|uk|de|jp|hk|pl|hu))(_d)?"),
)

_FILE_NAMES = (
    *(known.file_name for known in (*FORMATS, FILES_OF_STOOQ) if known.file_name is not None),
    re.compile(r"(?:daily|daily_adjusted)_(?P<symbol>[A-Z0-9.-]+)"),
    re.compile(r"(?P<symbol>[A-Z]{3,})1440"),
    re.compile(r"Quote-Equity-(?P<symbol>.+)-(?:EQ|BE|BZ)-.*"),
    re.compile(r"(?P<symbol>[A-Za-z0-9.#&-]+)_(?:Daily|D1)_\d.*"),
    re.compile(r"(?P<symbol>.+?)[ _](?:Historical|Stock Price|Price)[ _](?:Data|History).*"),
    re.compile(r"(?P<symbol>.+?)[ _-](?:19|20)\d\d(?:-?[01]\d-?[0-3]\d)?(?:[ _-].*)?"),
    re.compile(
        r"(?P<symbol>.+?)[ _-](?:daily|1d|d1|eod|ohlcv?|data|prices?|quotes?|hist(?:ory|orical)?)"
        r"(?:[ _-].*)?",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<symbol>.+?) ?\(\d+\)"),
)

GENERAL_NAMES = _names(
    """
    close closes daily data download eod export file hist historical history market ohlc ohlcv
    portfolio price prices quotes sheet1 stock stocks stock_data stock_prices table untitled
    """
)
"""Plain names of files that name no symbol."""


def find_format(
    columns: Collection[str], first_row: Mapping[str, str], file_name: str, otherwise: Format
) -> Format:
    """Return the first format whose columns are all there.

    Args:
        columns: Plain names of the columns.
        first_row: Texts of the first row by plain name.
        file_name: Name of the file without its ending.
        otherwise: The format if none is recognised.
    """
    if otherwise is PLAIN and FILES_OF_STOOQ.file_name is not None:
        own = FILES_OF_STOOQ.file_name.fullmatch(file_name)
        if own and not {"symbol", "ticker"} & set(columns):
            return FILES_OF_STOOQ
    for known in FORMATS:
        if (
            known.columns <= set(columns)
            and not known.without & set(columns)
            and all(first_row.get(name, "") in values for name, values in known.shown.items())
        ):
            return known
    return otherwise


def symbol_in_file_name(file_name: str) -> str:
    """Return the symbol that a file is named after, without what programs write around it."""
    for pattern in _FILE_NAMES:
        match = pattern.fullmatch(file_name)
        if match:
            return symbol_in_file_name(match["symbol"]) if "(" in file_name else match["symbol"]
    return file_name
