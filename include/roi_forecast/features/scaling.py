"""Scaling the smoothed log ROI per asset and the context moves, fitted on training rows only.

scikit-learn estimates the statistics. The scaler itself is plain arrays, which are stored as JSON
and need neither a pickle nor scikit-learn to be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.errors import DatasetError
from roi_forecast.features.rounding import beyond_rounding

ScalerKind = Literal["minmax", "standard"]

_OF_ASSETS = ("offset", "slope", "center", "log_roi_mean")
_ARRAYS = (*_OF_ASSETS, "context_scale")


@dataclass(frozen=True)
class Scaler:
    """An affine map per asset: scaled = (smoothed log ROI - offset) * slope.

    Attributes:
        kind: `minmax` maps the training rows to [0, 1], `standard` to mean 0 and deviation 1.
        offset: Shape (assets,), unscaled log ROI.
        slope: Shape (assets,), scaled units per unit of log ROI.
        center: Shape (assets,), mean of the training rows after scaling.
        log_roi_mean: Shape (assets,), mean log ROI of the training rows, unscaled.
        context_scale: Shape (context assets,), root mean square of the training rows' context
            moves; 1 where they are all 0.
    """

    kind: ScalerKind
    offset: FloatArray
    slope: FloatArray
    center: FloatArray
    log_roi_mean: FloatArray
    context_scale: FloatArray

    @classmethod
    def fit(
        cls,
        smoothed: FloatArray,
        log_roi: FloatArray,
        kind: ScalerKind,
        context: FloatArray | None = None,
    ) -> Self:
        """Fit on training rows.

        Args:
            smoothed: Smoothed log ROI of the training rows, shape (training rows, assets).
            log_roi: Log ROI of the same rows, same shape.
            kind: The map to fit.
            context: Context moves of the same rows, shape (training rows, context assets); None:
                there are none.

        Raises:
            DatasetError: There are no rows, or a value is not finite.
        """
        # Imported here: most stages read a scaler, only one fits it, and the import takes a second.
        from sklearn.preprocessing import MinMaxScaler, StandardScaler

        if smoothed.shape[0] == 0 or smoothed.shape != log_roi.shape:
            raise DatasetError(
                f"cannot fit a scaler on arrays of shape {smoothed.shape} and {log_roi.shape}; "
                "both need the same shape and at least one training row"
            )
        if not (np.isfinite(smoothed).all() and np.isfinite(log_roi).all()):
            raise DatasetError("cannot fit a scaler: a value of the training rows is not finite")
        if kind == "minmax":
            minmax = MinMaxScaler().fit(smoothed)
            offset, spread = minmax.data_min_, minmax.data_range_
        else:
            standard = StandardScaler().fit(smoothed)
            offset, spread = standard.mean_, np.sqrt(standard.var_)
        # scikit-learn tests for constant values with another tolerance for each scaler, and an
        # absolute one for ranges; here one relative rule holds everywhere.
        spread = np.where(beyond_rounding(spread, np.abs(smoothed).max(axis=0)), spread, 1.0)
        slope = 1.0 / spread
        center = ((smoothed - offset) * slope).mean(axis=0)
        moves = np.empty((len(log_roi), 0)) if context is None else context
        context_scale = np.sqrt((moves**2).mean(axis=0))
        context_scale[context_scale == 0] = 1.0
        return cls(kind, offset, slope, center, log_roi.mean(axis=0), context_scale)

    def transform(self, smoothed: FloatArray) -> FloatArray:
        """Scale smoothed log ROIs, shape (…, assets)."""
        return (smoothed - self.offset) * self.slope

    def inverse(self, scaled: FloatArray) -> FloatArray:
        """Unscale to smoothed log ROIs, shape (…, assets)."""
        return scaled / self.slope + self.offset

    def transform_log_roi(self, log_roi: FloatArray) -> FloatArray:
        """Scale log ROIs around their training mean, shape (…, assets).

        The slope is that of the smoothed series.
        """
        return (log_roi - self.log_roi_mean) * self.slope

    def transform_context(self, context: FloatArray) -> FloatArray:
        """Scale context moves, shape (…, context assets), around 0."""
        return context / self.context_scale

    def of_columns(self, columns: Sequence[int]) -> Self:
        """Return the scaler of some assets, in this order."""
        chosen = list(columns)
        return replace(self, **{name: getattr(self, name)[chosen] for name in _OF_ASSETS})

    def of_context(self, columns: Sequence[int]) -> Self:
        """Return the scaler with some context assets, in this order."""
        return replace(self, context_scale=self.context_scale[list(columns)])

    def to_json(self) -> dict[str, Any]:
        """Return the scaler as JSON values; floats keep every digit."""
        return {"kind": self.kind, **{name: getattr(self, name).tolist() for name in _ARRAYS}}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read the result of `to_json`."""
        return cls(
            content["kind"], *(np.asarray(content[name], dtype=np.float64) for name in _ARRAYS)
        )
