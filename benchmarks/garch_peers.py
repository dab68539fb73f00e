"""GARCH peers by `arch`: Bollerslev's with Student's t, and GJR with Hansen's skewed t."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from arch import arch_model
from arch.univariate.base import ARCHModel, ARCHModelResult
from peers import PeerForecasts, no_forecasts, parts_of

from roi_forecast.array_types import FloatArray
from roi_forecast.features.dataset import Dataset
from roi_forecast.forecaster.conformal import LEVELS

_PATHS = 4000
_SEED = 20_241_227


def garch(dataset: Dataset, refits: Sequence[int]) -> PeerForecasts:
    """GARCH(1,1) with a constant mean and Student's t (Bollerslev, 1987), asset by asset.

    Within a fold the variance moves on row by row.
    """
    return _forecasts(dataset, refits, {"dist": "t"})


def gjr_garch(dataset: Dataset, refits: Sequence[int]) -> PeerForecasts:
    """GJR-GARCH(1,1,1) (Glosten, Jagannathan and Runkle, 1993) with Hansen's skewed t (1994)."""
    return _forecasts(dataset, refits, {"o": 1, "dist": "skewt"})


def garch_ahead(dataset: Dataset, refits: Sequence[int], horizons: Sequence[int]) -> FloatArray:
    """Return the bounds of `garch` for the log ROI over several sessions, by simulated paths.

    The quantiles of the sum over 4,000 paths, whose draws of a fit all its origins share.

    Args:
        dataset: The rows.
        refits: Rows before which it is fitted again, ascending.
        horizons: Sessions from the row before the origin, ascending.

    Returns:
        Log ROI, shape (horizons, levels, 2, rows, assets); NaN before the first refit.
    """
    shares = np.array([[0.5 - level / 2, 0.5 + level / 2] for level in LEVELS])
    shape = len(horizons), *shares.shape, *dataset.log_roi.shape
    bounds = np.full(shape, np.nan)
    wanted = {horizon: number for number, horizon in enumerate(horizons)}
    for asset in range(len(dataset.symbols)):
        for part in parts_of(refits, len(dataset.dates)):
            _, fitted = _fit(dataset, asset, part, {"dist": "t"})
            _, variance = _next(fitted, part)
            mean, omega, alpha, beta, freedom = fitted.params.to_numpy()
            # Of its own for each fit: how many numbers a draw takes depends on the fit before.
            generator = np.random.default_rng((_SEED, asset, part.start))
            draws = generator.standard_t(freedom, (horizons[-1], 1, _PATHS))
            draws *= np.sqrt((freedom - 2) / freedom)
            paths = np.broadcast_to(variance[:, np.newaxis], (len(part), _PATHS))
            total = np.zeros(paths.shape)
            for step, draw in enumerate(draws, start=1):
                shock = np.sqrt(paths) * draw
                total += mean + shock
                paths = omega + alpha * shock**2 + beta * paths
                if step in wanted:
                    found = np.quantile(total, shares, axis=1) / 100
                    bounds[wanted[step], :, :, part.start : part.stop, asset] = found
    return bounds


def _forecasts(dataset: Dataset, refits: Sequence[int], settings: dict[str, Any]) -> PeerForecasts:
    point, bounds = no_forecasts(dataset)
    for asset in range(len(dataset.symbols)):
        for part in parts_of(refits, len(dataset.dates)):
            model, fitted = _fit(dataset, asset, part, settings)
            mean, variance = _next(fitted, part)
            names = model.distribution.parameter_names()
            shape = fitted.params[names].to_numpy() if names else None
            rows = slice(part.start, part.stop)
            point[rows, asset] = mean / 100
            for number, level in enumerate(LEVELS):
                shares = np.array([0.5 - level / 2, 0.5 + level / 2])
                # Quantiles of a variable with mean 0 and variance 1.
                for side, quantile in enumerate(model.distribution.ppf(shares, shape)):
                    bound = mean + quantile * np.sqrt(variance)
                    bounds[number, side, rows, asset] = bound / 100
    return PeerForecasts(point, bounds)


def _fit(
    dataset: Dataset, asset: int, part: range, settings: dict[str, Any]
) -> tuple[ARCHModel, ARCHModelResult]:
    percent = 100 * dataset.log_roi[: part.stop, asset]
    model = arch_model(percent, rescale=False, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model, model.fit(disp="off", last_obs=part.start, show_warning=False)


def _next(fitted: ARCHModelResult, part: range) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance of each row of the part, in percent, shape (part,)."""
    forecast = fitted.forecast(horizon=1, start=part.start - 1, reindex=False)
    count = len(part)
    return forecast.mean.to_numpy()[:count, 0], forecast.variance.to_numpy()[:count, 0]
