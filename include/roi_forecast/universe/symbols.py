"""Symbols as Yahoo writes them, and how people write them instead."""

from __future__ import annotations

import re
from collections.abc import Iterable

from roi_forecast.quoting import quoted

MAX_SYMBOL = 32

CURRENCIES = frozenset(
    [
        "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT",
        "BGN", "BHD", "BIF", "BMD", "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD",
        "CDF", "CHF", "CLF", "CLP", "CNH", "CNY", "COP", "CRC", "CUP", "CVE", "CZK", "DJF", "DKK",
        "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD",
        "GNF", "GTQ", "GYD", "HKD", "HNL", "HRK", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR",
        "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT",
        "LAK", "LBP", "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP",
        "MRU", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD",
        "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF",
        "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC",
        "SYP", "SZL", "THB", "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX",
        "USD", "UYU", "UZS", "VES", "VND", "VUV", "WST", "XAF", "XAG", "XAU", "XCD", "XOF", "XPD",
        "XPF", "XPT", "YER", "ZAR", "ZMW", "ZWG",
    ]
)  # fmt: skip
"""ISO 4217, with the offshore yuan (CNH) and precious metals."""

CRYPTOCURRENCIES = frozenset(
    [
        "AAVE", "ADA", "ALGO", "APT", "ARB", "ATOM", "AVAX", "BCH", "BNB", "BONK", "BTC", "CRO",
        "DAI", "DOGE", "DOT", "EGLD", "EOS", "ETC", "ETH", "FIL", "FLOKI", "FTM", "GRT", "HBAR",
        "ICP", "INJ", "LDO", "LINK", "LTC", "MANA", "MATIC", "MKR", "NEAR", "ONDO", "PEPE", "POL",
        "RUNE", "SAND", "SEI", "SHIB", "SOL", "STX", "SUI", "TAO", "THETA", "TIA", "TON", "TRX",
        "UNI", "USDC", "USDT", "VET", "WIF", "XLM", "XMR", "XRP", "XTZ",
    ]
)  # fmt: skip
"""Those that a symbol without a hyphen is checked for; as `BTC-USD`, any is accepted."""

_SYMBOL = re.compile(r"\^?[A-Z0-9][A-Z0-9&_-]*(?P<suffix>[.=][A-Z]+)?")
_SEPARATORS = re.compile(r"[\s,;]+")
_METALS = {"XAU": "GC=F", "XAG": "SI=F", "XPT": "PL=F", "XPD": "PA=F"}
"""Precious metals, of which Yahoo has the futures only."""

_DOLLAR_COINS = ("USDT", "USDC")
"""Quotes of crypto exchanges; Yahoo has the coins in dollars."""

_INDICES = {
    "GSPC": "^GSPC",
    "SPX": "^GSPC",
    "DJI": "^DJI",
    "DJIA": "^DJI",
    "IXIC": "^IXIC",
    "NDX": "^NDX",
    "RUT": "^RUT",
    "VIX": "^VIX",
    "NIFTY": "^NSEI",
    "NIFTY50": "^NSEI",
    "NSEI": "^NSEI",
    "BANKNIFTY": "^NSEBANK",
    "NSEBANK": "^NSEBANK",
    "INDIAVIX": "^INDIAVIX",
    "SENSEX": "^BSESN",
    "BSESN": "^BSESN",
    "FTSE": "^FTSE",
    "GDAXI": "^GDAXI",
    "FCHI": "^FCHI",
    "STOXX50E": "^STOXX50E",
    "N225": "^N225",
    "NIKKEI": "^N225",
    "HSI": "^HSI",
}
"""Names of indices that no New York stock has, and Yahoo's symbols."""

_SUFFIXES = {
    ".NSE": ".NS",
    ".BSE": ".BO",
    ".BOM": ".BO",
    ".LON": ".L",
    ".LSE": ".L",
    ".LN": ".L",
    ".UK": ".L",
    ".XETRA": ".DE",
    ".ETR": ".DE",
    ".FRA": ".F",
    ".EPA": ".PA",
    ".PAR": ".PA",
    ".AMS": ".AS",
    ".SWX": ".SW",
    ".TSX": ".TO",
    ".JP": ".T",
    ".TYO": ".T",
    ".HKG": ".HK",
    ".SHH": ".SS",
    ".SH": ".SS",
    ".SHZ": ".SZ",
    ".ASX": ".AX",
    ".AU": ".AX",
    ".KO": ".KS",
    ".US": "",
    ".O": "",
    ".OQ": "",
    ".N": "",
}
"""Endings of other vendors, and Yahoo's suffix for the same exchange."""


def typed_symbols(lines: Iterable[str]) -> list[str]:
    """Return the symbols in lines that a person typed, in capitals.

    Commas, semicolons and spaces separate symbols as well as lines do; empty lines do not count.
    """
    words = [word for line in lines for word in _SEPARATORS.split(line) if word]
    # Other small letters have capitals that are other letters: the one of ß is SS.
    return [word.upper() if word.isascii() else word for word in words]


def is_symbol(symbol: str) -> bool:
    """Return whether a text has the form of a Yahoo symbol."""
    return len(symbol) <= MAX_SYMBOL and _SYMBOL.fullmatch(symbol) is not None


def suffix_of(symbol: str) -> str:
    """Return the suffix of a symbol, such as `.NS`; empty without any."""
    match = _SYMBOL.fullmatch(symbol)
    return match["suffix"] or "" if match else ""


def form_of_symbols(symbol: str) -> str:
    """Return why a text that is no symbol is refused."""
    return (
        f"symbol {quoted(symbol)} is not a Yahoo symbol: capitals, digits, '&', '-' or '_', "
        f"then an exchange suffix such as '.NS' or '=F', {MAX_SYMBOL} characters at most"
    )


def likely_symbol(symbol: str) -> str | None:
    """Return how Yahoo writes what a symbol of another vendor probably means; None: no guess.

    A symbol with a guess is never taken for a New York ticker: EURUSD is a currency pair.
    """
    if symbol in _INDICES:
        return _INDICES[symbol]
    pair = _likely_pair(symbol)
    if pair is not None:
        return None if pair == symbol else pair
    suffix = suffix_of(symbol)
    root = symbol.removesuffix(suffix)
    if suffix in _SUFFIXES:
        return root + _SUFFIXES[suffix]
    if len(suffix) == 2 and suffix[1] in "ABC":
        return f"{root}-{suffix[1]}"  # a share class, such as BRK.B
    return None


def _likely_pair(symbol: str) -> str | None:
    """Return how Yahoo writes a pair of currencies or cryptocurrencies; None: it is no pair."""
    joined = symbol.removesuffix("=X").replace("-", "")
    base, quote = joined[:-3], joined[-3:]
    if base in CURRENCIES and quote in CURRENCIES:
        return symbol if symbol.endswith("=X") else _METALS.get(base, f"{joined}=X")
    for coin in CRYPTOCURRENCIES:
        quote = joined.removeprefix(coin)
        is_known = quote in CURRENCIES or (quote in CRYPTOCURRENCIES and len(quote) == 3)
        if quote != joined and is_known:
            return f"{coin}-{quote}"
    for quote in _DOLLAR_COINS:
        coin = joined.removesuffix(quote)
        # A New York ticker has five letters at most.
        if coin and coin != joined and len(joined) > 5 and joined.isalnum():
            return _likely_pair(f"{coin}-USD") or f"{coin}-USD"
    return None
