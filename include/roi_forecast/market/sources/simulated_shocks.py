"""Random numbers and shocks of the simulated market.

Shocks follow a GJR-GARCH(1,1) process (Glosten, Jagannathan and Runkle 1993) driven by Student's t.
This reproduces known properties of daily returns: fat tails, volatility clusters, and higher
volatility after losses than after gains.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

from roi_forecast.array_types import FloatArray

SEED = 8
"""Chosen so that no market of the default universe sinks over decades: prices have no drift."""

DEGREES_OF_FREEDOM = 6
REACTION = 0.03
REACTION_TO_LOSSES = 0.08
PERSISTENCE = 0.90

_DAYS_PER_BLOCK = 250


def simulate_shocks(name: str, purpose: str, days: int) -> FloatArray:
    """Return draws of a GJR-GARCH(1,1) process with mean 0 and long-run variance 1, shape (days,).

    Fewer days are a prefix.
    """
    draws = _student_t(name, purpose, days)
    return _volatility(draws) * draws


def simulate_sessions(name: str, days: int) -> tuple[FloatArray, FloatArray]:
    """Return shocks overnight and from open to close, each with variance 1, shapes (days,).

    They are independent but for their volatility, which those from open to close drive.
    """
    draws = _student_t(name, "intraday", days)
    volatility = _volatility(draws)
    return volatility * _student_t(name, "overnight", days), volatility * draws


def random_stream(name: str, purpose: str) -> np.random.Generator:
    """Return a new generator of the random numbers of a name and purpose."""
    digest = hashlib.sha256(f"{name}\x00{purpose}".encode()).digest()
    return np.random.default_rng([SEED, int.from_bytes(digest[:8], "big")])


def _student_t(name: str, purpose: str, days: int) -> FloatArray:
    deviation = math.sqrt(DEGREES_OF_FREEDOM / (DEGREES_OF_FREEDOM - 2))
    return random_stream(name, purpose).standard_t(DEGREES_OF_FREEDOM, days) / deviation


def _volatility(draws: FloatArray) -> FloatArray:
    """Return the standard deviations of a GJR-GARCH(1,1) process, shape (days,).

    The variance of a day is linear in the previous one, with factors that depend on the draws only,
    so blocks of days are solved at once; blocks are short because their products shrink.
    """
    days = len(draws)
    base = 1 - REACTION - REACTION_TO_LOSSES / 2 - PERSISTENCE
    factors = PERSISTENCE + (REACTION + REACTION_TO_LOSSES * (draws < 0)) * draws**2
    variances = np.empty(days + 1)
    variances[0] = 1.0
    for first in range(0, days, _DAYS_PER_BLOCK):
        products = np.cumprod(factors[first : first + _DAYS_PER_BLOCK])
        following = products * (variances[first] + base * np.cumsum(1 / products))
        variances[first + 1 : first + 1 + len(following)] = following
    return np.sqrt(variances[:days])
