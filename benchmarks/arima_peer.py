"""AutoARIMA on the log ROI: orders by the stepwise search of Hyndman and Khandakar (2008).

`statsforecast` asks for an older pandas than this project has, and the exact likelihood of
statsmodels is too slow for so many folds. Here weights are those of the conditional sum of
squares, as in the search of R's `auto.arima`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from peers import PeerForecasts, no_forecasts, parts_of
from scipy.optimize import least_squares
from scipy.signal import lfilter
from scipy.stats import norm

from roi_forecast.array_types import FloatArray
from roi_forecast.features.dataset import Dataset
from roi_forecast.forecaster.conformal import LEVELS

ORDERS_EVERY = 12
"""Refits between two searches for the order: about a year of sessions."""
_LARGEST = 5
_LEAST_ROOT = 1.001
"""A model with a root nearer to the unit circle is not taken, as in `auto.arima`."""


class Order(NamedTuple):
    """Orders of an ARIMA, which never differences: log ROIs are differences already.

    Attributes:
        autoregressive: Lags of the series.
        moving_average: Lags of its errors.
        trend: "c" with a constant, "n" without.
    """

    autoregressive: int
    moving_average: int
    trend: str


class Arima(NamedTuple):
    """A fitted model.

    Attributes:
        mean: Of the series.
        autoregressive: Weights of its lags, shape (lags,).
        moving_average: Weights of the lags of its errors, shape (lags,).
    """

    mean: float
    autoregressive: FloatArray
    moving_average: FloatArray

    def errors(self, values: FloatArray) -> FloatArray:
        """Return each value less its forecast from those before, zero before the first."""
        own = np.r_[1.0, -self.autoregressive]
        errors: FloatArray = lfilter(own, np.r_[1.0, self.moving_average], values - self.mean)
        return errors

    @property
    def is_stable(self) -> bool:
        """Whether it is stationary and invertible with some distance."""
        roots = [
            np.roots(np.r_[1.0, weights]) for weights in (-self.autoregressive, self.moving_average)
        ]
        return bool(np.abs(np.concatenate(roots)).max(initial=0.0) < 1 / _LEAST_ROOT)


_FIRST_TRIED = (
    Order(2, 2, "c"),
    Order(0, 0, "c"),
    Order(1, 0, "c"),
    Order(0, 1, "c"),
    Order(0, 0, "n"),
)


def auto_arima(dataset: Dataset, refits: Sequence[int]) -> PeerForecasts:
    """ARIMA asset by asset, normal errors; the state moves on row by row within a fold.

    The order is searched for at every twelfth refit, counted back from the last; the weights are
    fitted at each.
    """
    point, bounds = no_forecasts(dataset)
    for asset in range(len(dataset.symbols)):
        order = None
        for number, part in enumerate(parts_of(refits, len(dataset.dates))):
            percent = 100 * dataset.log_roi[: part.stop, asset]
            known, rows = percent[: part.start], slice(part.start, part.stop)
            if order is None or (len(refits) - number) % ORDERS_EVERY == 0:
                order = choose_order(known)
            fitted = fit_arima(known, order)
            errors = fitted.errors(percent)
            mean = percent[rows] - errors[rows]
            point[rows, asset] = mean / 100
            deviation = np.sqrt((errors[: part.start] ** 2).mean())
            for place, level in enumerate(LEVELS):
                half = norm.ppf(0.5 + level / 2) * deviation
                bounds[place, :, rows, asset] = np.stack([mean - half, mean + half]) / 100
    return PeerForecasts(point, bounds)


def choose_order(values: FloatArray) -> Order:
    """Return the order with the least corrected AIC that the stepwise search meets.

    Args:
        values: A series, shape (rows,).
    """
    known: dict[Order, float] = {}

    def criterion(order: Order) -> float:
        if order not in known:
            known[order] = corrected_aic(values, order)
        return known[order]

    best = min(_FIRST_TRIED, key=criterion)
    while True:
        nearest = min(_neighbours(best), key=criterion)
        if criterion(nearest) >= criterion(best):
            return best
        best = nearest


def fit_arima(values: FloatArray, order: Order) -> Arima:
    """Return the model with the least conditional sum of squares."""
    lags = order.autoregressive

    def model(weights: FloatArray) -> Arima:
        mean = float(weights[-1]) if order.trend == "c" else 0.0
        return Arima(mean, weights[:lags], weights[lags : lags + order.moving_average])

    start = np.zeros(lags + order.moving_average + (order.trend == "c"))
    if order.trend == "c":
        start[-1] = values.mean()
    if len(start) == 0 or order == Order(0, 0, "c"):
        return model(start)
    with np.errstate(over="ignore", invalid="ignore"):
        found = least_squares(lambda weights: model(weights).errors(values), start)
    return model(found.x)


def corrected_aic(values: FloatArray, order: Order) -> float:
    """Return the corrected AIC; infinite for a model that is not stable."""
    fitted = fit_arima(values, order)
    if not fitted.is_stable:
        return float("inf")
    count = len(values)
    free = order.autoregressive + order.moving_average + (order.trend == "c") + 1
    variance = max(float((fitted.errors(values) ** 2).mean()), np.finfo(float).tiny)
    return count * np.log(variance) + 2 * free * count / (count - free - 1)


def _neighbours(order: Order) -> list[Order]:
    """Return the orders one step away: either part or both, and the constant."""
    found = [order._replace(trend="n" if order.trend == "c" else "c")]
    for step, other in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1)):
        tried = Order(order.autoregressive + step, order.moving_average + other, order.trend)
        if min(tried[:2]) >= 0 and max(tried[:2]) <= _LARGEST:
            found.append(tried)
    return found
