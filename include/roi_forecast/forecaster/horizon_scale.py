"""Scale forecasts of the moves over several sessions: how far a price may be by the target date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.features.returns import log_roi_ahead
from roi_forecast.forecaster.expanding_scale import ExpandingScale, fit_expanding_scale
from roi_forecast.forecaster.scale_inputs import ScaleInputs

ANCHORS = (1, 3, 10, 30)
"""Horizons with a fit of their own, evenly spaced in logs; those between are interpolated."""
REFIT_EVERY = 63
"""Sessions between two refits beyond the next session; oftener measures no better."""


@dataclass(frozen=True)
class HorizonScale:
    """One scale forecast for each anchor; log scales are linear in the log horizon between two.

    Attributes:
        by_anchor: From the horizon, ascending, the first being 1. Beyond the last one scales grow
            with the square root of the horizon.
    """

    by_anchor: Mapping[int, ExpandingScale]

    def predict(self, inputs: ScaleInputs, horizons: int) -> Iterator[FloatArray]:
        """Give the expected absolute log ROI over 1, …, `horizons` sessions from each row on.

        Args:
            inputs: Of the rows, in time order.
            horizons: The longest one.

        Yields:
            For each horizon shape (rows, assets); NaN before the first fit.
        """
        anchors = tuple(self.by_anchor)
        own = {
            anchor: self.by_anchor[anchor].predict(inputs)
            for number, anchor in enumerate(anchors)
            # The first anchor at or beyond the longest horizon is the last that is needed.
            if number == 0 or anchors[number - 1] < horizons
        }
        for horizon in range(1, horizons + 1):
            below = max(anchor for anchor in own if anchor <= horizon)
            above = min((anchor for anchor in own if anchor >= horizon), default=None)
            if above is None:
                yield own[below] * np.sqrt(horizon / below)
            elif above == below:
                yield own[below]
            else:
                share = np.log(horizon / below) / np.log(above / below)
                yield own[below] ** (1.0 - share) * own[above] ** share

    def to_json(self) -> dict[str, Any]:
        """Return the fits of each anchor as JSON values."""
        return {str(anchor): scale.to_json() for anchor, scale in self.by_anchor.items()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        scales = {int(anchor): ExpandingScale.from_json(fits) for anchor, fits in content.items()}
        return cls(dict(sorted(scales.items())))


def fit_horizon_scale(
    next_session: ExpandingScale,
    inputs: ScaleInputs,
    log_rois: FloatArray,
    filled: npt.NDArray[np.bool_],
    last_fit: int,
    *,
    refit_every: int = REFIT_EVERY,
) -> HorizonScale:
    """Fit the anchors beyond the next session, as `fit_expanding_scale` does.

    A fit for the rows from t on is given only moves that ended before t. An anchor that is too far
    for the rows before the last fit is left out.

    Args:
        next_session: The scale of horizon 1.
        inputs: Of the rows, and of row `last_fit`, whose date alone is looked at.
        log_rois: Shape (rows, assets), unscaled.
        filled: Whether the asset had no bar, same shape.
        last_fit: No row from this one on is read.
        refit_every: Rows between two fits.

    Raises:
        TrainingError: No price moved.
    """
    farther = {
        anchor: fit_expanding_scale(
            inputs,
            log_roi_ahead(log_rois[:last_fit], filled[:last_fit], anchor),
            last_fit,
            refit_every=refit_every,
            horizon=anchor,
        )
        for anchor in ANCHORS[1:]
        if last_fit > 2 * anchor
    }
    return HorizonScale({1: next_session, **farther})
