"""Scale forecasts that were never fitted on the rows they forecast, by refits as time passes.

When a fit is made and on what depends on dates alone: the daily run, a walk through all rows and a
forecast made months later with few rows at hand make the same fit for the same month.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray, IndexArray
from roi_forecast.errors import TrainingError
from roi_forecast.features.refits import fitted_rows, refit_rows
from roi_forecast.scale.averages import MEMORY
from roi_forecast.scale.fit import PENALTY, Scale, fit_weights, require_moves
from roi_forecast.scale.inputs import INPUTS, ScaleInputs

FIRST_FIT = 63
"""Rows before the first fit, where there are that many."""
MAX_DRAWN = 100_000
"""Pairs of a row and an asset that one fit takes of its rows, about."""

# The shortest averages are noise before this row; the longest need not be full.
_WARM_UP = 22
_SEED = 20_241_227


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

    def predict(self, inputs: ScaleInputs) -> FloatArray:
        """Return the expected absolute log ROI of rows.

        Args:
            inputs: Of the rows, in time order.

        Returns:
            Shape (rows, assets); NaN before the first fit's date and where an input is.
        """
        scales = np.full(inputs.shape, np.nan)
        bounds = [*np.searchsorted(inputs.dates, self.dates), len(inputs.dates)]
        for fit, start, stop in zip(self.fits, bounds[:-1], bounds[1:], strict=True):
            logs = inputs.times(fit.slopes, slice(start, stop))
            scales[start:stop] = np.exp(fit.intercept + logs)
        return scales

    def extended(self, inputs: ScaleInputs, log_rois: FloatArray, *, horizon: int = 1) -> Self:
        """Return these fits and those that `fit_expanding_scale` makes after the last of them.

        Args:
            inputs: As there. For the same fits as from all rows they begin `rows_needed` rows
                before the first date that is added, or where the prices begin.
            log_rois: As there.
            horizon: As there, and as the fits were made.

        Raises:
            TrainingError: No price moved before an added date.
        """
        starts = _regular_starts(inputs, len(log_rois), horizon)
        starts = starts[inputs.dates[starts] > self.dates[-1]]
        fits = tuple(_fit(inputs, log_rois, start, horizon) for start in starts)
        return type(self)(np.append(self.dates, inputs.dates[starts]), self.fits + fits)

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
    inputs: ScaleInputs,
    log_rois: FloatArray,
    *,
    horizon: int = 1,
    needed_from: int | None = None,
    longest: int | None = None,
) -> ExpandingScale:
    """Fit the scale for the first session of every month, or of every quarter beyond the next day.

    A fit for the rows from t on is given the rows before t alone: the newest `fitted_rows` of those
    whose moves ended before t. If these hold more than MAX_DRAWN pairs of a row and an asset, it
    takes a random part of them; which ones depends on nothing but their dates and how many
    assets there are.

    The first fit comes as soon as there are FIRST_FIT rows with inputs, whatever the month.

    Args:
        inputs: Of the rows, and of the row after the last where its scale is wanted.
        log_rois: Shape (rows, assets), unscaled; NaN where an entry does not count. With a horizon
            above 1 an entry is the sum over its own row and those that follow.
        horizon: Rows that an entry sums over. It is known only that many rows on, and so many
            overlapping entries hold as much as one: the penalty of the slopes grows with it.
        needed_from: Row that the first fit must forecast at the latest; None: the last of the
            inputs.
        longest: Most rows of one fit; None: `fitted_rows`.

    Raises:
        TrainingError: There is no row to fit on, or no price moved.
    """
    needed_from = len(inputs.dates) - 1 if needed_from is None else needed_from
    if needed_from < horizon + 1:
        raise TrainingError(
            f"the scale cannot be fitted on the {needed_from} rows before its first forecast "
            f"{horizon} sessions ahead; take an earlier start_date"
        )
    first = min(_first_start(horizon), needed_from)
    later = _regular_starts(inputs, len(log_rois), horizon)
    starts = np.append(first, later[later > first])
    fits = tuple(_fit(inputs, log_rois, start, horizon, longest) for start in starts)
    return ExpandingScale(inputs.dates[starts], fits)


def rows_needed(assets: int, horizon: int = 1) -> int:
    """Return how many rows before the first session of a month its fit depends on at most.

    Args:
        assets: How many there are.
        horizon: Of the fit, in sessions.
    """
    return fitted_rows(assets) + horizon - 1 + MEMORY


def _first_start(horizon: int) -> int:
    """Return the row that the first fit forecasts where there are rows enough."""
    return _WARM_UP + FIRST_FIT + horizon - 1


def _regular_starts(inputs: ScaleInputs, known: int, horizon: int) -> IndexArray:
    """Return the first row of each month, of each quarter beyond horizon 1, that gets a fit."""
    starts = np.array(refit_rows(inputs.dates, "month" if horizon == 1 else "quarter"), np.intp)
    return starts[(starts >= _first_start(horizon)) & (starts <= known)]


def _fit(
    inputs: ScaleInputs, log_rois: FloatArray, start: int, horizon: int, longest: int | None = None
) -> Scale:
    """Return the fit that forecasts from row `start` on."""
    assets = inputs.shape[1]
    stop = start - horizon + 1
    most = fitted_rows(assets) if longest is None else min(longest, fitted_rows(assets))
    # Row 0 has no inputs: nothing lies before it.
    first = max(min(_WARM_UP, stop - 1), stop - most, 1)
    counted = np.isfinite(log_rois[first:stop])
    share = MAX_DRAWN / counted.size
    if share < 1.0:
        counted &= _draws(inputs.dates[first:stop], assets) < share
    rows, columns = np.nonzero(counted)
    rows += first
    moves = np.abs(log_rois[rows, columns])
    require_moves(moves, counted.size)
    design = np.empty((len(rows), INPUTS + 1))
    design[:, 0] = 1.0
    design[:, 1:] = inputs.at(rows, columns)
    weights = fit_weights(design, moves, PENALTY * horizon)
    return Scale(float(weights[0]), weights[1:])


def _draws(dates: npt.NDArray[np.datetime64], assets: int) -> FloatArray:
    """Return random numbers from 0 to 1 of each date and asset, the same for the same date."""
    days = dates.astype("datetime64[D]").astype(np.int64)
    return np.stack([np.random.default_rng((_SEED, day)).random(assets) for day in days])
