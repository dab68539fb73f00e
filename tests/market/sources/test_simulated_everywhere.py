"""The simulated market on exchanges whose weeks differ."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from roi_forecast.market.calendars import sessions
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.universe import load_universe

UNIVERSE = load_universe()
MARKET = SimulatedSource(today=date(2026, 11, 23))
START, END = date(1997, 1, 2), date(2027, 6, 30)


BY_CALENDAR = {exchange.calendar: exchange for exchange in UNIVERSE.exchanges}


@pytest.mark.parametrize("exchange", BY_CALENDAR.values(), ids=BY_CALENDAR)
def test_there_is_a_bar_on_every_session_of_every_exchange(exchange) -> None:
    asset = replace(UNIVERSE.asset("SAP.DE"), exchange=exchange)
    bars = MARKET.fetch(asset, START, END).bars
    assert pd.DatetimeIndex(bars["trading_date"]).equals(sessions(exchange, START, END))


def test_a_cryptocurrency_moves_on_weekends_as_on_other_days() -> None:
    bars = MARKET.fetch(UNIVERSE.asset("BTC-USD"), date(2010, 1, 1), END).bars
    moves = np.log(bars["close"]).diff()
    size = moves.groupby(bars["trading_date"].dt.day_of_week).std()
    assert len(size) == 7
    assert size.max() / size.min() < 1.3


def test_the_bars_of_weekday_exchanges_are_those_before_other_weeks_came() -> None:
    # Written down when every path had Monday to Friday.
    closes = {
        symbol: MARKET.fetch(UNIVERSE.asset(symbol), date(2024, 12, 26), date(2024, 12, 27))
        .bars["close"]
        .tolist()
        for symbol in ("RELIANCE.NS", "GC=F", "^GSPC", "INFY", "INR=X")
    }
    assert closes == {
        "RELIANCE.NS": [930.77, 938.7],
        "GC=F": [1837.74, 1862.54],
        "^GSPC": [456.68, 458.42],
        "INFY": [338.62, 339.49],
        "INR=X": [138.94, 140.02],
    }
