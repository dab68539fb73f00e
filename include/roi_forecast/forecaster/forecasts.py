"""Published forecasts of several horizons, with their bounds, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from roi_forecast.array_types import BoolArray, FloatArray
from roi_forecast.features.returns import to_percent
from roi_forecast.forecaster.intervals import Intervals

Array = TypeVar("Array", FloatArray, BoolArray)


@dataclass(frozen=True)
class Forecasts:
    """Forecasts from consecutive origins; every matrix is (horizons, origins, assets), unscaled.

    An origin is the first session that is forecast: the row after the last known one.

    Attributes:
        symbols: The assets, in column order.
        origins: Rows to forecast from.
        horizons: Sessions from the last known row to each target row, ascending.
        log_roi: Published log ROI from the last known row to the target row.
        smoothed: Smoothed log ROI at the target row.
        gap: Part of the next session's published log ROI up to its opening, shape (origins,
            assets); None where the forecast has no parts.
        open_to_close: The rest of it, from opening to close, same shape; None likewise.
        intervals: For each horizon the bounds at each level in percent, shape (origins, assets);
            empty where none were asked for.
        context_missing: Whether a context asset lacked a bar that was due, shape (origins, context
            assets); None where the forecast knows no context.
        member_spread_pct: Standard deviation of the smoothed ROI of the next session over the
            members of an ensemble, shape (origins, assets), in percent points; None for a single
            network.
    """

    symbols: tuple[str, ...]
    origins: range
    horizons: tuple[int, ...]
    log_roi: FloatArray
    smoothed: FloatArray
    gap: FloatArray | None = None
    open_to_close: FloatArray | None = None
    intervals: tuple[tuple[Intervals, ...], ...] = ()
    context_missing: BoolArray | None = None
    member_spread_pct: FloatArray | None = None

    @property
    def roi_pct(self) -> FloatArray:
        """Published ROI from the last known row to the target row, in percent."""
        return to_percent(self.log_roi)

    def between(self, origins: range) -> Forecasts:
        """Return the forecasts from some consecutive origins."""
        start = self.origins.start
        rows = slice(origins.start - start, origins.stop - start)
        return replace(
            self,
            origins=origins,
            log_roi=self.log_roi[:, rows],
            smoothed=self.smoothed[:, rows],
            gap=None if self.gap is None else self.gap[rows],
            open_to_close=None if self.open_to_close is None else self.open_to_close[rows],
            intervals=tuple(
                tuple(Intervals(each.level, each.lower[rows], each.upper[rows]) for each in bounds)
                for bounds in self.intervals
            ),
            context_missing=(None if self.context_missing is None else self.context_missing[rows]),
            member_spread_pct=(
                None if self.member_spread_pct is None else self.member_spread_pct[rows]
            ),
        )

    def moved_to(self, origins: range) -> Forecasts:
        """Return the same forecasts, with the origins as rows of other arrays."""
        return replace(self, origins=origins)


def joined(parts: Sequence[Forecasts]) -> Forecasts:
    """Return forecasts from origins that follow each other, without the spread of members."""
    first = parts[0]
    levels = [[each.level for each in bounds] for bounds in first.intervals]
    return replace(
        first,
        origins=range(first.origins.start, parts[-1].origins.stop),
        log_roi=np.concatenate([part.log_roi for part in parts], axis=1),
        smoothed=np.concatenate([part.smoothed for part in parts], axis=1),
        gap=_joined([part.gap for part in parts]),
        open_to_close=_joined([part.open_to_close for part in parts]),
        intervals=tuple(
            tuple(
                Intervals(
                    level,
                    np.concatenate([part.intervals[number][place].lower for part in parts]),
                    np.concatenate([part.intervals[number][place].upper for part in parts]),
                )
                for place, level in enumerate(own)
            )
            for number, own in enumerate(levels)
        ),
        context_missing=_joined([part.context_missing for part in parts]),
        member_spread_pct=None,
    )


def _joined(arrays: list[Array | None]) -> Array | None:
    known = [array for array in arrays if array is not None]
    if len(known) < len(arrays):
        return None
    together: Array = np.concatenate(known)
    return together
