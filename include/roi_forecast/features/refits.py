"""When closed-form parts of the model are fitted again: with the first session of a period.

The dates alone decide, so that a walk-forward, a daily run and a forecast made months later from
few rows make the same fits.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from roi_forecast.array_types import DateArray

Period = Literal["month", "quarter"]

MAX_PAIRS = 200_000
"""Pairs of a row and an asset that one fit rests on, about."""
MIN_ROWS = 500
"""Rows of one fit where assets are too many for MAX_PAIRS, or fewer where there are fewer."""

_MONTHS = {"month": 1, "quarter": 3}


def refit_rows(dates: DateArray, period: Period) -> list[int]:
    """Return the rows that begin a period; a fit for one of them knows only the rows before it.

    Args:
        dates: Ascending, shape (rows,). The first row begins none that is known.
        period: How often to fit.
    """
    numbers = dates.astype("datetime64[M]").astype(np.int64) // _MONTHS[period]
    begins: list[int] = (np.flatnonzero(np.diff(numbers)) + 1).tolist()
    return begins


def fitted_rows(assets: int) -> int:
    """Return how many of the newest rows one fit rests on at most."""
    return max(MIN_ROWS, MAX_PAIRS // assets)
