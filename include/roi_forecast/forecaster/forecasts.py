"""Published forecasts of several horizons, with their bounds, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from roi_forecast.array_types import FloatArray
from roi_forecast.features.returns import to_percent
from roi_forecast.forecaster.intervals import Intervals


@dataclass(frozen=True)
class Forecasts:
    """Forecasts from consecutive origins; every matrix is (horizons, origins, assets), unscaled.

    An origin is the first session that is forecast: the row after the last known one.

    Attributes:
        symbols: The assets, in column order.
        origins: Rows to forecast from.
        horizons: Sessions from the last known row to each target row, ascending.
        unshrunk: Log ROI from the last known row to the target row, as the model implies it.
        log_roi: The same as it is published, shrunk.
        smoothed: Smoothed log ROI at the target row, before shrinking.
        intervals: For each horizon the bounds at each level in percent, shape (origins, assets);
            empty where none were asked for.
        member_spread_pct: Standard deviation of the smoothed ROI of the next session over the
            members of an ensemble, shape (origins, assets), in percent points; None for a single
            network.
    """

    symbols: tuple[str, ...]
    origins: range
    horizons: tuple[int, ...]
    unshrunk: FloatArray
    log_roi: FloatArray
    smoothed: FloatArray
    intervals: tuple[tuple[Intervals, ...], ...] = ()
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
            unshrunk=self.unshrunk[:, rows],
            log_roi=self.log_roi[:, rows],
            smoothed=self.smoothed[:, rows],
            intervals=tuple(
                tuple(Intervals(each.level, each.lower[rows], each.upper[rows]) for each in bounds)
                for bounds in self.intervals
            ),
            member_spread_pct=(
                None if self.member_spread_pct is None else self.member_spread_pct[rows]
            ),
        )

    def at(self, horizons: Sequence[int]) -> Forecasts:
        """Return the forecasts of some of the horizons."""
        chosen = [self.horizons.index(horizon) for horizon in horizons]
        return replace(
            self,
            horizons=tuple(horizons),
            unshrunk=self.unshrunk[chosen],
            log_roi=self.log_roi[chosen],
            smoothed=self.smoothed[chosen],
            intervals=tuple(self.intervals[number] for number in chosen) if self.intervals else (),
        )
