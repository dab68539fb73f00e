"""Scale forecasts of the moves over several sessions: how far a price may be by the target date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.features.returns import log_roi_ahead
from roi_forecast.scale.inputs import ScaleInputs
from roi_forecast.scale.through_time import (
    ExpandingScale,
    fit_expanding_scale,
    rows_needed,
)

ANCHORS = (1, 3, 10, 30)
"""Horizons with a fit of their own, evenly spaced in logs; those between are interpolated."""


@dataclass(frozen=True)
class HorizonScale:
    """One scale forecast for each anchor; log scales are linear in the log horizon between two.

    Attributes:
        by_anchor: From the horizon, ascending, the first being 1. Beyond the last one scales grow
            with the square root of the horizon.
    """

    by_anchor: Mapping[int, ExpandingScale]

    @property
    def complete_until(self) -> np.datetime64:
        """The date from which on an anchor may lack a fit; `extended` makes the later ones."""
        return min(scale.dates[-1] for scale in self.by_anchor.values())

    def rows_needed(self, assets: int) -> int:
        """Return how many rows before `complete_until` the later fits depend on at most."""
        return rows_needed(assets, max(self.by_anchor))

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

    def extended(
        self, inputs: ScaleInputs, log_rois: FloatArray, filled: npt.NDArray[np.bool_]
    ) -> Self:
        """Return these fits and those that `fit_horizon_scale` makes after the last of them.

        Args:
            inputs: As there. For the same fits as from all rows they begin `rows_needed` rows
                before `complete_until`, or where the prices begin.
            log_rois: As there.
            filled: As there.

        Raises:
            TrainingError: No price moved before an added date.
        """
        return type(self)(
            {
                anchor: scale.extended(
                    inputs, log_roi_ahead(log_rois, filled, anchor), horizon=anchor
                )
                for anchor, scale in self.by_anchor.items()
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fits of each anchor as JSON values."""
        return {str(anchor): scale.to_json() for anchor, scale in self.by_anchor.items()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        scales = {int(anchor): ExpandingScale.from_json(fits) for anchor, fits in content.items()}
        return cls(dict(sorted(scales.items())))


def fit_horizon_scale(
    inputs: ScaleInputs,
    log_rois: FloatArray,
    filled: npt.NDArray[np.bool_],
    *,
    needed_from: int | None = None,
) -> HorizonScale:
    """Fit every anchor, as `fit_expanding_scale` does.

    A fit for the rows from t on is given only moves that ended before t. An anchor that is too far
    for the rows before the first forecast that is needed is left out.

    Args:
        inputs: Of the rows, and of the row after the last where its scale is wanted.
        log_rois: Shape (rows, assets), unscaled.
        filled: Whether the asset had no bar, same shape.
        needed_from: Row that must be forecast at the latest; None: the last of the inputs.

    Raises:
        TrainingError: There is no row to fit on, or no price moved.
    """
    needed_from = len(inputs.dates) - 1 if needed_from is None else needed_from
    return HorizonScale(
        {
            anchor: fit_expanding_scale(
                inputs,
                log_roi_ahead(log_rois, filled, anchor),
                horizon=anchor,
                needed_from=needed_from,
            )
            for anchor in ANCHORS
            if anchor == 1 or needed_from > 2 * anchor
        }
    )
