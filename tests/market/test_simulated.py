from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from roi_forecast.market.calendars import sessions
from roi_forecast.market.simulated import SimulatedSource
from roi_forecast.market.source import BAR_COLUMNS, NoPricesError
from roi_forecast.universe import load_universe

MARKET = SimulatedSource()
ASSETS = load_universe().select(["RELIANCE.NS", "TCS.NS", "INFY.NS", "GC=F"])
START, END = date(2015, 1, 1), date(2024, 12, 31)


@settings(max_examples=20, deadline=None)
@given(st.dates(START, END), st.dates(START, END))
def test_fetch_gives_the_same_bars_whatever_range_is_asked(one, other):
    start, end = min(one, other), max(one, other)
    whole = MARKET.fetch(ASSETS[0], START, END)
    inside = whole["trading_date"].between(pd.Timestamp(start), pd.Timestamp(end))
    if not inside.any():
        with pytest.raises(NoPricesError):
            MARKET.fetch(ASSETS[0], start, end)
        return
    expected = whole[inside].reset_index(drop=True)
    pd.testing.assert_frame_equal(MARKET.fetch(ASSETS[0], start, end), expected)


@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset.symbol)
def test_fetch_has_a_consistent_bar_on_every_session_of_the_assets_exchange(asset):
    bars = MARKET.fetch(asset, START, END)
    assert tuple(bars.columns) == BAR_COLUMNS
    assert pd.DatetimeIndex(bars["trading_date"]).equals(sessions(asset.exchange, START, END))
    assert (bars["low"] > 0).all()
    assert (bars["high"] >= bars[["open", "close"]].max(axis=1)).all()
    assert (bars["low"] <= bars[["open", "close"]].min(axis=1)).all()


def test_fetch_goes_on_past_the_end_of_the_calendar():
    bars = MARKET.fetch(ASSETS[0], date(2027, 3, 1), date(2027, 3, 5))
    assert len(bars) == 5


def test_fetch_refuses_dates_before_the_market_began():
    with pytest.raises(NoPricesError, match=r"RELIANCE\.NS: no bars from 1980-01-01"):
        MARKET.fetch(ASSETS[0], date(1980, 1, 1), date(1980, 12, 31))


def test_returns_share_a_factor_and_have_fat_tails():
    closes = pd.concat(
        {a.symbol: MARKET.fetch(a, START, END).set_index("trading_date")["close"] for a in ASSETS},
        axis=1,
        sort=True,
    ).dropna()
    returns = np.log(closes).diff().dropna()
    correlation = returns.corr().to_numpy()[np.triu_indices(len(ASSETS), 1)]
    assert (correlation > 0.1).all()
    assert (correlation < 0.9).all()
    assert (stats.kurtosis(returns) > 1).all()
    assert (returns.std().between(0.007, 0.03)).all()
