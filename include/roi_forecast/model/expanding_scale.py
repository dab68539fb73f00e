"""Scale forecasts that were never fitted on the rows they forecast, by refits as time goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from roi_forecast.errors import TrainingError
from roi_forecast.model.scale import PENALTY, FloatArray, Scale, fit_scale

REFIT_EVERY = 21
"""Sessions between two refits."""
FIRST_FIT = 63
"""Rows before the first fit, where there are that many."""

# The shortest averages are noise before this row; the longest need not be full.
_WARM_UP = 22


@dataclass(frozen=True)
class ExpandingScale:
    """Fits in time order; each forecasts from its date on, until the next one's date.

    Attributes:
        dates: First date that each fit forecasts, shape (fits,), datetime64[D], ascending. A fit
            has seen no row of this date or later.
        fits: One for each date.
    """

    dates: npt.NDArray[np.datetime64]
    fits: tuple[Scale, ...]

    def predict(self, inputs: FloatArray, dates: npt.NDArray[np.datetime64]) -> FloatArray:
        """Return the expected absolute log ROI of rows.

        Args:
            inputs: Shape (rows, assets, inputs).
            dates: Dates of the rows, ascending, shape (rows,).

        Returns:
            Shape (rows, assets); NaN before the first fit's date and where an input is.
        """
        scales = np.full(inputs.shape[:2], np.nan)
        bounds = [*np.searchsorted(dates, self.dates), len(dates)]
        for fit, start, stop in zip(self.fits, bounds[:-1], bounds[1:], strict=True):
            scales[start:stop] = fit.predict(inputs[start:stop])
        return scales

    def to_json(self) -> list[dict[str, Any]]:
        """Return the fits as JSON values."""
        return [
            {"from": str(first), **fit.to_json()}
            for first, fit in zip(self.dates, self.fits, strict=True)
        ]

    @classmethod
    def from_json(cls, content: list[Mapping[str, Any]]) -> Self:
        """Read what `to_json` wrote."""
        dates = np.array([entry["from"] for entry in content], dtype="datetime64[D]")
        return cls(dates, tuple(Scale.from_json(entry) for entry in content))


def fit_expanding_scale(
    inputs: FloatArray,
    log_rois: FloatArray,
    dates: npt.NDArray[np.datetime64],
    last_fit: int,
    *,
    refit_every: int = REFIT_EVERY,
    longest: int | None = None,
    horizon: int = 1,
) -> ExpandingScale:
    """Fit the scale before row `last_fit`, and every `refit_every` rows back from there.

    A fit for the rows from t on is given the rows before t alone.

    Args:
        inputs: What `scale_inputs` returns, shape (rows, assets, inputs).
        log_rois: Shape (rows, assets), unscaled; NaN where an entry does not count. With a horizon
            above 1 an entry is the sum over its own row and those that follow.
        dates: Shape (rows,), or longer.
        last_fit: No row from this one on is read. It may be the number of rows, with a date.
        refit_every: Rows between two fits.
        longest: Most rows of one fit, the newest ones; None takes all (an expanding window).
        horizon: Rows that an entry sums over. It is known only that many rows on, and so many
            overlapping entries hold as much as one: the penalty of the slopes grows with it.

    Raises:
        TrainingError: There is no row to fit on, or no price moved.
    """
    if last_fit < horizon + 1:
        raise TrainingError(
            f"the scale cannot be fitted on the {last_fit} rows before its first forecast "
            f"{horizon} sessions ahead; take an earlier start_date"
        )
    earliest = min(_WARM_UP + FIRST_FIT + horizon - 1, last_fit)
    starts = range(last_fit, earliest - 1, -refit_every)[::-1]
    fits = []
    for start in starts:
        stop = start - horizon + 1
        first = min(_WARM_UP, stop - 1) if longest is None else max(_WARM_UP, stop - longest)
        fits.append(fit_scale(inputs[first:stop], log_rois[first:stop], PENALTY * horizon))
    return ExpandingScale(dates[list(starts)], tuple(fits))
