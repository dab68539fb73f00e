from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from roi_forecast.market.calendars import sessions
from roi_forecast.market.simulated import SimulatedSource, sector_of
from roi_forecast.market.source import BAR_COLUMNS, NoPricesError
from roi_forecast.universe import load_universe

MARKET = SimulatedSource()
UNIVERSE = load_universe().assets
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


@pytest.fixture(scope="module")
def log_returns() -> pd.DataFrame:
    """Twenty-five years of log ROIs of all default assets, shape (common sessions - 1, assets)."""
    closes = {
        asset.symbol: MARKET.fetch(asset, date(2000, 1, 3), END).set_index("trading_date")
        for asset in UNIVERSE
    }
    adjusted = {symbol: bars["adj_close"] for symbol, bars in closes.items()}
    return np.log(pd.concat(adjusted, axis=1, sort=True).dropna()).diff().dropna()


def test_returns_have_fat_tails_and_plausible_size(log_returns):
    assert (stats.kurtosis(log_returns) > 1).all()
    assert log_returns.std().between(0.008, 0.03).all()
    assert (log_returns.mean().abs() < 0.001).all()


def test_wild_days_follow_wild_days_but_returns_do_not_follow_returns(log_returns):
    lags = range(1, 11)
    sizes = [log_returns[s].abs().autocorr(lag) for s in log_returns for lag in lags]
    signed = [log_returns[s].autocorr(lag) for s in log_returns for lag in lags]
    assert np.mean(sizes) > 0.07
    assert abs(np.mean(signed)) < 0.01


def test_losses_are_followed_by_larger_moves_than_gains_are(log_returns):
    next_size = log_returns.abs().shift(-1)
    correlation = [log_returns[s].corr(next_size[s]) for s in log_returns]
    assert np.mean(correlation) < -0.02


def test_assets_move_together_and_those_of_one_sector_more_so(log_returns):
    pairs = np.triu_indices(len(UNIVERSE), 1)
    correlation = log_returns.corr().to_numpy()[pairs]
    sectors = np.array([sector_of(asset) for asset in UNIVERSE])
    same = (sectors[:, None] == sectors)[pairs]
    assert (correlation > 0.05).all()
    assert (correlation < 0.9).all()
    assert correlation[same].mean() > correlation[~same].mean() + 0.05


def test_dividends_lower_the_close_but_not_the_adjusted_close():
    bars = MARKET.fetch(ASSETS[0], START, END)
    payout = bars["adj_close"].pct_change() - bars["close"].pct_change()
    ex_days = payout > 0.001
    assert 15 <= ex_days.sum() <= 21  # ten years, twice a year
    assert payout[ex_days].between(0.002, 0.013).all()
    assert payout[~ex_days].abs().max() < 0.001


def test_metals_pay_no_dividends():
    bars = MARKET.fetch(UNIVERSE[-1], START, END)
    assert (bars["adj_close"] == bars["close"]).all()
