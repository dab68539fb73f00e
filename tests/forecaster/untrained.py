"""A network in numpy that stands for a trained one, by a formula that tests can write out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from roi_forecast.array_types import FloatArray


@dataclass(frozen=True)
class Formula:
    """Forecasts whole windows at once, by a formula."""

    forecast_windows: Callable[[np.ndarray, FloatArray], FloatArray]

    def project(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows as they are."""
        return rows


def _correct(windows: np.ndarray, baseline: FloatArray) -> FloatArray:
    """Add to the baseline: a part of the newest row less the oldest, and of the newest context.

    Args:
        windows: Shape (windows, seq_len, assets + context assets).
        baseline: Shape (windows, assets).
    """
    assets = baseline.shape[1]
    newest, oldest = windows[:, -1], windows[:, 0]
    moved = 0.1 * (newest - oldest)[:, :assets].astype(np.float64)
    context = windows[:, -1, assets:].astype(np.float64).sum(axis=1, keepdims=True)
    return np.asarray(baseline + moved + 0.05 * context, dtype=np.float64)


correcting = Formula(_correct)
