"""What is fitted in closed form as time passes: the linear part and the scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from roi_forecast.array_types import BoolArray
from roi_forecast.features.dataset import Dataset
from roi_forecast.forecaster.recursive import ModelRows
from roi_forecast.linear.through_time import Linear, LinearRows
from roi_forecast.linear.through_time import rows_needed as linear_rows_needed
from roi_forecast.scale.horizons import ANCHORS, HorizonScale, fit_horizon_scale
from roi_forecast.scale.inputs import scale_inputs
from roi_forecast.scale.market_rows import MarketRows
from roi_forecast.scale.through_time import rows_needed as scale_rows_needed


class PreparedRows(ModelRows, MarketRows, LinearRows, Protocol):
    """Rows of a dataset, or of prices that `Preprocessing.apply` prepared; shapes as there."""

    @property
    def context_missing(self) -> BoolArray:
        """Whether a context asset lacked a bar that was due."""


@dataclass(frozen=True)
class ThroughTime:
    """What is fitted in closed form as time passes, each fit on the rows before its date alone.

    Attributes:
        linear: The linear part of the next log ROI.
        scale: The expected absolute log ROI up to each horizon.
    """

    linear: Linear
    scale: HorizonScale

    @classmethod
    def fit(cls, dataset: Dataset, half_life: float) -> Self:
        """Fit both on all rows of a dataset.

        Args:
            dataset: The rows. Of its split only the end of training matters: the scale is needed
                from there on.
            half_life: Of the linear part, in sessions.

        Raises:
            TrainingError: There are too few rows, or no price moved.
        """
        scale = fit_horizon_scale(
            scale_inputs(dataset),
            dataset.log_roi,
            dataset.filled,
            needed_from=dataset.split.train.stop,
        )
        return cls(Linear.fit(dataset, half_life), scale)

    def extended(self, rows: PreparedRows, next_date: np.datetime64 | None) -> Self:
        """Return these fits and those of the months that began since; see `rows_needed`."""
        dates = rows.dates if next_date is None else np.append(rows.dates, next_date)
        scale, newest = self.scale, self.scale.by_anchor[1].dates[-1]
        if dates[-1].astype("datetime64[M]") > newest.astype("datetime64[M]"):
            scale = scale.extended(scale_inputs(rows, next_date), rows.log_roi, rows.filled)
        return type(self)(self.linear.extended(rows, next_date), scale)


def rows_needed(assets: int, half_life: float) -> int:
    """Return how many rows before the first session of a month its fits rest on at most."""
    return max(linear_rows_needed(assets, half_life), scale_rows_needed(assets, max(ANCHORS)))
