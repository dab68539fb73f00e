"""Scale forecasts that were never fitted on the rows they forecast, by refits as time passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.errors import TrainingError
from roi_forecast.forecaster.scale import PENALTY, Scale, fit_weights, require_moves
from roi_forecast.forecaster.scale_inputs import INPUTS, ScaleInputs

REFIT_EVERY = 21
"""Sessions between two refits."""
FIRST_FIT = 63
"""Rows before the first fit, where there are that many."""
MAX_PAIRS = 200_000
"""Pairs of a row and an asset that a fit rests on, about: of more it takes a random part."""

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
    last_fit: int,
    *,
    refit_every: int = REFIT_EVERY,
    longest: int | None = None,
    horizon: int = 1,
    max_pairs: int = MAX_PAIRS,
) -> ExpandingScale:
    """Fit the scale before row `last_fit`, and every `refit_every` rows back from there.

    A fit for the rows from t on is given the rows before t alone. With more than `max_pairs` pairs
    of a row and an asset before t it takes a random part of them, the same share of every row's;
    which ones depends on nothing but the row's number and how many assets there are.

    Args:
        inputs: Of the rows, and of row `last_fit`, whose date alone is looked at.
        log_rois: Shape (rows, assets), unscaled; NaN where an entry does not count. With a horizon
            above 1 an entry is the sum over its own row and those that follow.
        last_fit: No row from this one on is read.
        refit_every: Rows between two fits.
        longest: Most rows of one fit, the newest ones; None takes all (an expanding window).
        horizon: Rows that an entry sums over. It is known only that many rows on, and so many
            overlapping entries hold as much as one: the penalty of the slopes grows with it.
        max_pairs: About how many pairs a fit rests on at most.

    Raises:
        TrainingError: There is no row to fit on, or no price moved.
    """
    if last_fit < horizon + 1:
        raise TrainingError(
            f"the scale cannot be fitted on the {last_fit} rows before its first forecast "
            f"{horizon} sessions ahead; take an earlier start_date"
        )
    earliest = min(_WARM_UP + FIRST_FIT + horizon - 1, last_fit)
    starts = np.arange(last_fit, earliest - 1, -refit_every)[::-1]
    stops = starts - horizon + 1
    firsts = (
        np.minimum(_WARM_UP, stops - 1)
        if longest is None
        else np.maximum(_WARM_UP, stops - longest)
    )
    shares = max_pairs / ((stops - firsts) * inputs.shape[1])
    pairs = _draw_pairs(inputs, log_rois[: stops[-1]], stops, shares)
    fits: list[Scale] = []
    weights = None
    for first, stop, share in zip(firsts, stops, shares, strict=True):
        part = slice(*np.searchsorted(pairs.rows, [first, stop]))
        design, moves = pairs.design[part], pairs.moves[part]
        if pairs.draws is not None:
            is_drawn = pairs.draws[part] < share
            design, moves = design[is_drawn], moves[is_drawn]
        require_moves(moves, (stop - first) * inputs.shape[1])
        # The fit before is near, but a rolling one must know nothing of rows that it leaves out.
        near = weights if longest is None else None
        weights = fit_weights(design, moves, PENALTY * horizon, near)
        fits.append(Scale(float(weights[0]), weights[1:]))
    return ExpandingScale(inputs.dates[starts], tuple(fits))


class _Pairs(NamedTuple):
    """Pairs of a row and an asset that take part in a fit, in the order of the rows.

    Attributes:
        rows: Shape (pairs,).
        moves: Absolute log ROIs, shape (pairs,).
        design: Ones, then the inputs, shape (pairs, 1 + inputs).
        draws: From 0 to 1; a fit takes those below its share. None where every fit takes all.
    """

    rows: npt.NDArray[np.intp]
    moves: FloatArray
    design: FloatArray
    draws: FloatArray | None


def _draw_pairs(
    inputs: ScaleInputs, log_rois: FloatArray, stops: npt.NDArray[np.intp], shares: FloatArray
) -> _Pairs:
    """Return the pairs of the rows before the last stop that one of the fits takes."""
    counted = np.isfinite(log_rois)
    # Nothing lies before row 0.
    counted[0] = False
    draws = None
    if shares[-1] < 1.0:
        draws = np.random.default_rng(_SEED).random(counted.shape)
        # Of all fits that a row takes part in, the first takes the largest share.
        largest = shares[np.searchsorted(stops, np.arange(len(counted)), side="right")]
        counted &= draws < largest[:, np.newaxis]
        draws = draws[counted]
    rows, assets = np.nonzero(counted)
    design = np.empty((len(rows), INPUTS + 1))
    design[:, 0] = 1.0
    design[:, 1:] = inputs.at(rows, assets)
    return _Pairs(rows, np.abs(log_rois[rows, assets]), design, draws)
