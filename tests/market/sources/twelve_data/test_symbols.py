from __future__ import annotations

import pytest

from market.twelve_data_server import NAMES
from roi_forecast.errors import SourceDataError
from roi_forecast.market.sources.twelve_data.symbols import MARKETS, instrument_of

# From Yahoo's list of exchanges and suffixes, and from Twelve Data's list of exchanges.
LISTED = {
    "ASML.AS": ("ASML", "XAMS"),
    "BHP.AX": ("BHP", "XASX"),
    "PTT.BK": ("PTT", "XBKK"),
    "RELIANCE.BO": ("RELIANCE", "XBOM"),
    "ABI.BR": ("ABI", "XBRU"),
    "MAERSK-B.CO": ("MAERSK-B", "XCSE"),
    "SAP.DE": ("SAP", "XETR"),
    "SAP.F": ("SAP", "XFRA"),
    "NOKIA.HE": ("NOKIA", "XHEL"),
    "0700.HK": ("0700", "XHKG"),
    "BBCA.JK": ("BBCA", "XIDX"),
    "NPN.JO": ("NPN", "XJSE"),
    "005930.KS": ("005930", "XKRX"),
    "VOD.L": ("VOD", "XLON"),
    "EDP.LS": ("EDP", "XLIS"),
    "SAN.MC": ("SAN", "XMAD"),
    "ENI.MI": ("ENI", "XMIL"),
    "WALMEX.MX": ("WALMEX", "XMEX"),
    "M&M.NS": ("M&M", "XNSE"),
    "EQNR.OL": ("EQNR", "XOSL"),
    "MC.PA": ("MC", "XPAR"),
    "PETR4.SA": ("PETR4", "BVMF"),
    "D05.SI": ("D05", "XSES"),
    "600519.SS": ("600519", "XSHG"),
    "ERIC-B.ST": ("ERIC-B", "XSTO"),
    "NESN.SW": ("NESN", "XSWX"),
    "000001.SZ": ("000001", "XSHE"),
    "7203.T": ("7203", "XJPX"),
    "TEVA.TA": ("TEVA", "XTAE"),
    "RY.TO": ("RY", "XTSE"),
    "2330.TW": ("2330", "XTAI"),
    "OMV.VI": ("OMV", "XWBO"),
    "PKO.WA": ("PKO", "XWAR"),
}


@pytest.mark.parametrize(("symbol", "expected"), LISTED.items())
def test_a_listed_symbol_is_asked_for_on_its_market(symbol, expected):
    instrument = instrument_of(symbol)
    assert (instrument.symbol, instrument.market) == (expected[0], (("mic_code", expected[1]),))
    assert not instrument.is_pair


def test_every_market_has_a_case_above():
    assert {symbol[symbol.index(".") :] for symbol in LISTED} == set(MARKETS)
    assert len(set(MARKETS.values())) == len(MARKETS)


@pytest.mark.parametrize(("symbol", "parameters"), NAMES.items())
def test_plain_tickers_are_american_and_pairs_have_no_market(symbol, parameters):
    instrument = instrument_of(symbol)
    assert {"symbol": instrument.symbol, **dict(instrument.market)} == parameters
    assert instrument.is_pair == ("/" in parameters["symbol"])


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [("BTC-USD", "BTC/USD"), ("ETH-EUR", "ETH/EUR"), ("JPY=X", "USD/JPY"), ("GBPINR=X", "GBP/INR")],
)
def test_a_pair_is_written_with_a_slash(symbol, expected):
    assert instrument_of(symbol).symbol == expected
    assert instrument_of(symbol).is_pair
    assert instrument_of(symbol).rests == symbol.endswith("=X")


@pytest.mark.parametrize(
    ("symbol", "words"),
    [
        ("GC=F", "does not serve futures"),
        ("^NSEI", "does not serve indices"),
        ("ABC.XX", r"no market for the suffix '\.XX'"),
    ],
)
def test_what_it_lacks_is_refused_with_what_to_do(symbol, words):
    escaped = symbol.replace("^", r"\^")
    with pytest.raises(SourceDataError, match=rf"^{escaped}: .*{words}.*source yahoo or csv"):
        instrument_of(symbol)
