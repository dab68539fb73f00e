"""Ridge regression whose strength is chosen by leaving out one day at a time, in closed form.

Assets move together, so the values of one day are no independent evidence: a day is left out whole.
That costs no refit. The error of a left-out day follows from the fit on all days (Allen, 1974, "The
Relationship between Variable Selection and Data Augmentation and a Method for Prediction").
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from roi_forecast.array_types import FloatArray

STRENGTHS = 10.0 ** np.arange(-4, 3.5, 0.5)
"""Penalties that are tried, in units of the total weight of the days; and an infinite one."""


class DayRidge(NamedTuple):
    """A fit on inputs that all outputs share.

    Attributes:
        weights: Shape (inputs, outputs); zero where leaving out days supports none.
        left_out: For each day its prediction by the fit without it, shape (days, outputs).
    """

    weights: FloatArray
    left_out: FloatArray


class PooledRidge(NamedTuple):
    """A fit of one set of weights for all assets, whose inputs differ.

    Attributes:
        weights: Shape (inputs,).
        left_out: For each day the weights of the fit without it, shape (days, inputs).
    """

    weights: FloatArray
    left_out: FloatArray


def fit_days(inputs: FloatArray, outputs: FloatArray, day_weights: FloatArray) -> DayRidge:
    """Fit outputs on inputs, without an intercept, with one strength for all outputs.

    Args:
        inputs: Shape (days, inputs).
        outputs: Shape (days, outputs).
        day_weights: Above 0, shape (days,).
    """
    roots = np.sqrt(day_weights)[:, np.newaxis]
    weighted = outputs * roots
    left, singular, right = np.linalg.svd(inputs * roots, full_matrices=False)
    moments = left.T @ weighted
    # The squared errors of all outputs follow from these, so that no strength needs a pass over
    # days x outputs.
    squares = np.einsum("do,do->d", weighted, weighted)
    cross = left * (weighted @ moments.T)
    products = moments @ moments.T

    def kept(strength: float) -> FloatArray:
        share: FloatArray = singular**2 / (singular**2 + strength * day_weights.sum())
        return share

    def loss(strength: float) -> float:
        fitted = left * kept(strength)
        leverage = (left * fitted).sum(axis=1)
        errors = squares - 2 * cross @ kept(strength) + ((fitted @ products) * fitted).sum(axis=1)
        return float((errors / (1 - leverage) ** 2).sum())

    losses = [loss(strength) for strength in STRENGTHS]
    best = int(np.argmin(losses))
    if losses[best] >= squares.sum():
        shape = (inputs.shape[1], outputs.shape[1])
        return DayRidge(np.zeros(shape), np.zeros(outputs.shape))
    share = kept(STRENGTHS[best])
    inverse = np.divide(share, singular, out=np.zeros_like(share), where=singular > 0)
    leverage = (left**2) @ share
    fitted = left @ (share[:, np.newaxis] * moments)
    errors = (weighted - fitted) / (1 - leverage)[:, np.newaxis]
    return DayRidge(right.T @ (inverse[:, np.newaxis] * moments), (weighted - errors) / roots)


def fit_pooled(grams: FloatArray, moments: FloatArray) -> PooledRidge:
    """Fit one set of weights for all assets from sums over each day's assets.

    Args:
        grams: Products of the inputs with each other, shape (days, inputs, inputs).
        moments: Products of the inputs with the output, shape (days, inputs).
    """
    gram, moment = grams.sum(axis=0), moments.sum(axis=0)
    size = len(moment)
    unit = np.trace(gram) / size
    best_loss, best = 0.0, PooledRidge(np.zeros(size), np.zeros(moments.shape))
    if not unit > 0:
        return best
    for strength in STRENGTHS:
        penalty = strength * unit * np.eye(size)
        without = np.linalg.solve(gram - grams + penalty, (moment - moments)[..., np.newaxis])
        without = without[..., 0]
        # Less the squared output, which no strength changes.
        fitted = np.einsum("di,dij,dj->d", without, grams, without)
        loss = float((fitted - 2 * (without * moments).sum(axis=1)).sum())
        if loss < best_loss:
            best_loss = loss
            best = PooledRidge(np.linalg.solve(gram + penalty, moment), without)
    return best
