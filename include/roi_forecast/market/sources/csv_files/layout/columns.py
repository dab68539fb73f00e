"""The meaning of column names, as vendors and several languages write them."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

SYMBOL = "symbol"
DATE = "trading_date"
EXCHANGE = "exchange"
"""The exchange of the symbol in the same line."""
CURRENCY = "currency"
"""The currency of the prices in the same line."""
CHANGE = "change"
"""A change in percent: not read, but it shows how the file writes decimals."""

UNNAMED = frozenset({"", "unnamed_0", "index_level_0", "index", "level_0"})
"""Plain names of the first column that may hold dates or row numbers."""

# By meaning, the plain names; of two columns of one meaning, the one in the earlier row counts.
_NAMES: dict[str, tuple[str, ...]] = {
    DATE: (
        """
        date dates trading_date trade_date tradedate trading_day tradingday traddt date1 day
        quote_date price_date pricedate observation_date index_date session datum data fecha
        dia data_pregao tarih dato дата 날짜 일자 paivays datum_zeit 日期 日付
        交易日期 dtyyyymmdd trd_dt trade_dt
        tradedt dt ds as_of asof
        """,
        """
        datetime date_time timestamp window_start open_time opentime local_time gmt_time
        begin t unix unix_timestamp epoch bar_time snapped_at
        """,
        "time",
    ),
    SYMBOL: (
        """
        symbol ticker symbols tickers ticker_symbol stock_symbol tckrsymb trading_symbol
        tradingsymbol act_symbol secid symbol_code ric ts_code
        """,
        """
        series_id scheme_code stock_code sc_code security_code code instrument index_name asset 代码
        股票代码
        """,
        "name stock security company stock_name scheme_name",
    ),
    "open": (
        """
        open open_price price_open openprice opening_price opening opnpric o open_index_value
        start_price eroffnung eroffn eroffnungskurs erster eroffnen otwarcie apertura
        abertura ouverture ouv acilis 1st_price 开盘 开盘价 始値 px_open openprc
        откр 시가 오픈 開盤價 opening_kurs openingskoers
        """,
        "first openpric",
    ),
    "high": (
        """
        high high_price price_high highprice hi hghpric h high_index_value day_high hoch hochst
        tageshoch najwyzszy maximo max maxima plus_haut haut alto massimo yuksek hogste 最高
        最高价 高値 px_high askhi hoog hogst макс 고가 最高價
        """,
    ),
    "low": (
        """
        low low_price price_low lowprice lo lwpric l low_index_value day_low tief tiefst tagestief
        najnizszy minimo min minima plus_bas bas baixo basso dusuk laagste 最低 最低价 安値 px_low
        bidlo laag lagst мин 저가 最低價
        """,
    ),
    "close": (
        """
        close close_price price_close closeprice closing_price closing clspric c close_last
        close_index_value closing_index_value px_last schluss schlusskurs schlusspreis
        zamkniecie cierre cloture clot chiusura fechamento fecho kapanis slot slotkoers prc
        收盘 收盘价 終値 收盤價 종가 slutkurs lukkekurs
        """,
        """
        nav net_asset_value nav_per_unit price settle settlement settlement_price kurs preis
        prix precio prezzo simdi dernier ultimo zuletzt letzter laatst laatste senast цена
        """,
        "last last_price ltp lastpric latest value",
    ),
    "adj_close": (
        """
        adj_close adjclose adjusted_close adjustedclose close_adj close_adjusted adjusted
        adj_closing adj_close_price adjusted_close_price adjusted_closing_price adj_price
        adjustmentclose 調整後終値 closeadj
        """,
    ),
    "volume": (
        """
        volume vol v volume_traded traded_volume total_volume trade_volume shares_traded
        total_traded_quantity tottrdqty ttl_trd_qnty ttltradgvol no_of_shares no_of_shrs
        volumes share_volume total_traded_volume wolumen stucke hacim hac px_volume 成交量 出来高
        объем 거래량 成交股數
        """,
        "tickvol tick_volume quantity traded_quantity volumen number_of_shares",
    ),
    CURRENCY: ("currency currency_code ccy devise wahrung valuta moneda divisa",),
    EXCHANGE: ("exchange exch exchange_code mic mic_code", "market"),
    CHANGE: ("change change_% var var_% %_change chg_% chg veranderung_% +_%",),
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


OTHERS = _words(
    """
    ask ask_price bid bid_price change dividend dividends eps market_cap marketcap pe pe_ratio
    prev_close previous_close return returns log_return shares spread trades turnover vwap
    volatility yield bidopen bidhigh bidlow bidclose askopen askhigh asklow askclose
    """
)
"""Plain names of values that are no part of a bar; in capitals they are symbols, such as `EPS`."""

_CONTENTS_OF_LINES = _words(
    "variable attribute attributes field metric measure item indicator parameter"
)
_OF_TRADES = _words(
    """
    action side buy_sell transaction transaction_type trade_type order_id trade_id commission fees
    cost_basis purchase_price average_cost
    """
)
_VALUE = frozenset({"value", "values"})
_OF_BARS = frozenset({"open", "close", "high", "low"})


class Meaning(NamedTuple):
    """The meaning of a name; a lower rank counts before a higher one."""

    meaning: str
    rank: int


_MEANINGS = {
    name: Meaning(meaning, rank)
    for meaning, rows in _NAMES.items()
    for rank, row in enumerate(rows)
    for name in row.split()
}
BAR_NAMES = frozenset(_NAMES) - {SYMBOL, DATE, CURRENCY, EXCHANGE, CHANGE}
"""Meanings of the values of a bar."""

_NOTE_OF_YAHOO = re.compile(
    r"(adj close|close)\s+(?:adjusted )?close price adjusted .*", re.I | re.S
)
_NUMBERED = re.compile(r"\d+[a-z]?\.\s+")
_REMARK = re.compile(r"\s*[(\[{][^)\]}]*[)\]}]")
_ADJUSTED = re.compile(r"close\s*[(\[](adj|adjusted)\.?[)\]]", re.I)
_JOINTS = " _.:|-"
_PAIRED = ("open", "high", "low", "close", "volume", "adj_close", "adjusted", "adjclose")


def plain(name: str) -> str:
    """Return a name in small letters without accents, numbering, marks, and remarks in brackets."""
    name = _ADJUSTED.sub("adj_close", name)
    name = _NOTE_OF_YAHOO.sub(r"\1", name.strip())
    letters = unicodedata.normalize("NFKD", name.replace("ł", "l").replace("ß", "ss")).lower()
    letters = "".join(c for c in letters if not unicodedata.combining(c)).replace("\u0131", "i")
    letters = _NUMBERED.sub("", letters.strip().strip("<>#\ufeff'\"").strip(), count=1)
    without = _REMARK.sub("", letters)
    letters = unicodedata.normalize("NFC", (without or letters).rstrip("*"))
    return re.sub(r"[\s:_./-]+", "_", letters).strip("_")


def meaning_of(name: str) -> Meaning | None:
    """Return the meaning of a column name, or None if it has none.

    A single letter has none: `C` is a symbol, too; see `meanings_of`.
    """
    found = plain(name)
    return None if len(found) == 1 and found.isascii() else _MEANINGS.get(found)


def meanings_of(names: Sequence[str]) -> list[Meaning | None]:
    """Return the meanings of all names of a header.

    Single letters mean something only together, as in `t,o,h,l,c,v`: `C` alone is a symbol.
    """
    letters = {plain(name) for name in names if len(name.strip()) == 1}
    if {"o", "h", "l", "c"} <= letters:
        return [_MEANINGS.get(plain(name)) for name in names]
    return [meaning_of(name) for name in names]


def bar_name_of(name: str) -> str | None:
    """Return the part of a bar that a column name means, or None."""
    found = meaning_of(name)
    return found.meaning if found is not None and found.meaning in BAR_NAMES else None


def symbol_and_meaning(name: str) -> tuple[str, str] | None:
    """Split a name such as `AAPL.Close`, `Close_AAPL` or `('Close', 'AAPL')`.

    Returns:
        The symbol and the part of a bar; None if the name has not both.
    """
    if name.startswith("("):
        try:
            parts = ast.literal_eval(name)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
        pair = [str(part) for part in parts] if isinstance(parts, tuple) else []
        return _ordered(pair) if len(pair) == 2 else None
    name = name.strip()
    lowered = re.sub(r"adj(usted)?[ ._-]?close", "adj_close", name, flags=re.I)
    for part in _PAIRED:
        # The longest joint first, so that the adjusted close is no close of a symbol "… Adj".
        if len(lowered) <= len(part) + 1:
            continue
        if lowered.lower().endswith(part) and lowered[-len(part) - 1] in _JOINTS:
            symbol = lowered[: -len(part) - 1]
        elif lowered.lower().startswith(part) and lowered[len(part)] in _JOINTS:
            symbol = lowered[len(part) + 1 :]
        else:
            continue
        if part == "close" and re.search(r"adj_close$|^adj_close", lowered, re.I):
            continue
        return symbol.strip(), bar_name_of(part) or part
    return None


def _ordered(pair: Sequence[str]) -> tuple[str, str] | None:
    first, second = map(bar_name_of, pair)
    if second is not None and first is None:
        return pair[0].strip(), second
    if first is not None and second is None:
        return pair[1].strip(), first
    return None


def no_bars(names: Sequence[str]) -> str | None:
    """Return what a table holds whose rows are no bars though it names a date and a price.

    Returns:
        In words what it is and what to do; None if its rows may be bars.
    """
    columns = {plain(name) for name in names}
    if columns & _VALUE and columns & _CONTENTS_OF_LINES and not columns & _OF_BARS:
        return "a value a line, not a bar; give open, high, low, close and volume a column each"
    quantity = columns & {"quantity", "qty", "shares", "units"}
    if columns & _OF_TRADES and not columns & _OF_BARS:
        return "a list of trades or orders, not of daily bars; export the history of prices"
    if quantity and columns & _VALUE and not columns & _OF_BARS:
        return "a list of holdings, not of daily bars; export the history of prices"
    return None
