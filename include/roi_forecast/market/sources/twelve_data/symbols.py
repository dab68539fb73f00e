"""How Twelve Data names the instruments that Yahoo's symbols name.

A ticker there is unique only together with its exchange, which is given as a market identifier code
(ISO 10383): https://twelvedata.com/docs#time-series, https://twelvedata.com/exchanges.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from roi_forecast.errors import SourceDataError

MARKETS = {
    ".AS": "XAMS",
    ".AX": "XASX",
    ".BK": "XBKK",
    ".BO": "XBOM",
    ".BR": "XBRU",
    ".CO": "XCSE",
    ".DE": "XETR",
    ".F": "XFRA",
    ".HE": "XHEL",
    ".HK": "XHKG",
    ".JK": "XIDX",
    ".JO": "XJSE",
    ".KS": "XKRX",
    ".L": "XLON",
    ".LS": "XLIS",
    ".MC": "XMAD",
    ".MI": "XMIL",
    ".MX": "XMEX",
    ".NS": "XNSE",
    ".OL": "XOSL",
    ".PA": "XPAR",
    ".SA": "BVMF",
    ".SI": "XSES",
    ".SS": "XSHG",
    ".ST": "XSTO",
    ".SW": "XSWX",
    ".SZ": "XSHE",
    ".T": "XJPX",
    ".TA": "XTAE",
    ".TO": "XTSE",
    ".TW": "XTAI",
    ".VI": "XWBO",
    ".WA": "XWAR",
}
"""The market identifier code of each suffix of Yahoo's symbols."""

_PAIR = re.compile(r"(?P<base>[A-Z]{3})?(?P<quote>[A-Z]{3})=X")
_COIN = re.compile(r"(?P<base>[A-Z0-9]+)-(?P<quote>[A-Z]{3})")
_LISTED = re.compile(r"(?P<ticker>[A-Z0-9&_-]+)(?P<suffix>\.[A-Z]+)?")


@dataclass(frozen=True)
class Instrument:
    """An instrument in Twelve Data's words.

    Attributes:
        symbol: Its symbol, such as `AAPL`, `BRK.B` or `EUR/USD`.
        market: The parameter that names its market, with its value; empty for pairs.
        is_pair: Whether it is a currency or a cryptocurrency, whose days are those of UTC.
        rests: Whether it is a currency, whose week ends on Friday and begins on Sunday evening.
    """

    symbol: str
    market: tuple[tuple[str, str], ...] = ()
    is_pair: bool = False
    rests: bool = False


def instrument_of(symbol: str) -> Instrument:
    """Return the instrument of a Yahoo symbol.

    Raises:
        SourceDataError: Twelve Data has no such instrument, or no name for it is known.
    """
    if pair := _PAIR.fullmatch(symbol) or _COIN.fullmatch(symbol):
        name = f"{pair['base'] or 'USD'}/{pair['quote']}"
        return Instrument(name, is_pair=True, rests=symbol.endswith("=X"))
    listed = _LISTED.fullmatch(symbol)
    if listed is None:
        kind = "futures" if symbol.endswith("=F") else "indices" if symbol[:1] == "^" else "it"
        raise SourceDataError(
            f"{symbol}: source twelve_data does not serve {kind}; take it from source yahoo or "
            "csv, or leave it out"
        )
    ticker, suffix = listed["ticker"], listed["suffix"]
    if suffix is None:
        # Yahoo writes share classes with a dash (BRK-B), Twelve Data with a point.
        return Instrument(ticker.replace("-", "."), (("country", "United States"),))
    if suffix not in MARKETS:
        raise SourceDataError(
            f"{symbol}: source twelve_data knows no market for the suffix {suffix!r}; take the "
            "asset from source yahoo or csv, or leave it out"
        )
    return Instrument(ticker, (("mic_code", MARKETS[suffix]),))
