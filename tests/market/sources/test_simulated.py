from __future__ import annotations

import tracemalloc
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.calendars import sessions
from roi_forecast.market.checks.bar_checks import split_doubted
from roi_forecast.market.sources import simulated_shocks
from roi_forecast.market.sources.simulated import ORIGIN, SimulatedSource
from roi_forecast.market.sources.simulated_markets import market_of, sector_of
from roi_forecast.market.sources.simulated_shocks import (
    random_stream,
    simulate_sessions,
    simulate_shocks,
)
from roi_forecast.market.sources.source import NoPricesError
from roi_forecast.universe import load_universe

MARKET = SimulatedSource(today=date(2026, 11, 23))
UNIVERSE = load_universe().assets
ASSETS = load_universe().select(["RELIANCE.NS", "TCS.NS", "INFY.NS", "GC=F", "^GSPC", "INFY"])
PAYER = load_universe().asset("INFY.NS")
"""A stock that pays dividends; not all do."""
START, END = date(2015, 1, 1), date(2024, 12, 31)


@settings(max_examples=20)
@given(st.dates(START, END), st.dates(START, END))
def test_fetch_gives_the_same_bars_whatever_range_is_asked(one, other):
    start, end = min(one, other), max(one, other)
    whole = MARKET.fetch(ASSETS[0], START, END).bars
    inside = whole["trading_date"].between(pd.Timestamp(start), pd.Timestamp(end))
    if not inside.any():
        with pytest.raises(NoPricesError):
            MARKET.fetch(ASSETS[0], start, end)
        return
    expected = whole[inside].reset_index(drop=True)
    pd.testing.assert_frame_equal(MARKET.fetch(ASSETS[0], start, end).bars, expected)


@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset.symbol)
def test_fetch_has_a_consistent_bar_on_every_session_of_the_assets_exchange(asset):
    bars = MARKET.fetch(asset, START, END).bars
    assert tuple(bars.columns) == BAR_COLUMNS
    assert pd.DatetimeIndex(bars["trading_date"]).equals(sessions(asset.exchange, START, END))
    assert (bars["low"] > 0).all()
    assert (bars["high"] >= bars[["open", "close"]].max(axis=1)).all()
    assert (bars["low"] <= bars[["open", "close"]].min(axis=1)).all()


def test_fetch_continues_past_the_end_of_the_calendar():
    bars = MARKET.fetch(ASSETS[0], date(2027, 3, 1), date(2027, 3, 5)).bars
    assert len(bars) == 5


def test_fetch_refuses_dates_before_the_market_began():
    with pytest.raises(NoPricesError, match=r"RELIANCE\.NS: no bars from 1980-01-01"):
        MARKET.fetch(ASSETS[0], date(1980, 1, 1), date(1980, 12, 31))


@pytest.fixture(scope="module")
def log_returns() -> pd.DataFrame:
    """Twenty-five years of log ROIs of all default assets, shape (common sessions - 1, assets)."""
    closes = {
        asset.symbol: MARKET.fetch(asset, date(2000, 1, 3), END).bars.set_index("trading_date")
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


def test_assets_of_a_market_move_together_and_those_of_one_sector_more_so(log_returns):
    pairs = np.triu_indices(len(UNIVERSE), 1)
    correlation = log_returns.corr().to_numpy()[pairs]
    sectors = np.array([sector_of(asset) for asset in UNIVERSE])
    markets = np.array([market_of(asset) for asset in UNIVERSE])
    same_sector = (sectors[:, None] == sectors)[pairs]
    same_market = (markets[:, None] == markets)[pairs]
    assert (correlation[same_market] > 0.05).all()
    assert (correlation[same_market] < 0.9).all()
    others = correlation[same_market & ~same_sector]
    assert correlation[same_sector].mean() > others.mean() + 0.05
    assert np.abs(correlation[~same_market]).max() < 0.06


def test_unusual_volume_comes_before_larger_moves_but_not_with_them():
    same_day, next_day = [], []
    for asset in UNIVERSE:
        bars = MARKET.fetch(asset, date(2000, 1, 3), END).bars
        size = np.log(bars["adj_close"]).diff().abs()
        volume = np.log(bars["volume"])
        same_day.append(volume.corr(size))
        next_day.append(volume.corr(size.shift(-1)))
    assert abs(np.mean(same_day)) < 0.01
    assert 0.04 < np.mean(next_day) < 0.15


def test_shocks_equal_those_of_the_recursion_written_out():
    days = 1100
    draws = random_stream("A", "own").standard_t(simulated_shocks.DEGREES_OF_FREEDOM, days)
    scaled = draws / np.sqrt(1.5)  # a Student's t of 6 degrees has the variance 6 / 4
    variance, expected = 1.0, []
    for draw in scaled:
        shock = variance**0.5 * draw
        expected.append(shock)
        reaction = 0.03 + (0.08 if shock < 0 else 0)
        variance = 1 - 0.03 - 0.08 / 2 - 0.90 + reaction * shock**2 + 0.90 * variance
    np.testing.assert_allclose(simulate_shocks("A", "own", days), expected, rtol=1e-9)


def test_overnight_shocks_are_independent_but_share_the_volatility_of_the_session():
    days = 1100
    overnight, intraday = simulate_sessions("A", days)
    np.testing.assert_array_equal(intraday, simulate_shocks("A", "intraday", days))
    scale = np.sqrt(1.5)
    drawn, drawn_overnight = (
        random_stream("A", purpose).standard_t(simulated_shocks.DEGREES_OF_FREEDOM, days) / scale
        for purpose in ("intraday", "overnight")
    )
    np.testing.assert_allclose(overnight / drawn_overnight, intraday / drawn)


def test_exchanges_differ_in_their_holidays():
    indian, metal = (
        set(MARKET.fetch(load_universe().asset(symbol), START, END).bars["trading_date"])
        for symbol in ("TCS.NS", "GC=F")
    )
    assert len(indian - metal) > 10
    assert len(metal - indian) > 10


@pytest.mark.parametrize("asset", UNIVERSE, ids=lambda asset: asset.symbol)
def test_every_default_asset_has_all_its_bars_up_to_the_present(asset):
    today = date(2026, 11, 23)
    bars = MARKET.fetch(asset, date(2024, 1, 1), today).bars
    expected = sessions(asset.exchange, date(2024, 1, 1), today)
    assert pd.DatetimeIndex(bars["trading_date"]).equals(expected)


@pytest.mark.parametrize("symbol", [*(asset.symbol for asset in UNIVERSE), "SPLIT2024.NS"])
def test_no_simulated_bar_is_doubted(symbol):
    bars = MARKET.fetch(load_universe().asset(symbol), date(2000, 1, 3), END).bars
    assert split_doubted(symbol, bars, [])[1] == []


def fetch_as_known_on(day: date, symbol: str) -> pd.DataFrame:
    market = SimulatedSource(today=day)
    return market.fetch(load_universe().asset(symbol), START, day).bars.set_index("trading_date")


def test_dividends_lower_the_close_but_not_the_adjusted_close():
    bars = MARKET.fetch(PAYER, START, END).bars
    payout = bars["adj_close"].pct_change() - bars["close"].pct_change()
    ex_days = payout > 0.001
    assert 15 <= ex_days.sum() <= 21  # ten years, twice a year
    assert payout[ex_days].between(0.002, 0.013).all()
    assert payout[~ex_days].abs().max() < 0.001


def test_a_dividend_restates_adjusted_closes_before_it_and_nothing_else():
    whole = fetch_as_known_on(END, PAYER.symbol)
    payout = whole["adj_close"].pct_change() - whole["close"].pct_change()
    ex_date = payout.index[payout > 0.001][-1]
    before = fetch_as_known_on((ex_date - timedelta(days=1)).date(), PAYER.symbol)
    after = fetch_as_known_on(ex_date.date(), PAYER.symbol)
    ratio = after["adj_close"] / before["adj_close"]
    assert ratio.max() == pytest.approx(ratio.min())
    assert 0.98 < ratio.iloc[0] < 0.999
    assert after["close"].reindex(before.index).equals(before["close"])
    newest = after.iloc[-1]
    assert newest["adj_close"] == newest["close"]


def test_a_split_restates_prices_and_volumes_before_it_and_leaves_returns_as_they_were():
    symbol = "SPLIT2024.NS"
    whole = fetch_as_known_on(END, symbol)
    days = pd.date_range("2024-01-01", "2024-12-31")
    known = {day: fetch_as_known_on(day.date(), symbol)["close"].iloc[0] for day in days[::30]}
    assert set(np.round(np.array(list(known.values())) / whole["close"].iloc[0], 6)) == {5.0, 1.0}
    before = fetch_as_known_on(date(2023, 12, 29), symbol)
    after = whole.loc[before.index]
    for name in ("open", "high", "low", "close"):
        np.testing.assert_allclose(after[name], before[name] / 5)
    np.testing.assert_allclose(after["volume"], before["volume"] * 5, rtol=1e-4)
    np.testing.assert_allclose(
        after["adj_close"].pct_change().dropna(), before["adj_close"].pct_change().dropna()
    )
    assert whole["close"].pct_change().abs().max() < 0.5


def test_a_stock_that_has_become_dear_is_split():
    prices = MARKET.fetch(load_universe().asset("TCS.NS"), ORIGIN, END).bars
    assert prices["close"].pct_change().abs().max() < 0.5
    symbols = [f"S{number}.NS" for number in range(40)]
    moved = []
    for asset in load_universe().select(symbols):
        early = SimulatedSource(date(2000, 1, 3)).fetch(asset, ORIGIN, date(2000, 1, 3)).bars
        late = MARKET.fetch(asset, ORIGIN, date(2000, 1, 3)).bars
        moved.append(round(float(early["close"].iloc[0] / late["close"].iloc[0]), 6))
    assert set(moved) >= {1.0, 5.0}
    assert set(moved) <= {1.0, 5.0, 25.0, 125.0}


@pytest.mark.parametrize("symbol", ["PL=F", "^GSPC"])
def test_metals_and_indices_pay_no_dividends(symbol):
    bars = MARKET.fetch(load_universe().asset(symbol), START, END).bars
    assert (bars["adj_close"] == bars["close"]).all()


def test_a_symbol_that_asks_for_it_is_listed_late():
    asset = load_universe().asset("LISTED2023.NS")
    bars = MARKET.fetch(asset, START, END).bars
    first = bars["trading_date"].iloc[0]
    assert first.year == 2023
    assert len(bars) == len(sessions(asset.exchange, first.date(), END))
    others = load_universe().select([f"LISTED2023{letter}.NS" for letter in "ABCD"])
    assert len({MARKET.fetch(a, START, END).bars["trading_date"].iloc[0] for a in others}) > 1


def test_a_symbol_that_asks_for_it_is_delisted():
    asset = load_universe().asset("DELISTED2024.NS")
    bars = MARKET.fetch(asset, START, END).bars
    last = bars["trading_date"].iloc[-1]
    assert last.year == 2024
    assert len(bars) == len(sessions(asset.exchange, START, last.date()))
    with pytest.raises(NoPricesError):
        MARKET.fetch(asset, date(2025, 1, 1), date(2025, 12, 31))


def test_a_symbol_that_asks_for_it_lacks_bars():
    asset = load_universe().asset("GAPS10.NS")
    share = len(MARKET.fetch(asset, START, END).bars) / len(sessions(asset.exchange, START, END))
    assert 0.88 < share < 0.92


def test_memory_does_not_grow_with_the_number_of_assets():
    def peak(symbols: list[str]) -> int:
        tracemalloc.reset_peak()
        for asset in load_universe().select(symbols):
            MARKET.fetch(asset, START, END)
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        few = peak([f"FEW{number}.NS" for number in range(10)])
        many = peak([f"MANY{number}.NS" for number in range(60)])
    finally:
        tracemalloc.stop()
    assert many < 1.2 * few
