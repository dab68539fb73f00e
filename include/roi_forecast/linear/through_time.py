"""The linear part as time passes: fitted again each month, each fit on earlier rows alone.

So every forecast it ever made was made without its target, training rows included, and how good
these were says how much of the next one to believe.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from roi_forecast.array_types import BoolArray, DateArray, FloatArray
from roi_forecast.errors import RegistryError
from roi_forecast.features.refits import fitted_rows, refit_rows
from roi_forecast.features.windows import window_view
from roi_forecast.files.arrays import read_arrays
from roi_forecast.linear.discount import discounted_factor
from roi_forecast.linear.fit import LAGS, LinearFit, fit_linear, group_days
from roi_forecast.universe import load_universe

MIN_TARGETS = 63
"""Target rows before the first fit."""
MAX_HALF_LIVES = 4
"""Older targets weigh less than a sixteenth of the newest one and do not count."""


class LinearRows(Protocol):
    """Rows of a dataset or of a version's preprocessing; shapes as there."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """The assets, in column order."""

    @property
    def dates(self) -> DateArray:
        """Reference sessions."""

    @property
    def log_roi(self) -> FloatArray:
        """Log ROI, unscaled."""

    @property
    def gap(self) -> FloatArray:
        """The opening gap in it, NaN where there is no open."""

    @property
    def filled(self) -> BoolArray:
        """Whether the asset had no bar."""

    @property
    def context(self) -> FloatArray:
        """Context moves, log ROI."""


@dataclass(frozen=True)
class LinearForecasts:
    """Forecasts of the next session's log ROI from consecutive origins.

    Attributes:
        gap: The opening gap, shape (origins, assets); NaN for an asset without opens.
        open_to_close: The rest, same shape, NaN likewise.
        log_roi: All of it, same shape.
        factor: How much of it to publish, from 0 to 1, shape (origins,).
    """

    gap: FloatArray
    open_to_close: FloatArray
    log_roi: FloatArray
    factor: FloatArray

    @property
    def published(self) -> FloatArray:
        """The published log ROI, shape (origins, assets)."""
        return self.factor[:, np.newaxis] * self.log_roi + 0.0


@dataclass(frozen=True)
class Linear:
    """Fits in time order; each forecasts from its date on, until the next one's.

    Attributes:
        half_life: Sessions after which a target counts half.
        dates: First date that each fit forecasts, shape (fits,), ascending; the fit has seen no row
            of this date or later.
        fits: One for each date.
        factors: How much of its forecasts to publish, shape (fits,).
    """

    half_life: float
    dates: DateArray
    fits: tuple[LinearFit, ...]
    factors: FloatArray

    @classmethod
    def fit(
        cls, rows: LinearRows, half_life: float, next_date: np.datetime64 | None = None
    ) -> Self:
        """Fit for every month of the rows that has enough before it.

        Args:
            rows: In time order.
            half_life: Sessions after which a target counts half.
            next_date: The date of the row after the last, which may begin a month, too.
        """
        nothing = cls(half_life, np.array([], "datetime64[D]"), (), np.zeros(0))
        return nothing.extended(rows, next_date)

    def extended(self, rows: LinearRows, next_date: np.datetime64 | None = None) -> Self:
        """Return these fits and those of later months; see `rows_needed` for how many rows.

        Args:
            rows: In time order; a fit reads only those before it.
            next_date: The date of the row after the last, which may begin a month, too.
        """
        dates = rows.dates if next_date is None else np.append(rows.dates, next_date)
        last = self.dates[-1] if len(self.dates) else np.datetime64("0001-01-01")
        groups = [
            (asset.asset_class, asset.exchange.name)
            for asset in load_universe().select(rows.symbols)
        ]
        longest = most_targets(len(rows.symbols), self.half_life)
        actual = np.where(rows.filled, np.nan, rows.log_roi)
        fitted = self
        for row in refit_rows(dates, "month"):
            if dates[row] <= last or row - LAGS < MIN_TARGETS:
                continue
            targets = range(max(LAGS, row - longest), row)
            fit = fit_linear(rows.context, actual, rows.gap, groups, targets, self.half_life)
            fitted = type(self)(
                self.half_life,
                np.append(fitted.dates, dates[row]),
                (*fitted.fits, fit),
                np.append(fitted.factors, fitted._factor(rows, actual, targets)),
            )
        return fitted

    def predict(
        self, rows: LinearRows, origins: range, next_date: np.datetime64 | None = None
    ) -> LinearForecasts:
        """Forecast the next session from consecutive origins.

        Args:
            rows: In time order.
            origins: Rows to forecast, the first LAGS rows excluded; the last may be the row after
                the last. No row from an origin on takes part in its forecast, but for its date.
            next_date: The date of the row after the last, where it is an origin.
        """
        dates = rows.dates if next_date is None else np.append(rows.dates, next_date)
        places = np.searchsorted(self.dates, dates[origins.start : origins.stop], side="right") - 1
        shape = (len(origins), len(rows.symbols))
        gap, rest, total = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape)
        lagged = window_view(np.where(rows.filled, 0.0, rows.log_roi), origins, LAGS)[:, ::-1]
        moves = rows.context[origins.start - 1 : origins.stop - 1]
        for place in np.unique(places[places >= 0]):
            fit, chosen = self.fits[place], places == place
            opening = moves[chosen] @ fit.gap
            other = moves[chosen] @ fit.rest + np.einsum("dla,la->da", lagged[chosen], fit.lags)
            total[chosen] = opening + other
            gap[chosen] = np.where(fit.has_opens, opening, np.nan)
            rest[chosen] = np.where(fit.has_opens, other, np.nan)
        factor = np.where(places >= 0, np.append(self.factors, 0.0)[places], 0.0)
        return LinearForecasts(gap, rest, total, factor)

    def contributions(self, rows: LinearRows, date: np.datetime64) -> FloatArray:
        """Return what each context asset adds to the published forecast after the last row.

        Args:
            rows: In time order.
            date: Of the session that is forecast.

        Returns:
            Shape (context assets, assets), log ROI.
        """
        place = int(np.searchsorted(self.dates, date, side="right")) - 1
        if place < 0:
            return np.zeros((rows.context.shape[1], len(rows.symbols)))
        fit = self.fits[place]
        moves = rows.context[-1][:, np.newaxis]
        added: FloatArray = self.factors[place] * moves * (fit.gap + fit.rest)
        return added

    def _factor(self, rows: LinearRows, actual: FloatArray, targets: range) -> float:
        """Return how much to believe, by the forecasts of targets that earlier fits made."""
        if not self.fits:
            return 0.0
        made = int(np.searchsorted(rows.dates[: targets.stop], self.dates[0]))
        judged = range(max(targets.start, made), targets.stop)
        if not judged:
            return 0.0
        weights = 0.5 ** (np.arange(len(judged))[::-1] / self.half_life)
        forecast = self.predict(rows, judged).log_roi
        days = group_days(forecast, actual[judged.start : judged.stop], weights)
        return discounted_factor(*days)

    def to_bytes(self) -> bytes:
        """Return the content of a file of named arrays."""
        file = io.BytesIO()
        stacked = {
            name: np.stack([getattr(fit, name) for fit in self.fits]) if self.fits else np.zeros(0)
            for name in ("gap", "rest", "lags", "has_opens")
        }
        np.savez(
            file,
            allow_pickle=False,
            half_life=np.array(self.half_life),
            dates=self.dates,
            factors=self.factors,
            **stacked,
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, context: Sequence[str], symbols: Sequence[str]) -> Self:
        """Read what `to_bytes` wrote.

        Args:
            content: Of the file.
            context: The context assets of the version.
            symbols: Its assets.

        Raises:
            RegistryError: It is damaged, or of other assets.
        """
        try:
            arrays = read_arrays(content)
            dates, factors = arrays["dates"], arrays["factors"]
            stacked = [arrays[name] for name in ("gap", "rest", "lags", "has_opens")]
            fits = tuple(LinearFit(*parts) for parts in zip(*stacked, strict=True))
            shape = (len(context), len(symbols))
            if len(dates) != len(fits) or len(factors) != len(fits):
                raise ValueError("its fits, dates and factors differ in number")
            if any(fit.gap.shape != shape or fit.rest.shape != shape for fit in fits):
                raise ValueError(f"its weights are not of shape {shape}")
            return cls(
                float(arrays["half_life"]),
                dates.astype("datetime64[D]"),
                fits,
                factors.astype(np.float64),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise RegistryError(
                f"the linear part is damaged ({error!r}); train the version again or roll back to "
                "another one"
            ) from error


def most_targets(assets: int, half_life: float) -> int:
    """Return how many of the newest rows a fit and its factor rest on at most."""
    return min(fitted_rows(assets), int(MAX_HALF_LIVES * half_life))


def rows_needed(assets: int, half_life: float) -> int:
    """Return how many rows before the first row of a month its fit needs."""
    return most_targets(assets, half_life) + LAGS
