from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
import pandas as pd
import pytest
from pandas.tseries.offsets import BDay

from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.market.sources.simulated_markets import implied_by, lead_of
from roi_forecast.universe import Asset, load_universe

UNIVERSE = load_universe()
MARKET = SimulatedSource(today=date(2024, 12, 31))
US = UNIVERSE.select(["^GSPC", "^NDX", "INFY", "WIT", "HDB", "IBN"])
INDIAN = tuple(asset for asset in UNIVERSE.assets if asset.exchange.calendar == "XBOM")
METALS = tuple(asset for asset in UNIVERSE.assets if asset.exchange.calendar == "CMES")


@dataclass(frozen=True)
class Fit:
    """Least squares without a constant; `errors` allow for changing volatility (White 1980)."""

    weights: np.ndarray
    errors: np.ndarray
    r2: float
    r2_error: float


def fit_least_squares(inputs: np.ndarray, targets: np.ndarray) -> Fit:
    weights, *_ = np.linalg.lstsq(inputs, targets, rcond=None)
    residuals = targets - inputs @ weights
    inverse = np.linalg.inv(inputs.T @ inputs)
    scores = inputs * residuals[:, None]
    errors = np.sqrt(np.diag(inverse @ scores.T @ scores @ inverse))
    gains = (targets**2 - residuals**2) / np.mean(targets**2)
    r2_error = float(np.std(gains) / np.sqrt(len(gains)))
    return Fit(weights, errors, float(gains.mean()), r2_error)


@cache
def parts_of(asset: Asset) -> pd.DataFrame:
    """Return gap, open to close and log ROI of the days whose weekday before has a bar too."""
    bars = MARKET.fetch(asset, date(1998, 1, 1), date(2024, 12, 31)).bars.set_index("trading_date")
    opened = np.log(bars["open"] * bars["adj_close"] / bars["close"])
    closed = np.log(bars["adj_close"])
    parts = pd.DataFrame({"gap": opened - closed.shift(), "open_to_close": closed - opened})
    parts["log_roi"] = parts["gap"] + parts["open_to_close"]
    follows = bars.index[1:] == bars.index[:-1] + BDay()
    return parts[1:][follows]


def fit_part(
    part: str, asset: Asset, context: tuple[Asset, ...], weekdays: int, earlier: int = 0
) -> Fit:
    """Regress a part of the asset's log ROI on context moves, as anyone could from the bars."""
    moves = pd.concat([parts_of(each)["log_roi"] for each in context], axis=1, join="inner")
    moves.index = moves.index + (weekdays + earlier) * BDay()
    joined = pd.concat([parts_of(asset)[part], moves], axis=1, join="inner")
    return fit_least_squares(joined.to_numpy()[:, 1:], joined.to_numpy()[:, 0])


PAIRS = [(asset, US, 1) for asset in INDIAN] + [(asset, INDIAN[:8], 0) for asset in US]
NAMES = [f"{asset.symbol} on {len(context)} assets" for asset, context, _ in PAIRS]


@pytest.mark.parametrize(("asset", "context", "weekdays"), PAIRS, ids=NAMES)
def test_bars_alone_give_the_implied_weights_and_r2_back(asset, context, weekdays):
    implied = implied_by(context, asset)
    gap = fit_part("gap", asset, context, weekdays)
    assert (np.abs(gap.weights - implied.weights) < 4 * gap.errors).all()
    assert abs(gap.r2 - implied.gap_r2) < 4 * gap.r2_error
    log_roi = fit_part("log_roi", asset, context, weekdays)
    assert abs(log_roi.r2 - implied.log_roi_r2) < 4 * log_roi.r2_error


@pytest.mark.parametrize(("asset", "context", "weekdays"), PAIRS, ids=NAMES)
def test_nothing_leads_from_open_to_close_and_nothing_older_leads(asset, context, weekdays):
    for fit in (
        fit_part("open_to_close", asset, context, weekdays),
        fit_part("gap", asset, context, weekdays, earlier=1),
    ):
        assert (np.abs(fit.weights) < 4 * fit.errors).all()
        assert fit.r2 < 0.006


@pytest.mark.parametrize("part", ["gap", "open_to_close"])
@pytest.mark.parametrize("asset", METALS, ids=lambda asset: asset.symbol)
def test_nothing_leads_metals_and_metals_lead_nothing(asset, part):
    assert lead_of(asset) is None
    assert implied_by(US, asset).gap_r2 == 0
    for fit in (fit_part(part, asset, US, 1), fit_part(part, INDIAN[0], METALS, 1)):
        assert (np.abs(fit.weights) < 4 * fit.errors).all()
        assert fit.r2 < 0.006
    assert not implied_by(METALS, INDIAN[0]).weights.any()
