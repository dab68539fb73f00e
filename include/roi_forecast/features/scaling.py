"""Scaling of the smoothed log ROI, per asset, fitted on training rows only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.errors import DatasetError
from roi_forecast.features.rounding import beyond_rounding

ScalerKind = Literal["minmax", "standard"]


@dataclass(frozen=True)
class Scaler:
    """An affine map per asset: scaled = (smoothed log ROI - offset) * slope.

    Attributes:
        kind: `minmax` maps the training rows to [0, 1], `standard` to mean 0 and deviation 1.
        offset: Shape (assets,), unscaled log ROI.
        slope: Shape (assets,), scaled units per unit of log ROI.
        center: Shape (assets,), mean of the training rows after scaling.
        log_roi_mean: Shape (assets,), mean plain log ROI of the training rows, unscaled.
    """

    kind: ScalerKind
    offset: FloatArray
    slope: FloatArray
    center: FloatArray
    log_roi_mean: FloatArray

    @classmethod
    def fit(cls, smoothed: FloatArray, log_roi: FloatArray, kind: ScalerKind) -> Self:
        """Fit on training rows.

        Args:
            smoothed: Smoothed log ROI of the training rows, shape (training rows, assets).
            log_roi: Plain log ROI of the same rows, same shape.
            kind: Which map to fit.

        Raises:
            DatasetError: There is no row, or a value is not finite.
        """
        if smoothed.shape[0] == 0 or smoothed.shape != log_roi.shape:
            raise DatasetError(
                f"cannot fit a scaler on arrays of shape {smoothed.shape} and {log_roi.shape}; "
                "both need the same, at least one, training row"
            )
        if not (np.isfinite(smoothed).all() and np.isfinite(log_roi).all()):
            raise DatasetError(
                "cannot fit a scaler: a training row holds a value that is not finite"
            )
        if kind == "minmax":
            offset = smoothed.min(axis=0)
            spread = smoothed.max(axis=0) - offset
        else:
            offset = smoothed.mean(axis=0)
            spread = smoothed.std(axis=0)
        # What never varies has no spread: any finite slope maps it to a constant.
        spread = np.where(beyond_rounding(spread, np.abs(smoothed).max(axis=0)), spread, 1.0)
        slope = 1.0 / spread
        center = ((smoothed - offset) * slope).mean(axis=0)
        return cls(kind, offset, slope, center, log_roi.mean(axis=0))

    def transform(self, smoothed: FloatArray) -> FloatArray:
        """Scale smoothed log ROIs, shape (…, assets)."""
        return (smoothed - self.offset) * self.slope

    def inverse(self, scaled: FloatArray) -> FloatArray:
        """Unscale to smoothed log ROIs, shape (…, assets)."""
        return scaled / self.slope + self.offset

    def transform_log_roi(self, log_roi: FloatArray) -> FloatArray:
        """Bring plain log ROIs, shape (…, assets), to scaled units around their training mean.

        The slope is that of the smoothed series, so one set of linear weights over both holds for
        every asset.
        """
        return (log_roi - self.log_roi_mean) * self.slope

    def to_json(self) -> dict[str, Any]:
        """Return the scaler as JSON values; floats keep every digit."""
        return {
            "kind": self.kind,
            "offset": self.offset.tolist(),
            "slope": self.slope.tolist(),
            "center": self.center.tolist(),
            "log_roi_mean": self.log_roi_mean.tolist(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(
            content["kind"],
            np.asarray(content["offset"], dtype=np.float64),
            np.asarray(content["slope"], dtype=np.float64),
            np.asarray(content["center"], dtype=np.float64),
            np.asarray(content["log_roi_mean"], dtype=np.float64),
        )
