"""One fit of the linear part: weights of the context and of an asset's own last log ROIs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roi_forecast.array_types import BoolArray, FloatArray
from roi_forecast.features.rounding import beyond_rounding
from roi_forecast.linear.discount import discounted_factor
from roi_forecast.linear.ridge import fit_days, fit_pooled

LAGS = 5
"""Own log ROIs before the target, as many as smoothing spans by default."""

# The strength is chosen on the same days that the factor is judged on.
_LEAST_T_OF_LAGS = 2.0
_MIN_OPENS = 0.5


@dataclass(frozen=True)
class LinearFit:
    """Weights of the next session's log ROI.

    Attributes:
        gap: Weights of the context moves for the opening gap, shape (context assets, assets); 0 for
            an asset whose opens are not known.
        rest: Likewise for the log ROI from open to close, or for all of it without opens.
        lags: Weights of the asset's own log ROIs, shape (LAGS, assets), the newest first.
        has_opens: Whether gap and rest could be told apart, shape (assets,).
    """

    gap: FloatArray
    rest: FloatArray
    lags: FloatArray
    has_opens: BoolArray


def fit_linear(
    context: FloatArray,
    log_roi: FloatArray,
    gap: FloatArray,
    groups: Sequence[object],
    targets: range,
    half_life: float,
) -> LinearFit:
    """Fit on target rows; no row after the last target is read.

    The gap is far less noisy than the whole log ROI, and what other markets know lies in it. So gap
    and open to close are fitted apart. Everything is in units of each asset's deviation, so that
    assets count alike. The weights of a group are fitted to the mean of its assets, and what an
    asset does beyond its group to the rest; each with its own strength, by leaving out days.

    Args:
        context: Context moves, shape (rows, context assets); those of the row before a target are
            its inputs.
        log_roi: Shape (rows, assets), NaN where an entry does not count.
        gap: The opening gap in it, same shape, NaN where there is no open.
        groups: What the assets belong to, one for each; assets with equal ones share weights.
        targets: Target rows, at least LAGS in.
        half_life: Sessions after which a target counts half.
    """
    rows = slice(targets.start, targets.stop)
    day_weights = 0.5 ** (np.arange(len(targets))[::-1] / half_life)
    actual = log_roi[rows]
    counted = np.isfinite(actual)
    deviations = _deviations(actual, counted, day_weights)
    moves = deviations > 0
    has_opens = np.isfinite(gap[rows]).sum(axis=0) > _MIN_OPENS * counted.sum(axis=0)
    inputs = context[targets.start - 1 : targets.stop - 1]
    units = np.sqrt(np.average(inputs**2, axis=0, weights=day_weights))
    units = np.where(beyond_rounding(units, 1.0), units, np.inf)
    inputs = inputs / units

    assets = actual.shape[1]
    fit = LinearFit(
        np.zeros((len(units), assets)),
        np.zeros((len(units), assets)),
        np.zeros((LAGS, assets)),
        has_opens,
    )
    names = [(group, bool(opens)) for group, opens in zip(groups, has_opens, strict=True)]
    for name in dict.fromkeys(names):
        own = np.array([other == name for other in names]) & moves
        if not own.any():
            continue
        scaled = actual[:, own] / deviations[own]
        parts = [scaled]
        if name[1]:
            opening = gap[rows][:, own] / deviations[own]
            parts = [opening, scaled - opening]
        left_out = np.zeros(scaled.shape)
        if len(units):
            fits = [_fit_part(inputs, part, day_weights) for part in parts]
            for weights, (found, _) in zip((fit.rest, fit.gap), fits[::-1], strict=False):
                weights[:, own] = found / units[:, np.newaxis] * deviations[own]
            left_out = np.add.reduce([predicted for _, predicted in fits])
        # nan_to_num also looks twice for infinity, which no log ROI is.
        lagged = np.where(np.isnan(log_roi[:, own]), 0.0, log_roi[:, own]) / deviations[own]
        fit.lags[:, own] = _fit_lags(lagged, scaled - left_out, targets, day_weights)[:, np.newaxis]
    return fit


def group_days(
    forecast: FloatArray, actual: FloatArray, day_weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return what `discounted_factor` takes, with every asset in units of its deviation.

    Args:
        forecast: Log ROI, shape (days, assets).
        actual: Same shape, NaN where an entry does not count.
        day_weights: Shape (days,).
    """
    counted = np.isfinite(actual)
    deviations = _deviations(actual, counted, day_weights)
    inverse = np.divide(1.0, deviations**2, out=np.zeros_like(deviations), where=deviations > 0)
    known = np.where(counted, forecast, 0.0)
    products = (known * np.where(counted, actual, 0.0)) @ inverse
    return products * day_weights, (known**2 @ inverse) * day_weights


def _deviations(actual: FloatArray, counted: BoolArray, day_weights: FloatArray) -> FloatArray:
    """Return each asset's root mean square, shape (assets,); 0 where its price does not move."""
    power = day_weights @ np.where(counted, actual, 0.0) ** 2
    total = day_weights @ counted
    mean = np.divide(power, total, out=np.zeros_like(power), where=total > 0)
    root: FloatArray = np.sqrt(mean)
    return np.where(beyond_rounding(root, 1.0), root, 0.0)


def _fit_part(
    inputs: FloatArray, part: FloatArray, day_weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the weights of a group's assets, and their predictions of left-out days."""
    counted = np.isfinite(part)
    count = counted.sum(axis=1)
    known = np.where(counted, part, 0.0)
    mean = (known.sum(axis=1) / np.maximum(count, 1))[:, np.newaxis]
    days = count > 0
    weights = np.zeros((inputs.shape[1], part.shape[1]))
    left_out = np.zeros(part.shape)
    if not days.any():
        return weights, left_out
    # A day counts by how many of the assets it has.
    shared = fit_days(inputs[days], mean[days], day_weights[days] * count[days] / part.shape[1])
    weights += shared.weights
    left_out[days] += shared.left_out
    if part.shape[1] > 1:
        # An asset without a value does as its group does.
        beyond = np.where(counted, part - mean, 0.0)
        own = fit_days(inputs[days], beyond[days], day_weights[days])
        weights += own.weights
        left_out[days] += own.left_out
    return weights, left_out


def _fit_lags(
    lagged: FloatArray, actual: FloatArray, targets: range, day_weights: FloatArray
) -> FloatArray:
    """Return weights of the own last log ROIs that all assets share, shape (LAGS,).

    Args:
        lagged: Log ROIs of all rows, scaled, 0 where one does not count, shape (rows, assets).
        actual: What the context leaves of the targets, scaled, NaN where an entry does not count.
        targets: Their rows.
        day_weights: Shape (targets,).
    """
    counted = np.isfinite(actual)
    known = np.where(counted, actual, 0.0)
    lags = [
        np.where(counted, lagged[targets.start - lag : targets.stop - lag], 0.0)
        for lag in range(1, LAGS + 1)
    ]
    grams = np.empty((len(targets), LAGS, LAGS))
    moments = np.empty((len(targets), LAGS))
    for number, own in enumerate(lags):
        moments[:, number] = day_weights * np.einsum("da,da->d", own, known)
        for other in range(number, LAGS):
            product = day_weights * np.einsum("da,da->d", own, lags[other])
            grams[:, number, other] = grams[:, other, number] = product
    found = fit_pooled(grams, moments)
    products = (found.left_out * moments).sum(axis=1)
    squares = np.einsum("di,dij,dj->d", found.left_out, grams, found.left_out)
    return found.weights * discounted_factor(products, squares, _LEAST_T_OF_LAGS)
