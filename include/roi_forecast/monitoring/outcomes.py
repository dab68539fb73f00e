"""Stored forecasts and their outcomes, as arrays of target sessions by assets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, select

from roi_forecast.array_types import FloatArray
from roi_forecast.database.views import view_columns
from roi_forecast.evaluation.metrics import Scored
from roi_forecast.forecaster.conformal import LEVELS
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.market.reference_sessions import reference_sessions
from roi_forecast.market.stored_bars import load_bars
from roi_forecast.registry.versions import ModelVersion
from roi_forecast.universe import Asset, load_universe

_outcomes = view_columns(
    "outcomes",
    "version_id",
    "symbol",
    "as_of_date",
    "target_date",
    "horizon",
    "predicted_roi_pct",
    "gap_roi_pct",
    "open_to_close_roi_pct",
    "realised_roi_pct",
    "realised_gap_pct",
    "realised_open_to_close_pct",
    "lower_80_pct",
    "upper_80_pct",
    "lower_95_pct",
    "upper_95_pct",
    "filled_target",
    "source",
    "backfill",
    "missing_context",
    "created_at",
    "model_name",
)
_BOUNDS = ("lower_80_pct", "upper_80_pct", "lower_95_pct", "upper_95_pct")
_PARTS = ("gap_roi_pct", "open_to_close_roi_pct", "realised_gap_pct", "realised_open_to_close_pct")
_VALUES = ("predicted", "actual", "persistence", *_BOUNDS, *_PARTS, "missing_context")


@dataclass(frozen=True)
class Outcomes:
    """Forecasts of one horizon with known outcomes; every matrix has shape (sessions, assets).

    Attributes:
        horizon: Reference sessions from the as-of to the target date.
        dates: Target dates, ascending, shape (sessions,), datetime64[D].
        actual: Actual ROI in percent; NaN without a forecast or without a bar.
        predicted: Forecast ROI in percent; NaN where `actual` is.
        persistence: The asset's ROI over as many sessions up to the as-of date, in percent; NaN
            where `actual` is, or without earlier prices.
        lower_80_pct: Bounds of the forecast ROI; NaN where `actual` is.
        upper_80_pct: Likewise.
        lower_95_pct: Likewise.
        upper_95_pct: Likewise.
        gap_roi_pct: Forecast of the opening gap, in percent; NaN where `actual` is, beyond the next
            session, and without opening prices.
        open_to_close_roi_pct: Forecast of the rest of the next session, likewise.
        realised_gap_pct: Actual opening gap, in percent; NaN likewise.
        realised_open_to_close_pct: Actual ROI from opening to close, likewise.
        missing_context: Context assets that lacked a bar when it was forecast; NaN where `actual`
            is.
    """

    horizon: int
    dates: npt.NDArray[np.datetime64]
    actual: FloatArray
    predicted: FloatArray
    persistence: FloatArray
    lower_80_pct: FloatArray
    upper_80_pct: FloatArray
    lower_95_pct: FloatArray
    upper_95_pct: FloatArray
    gap_roi_pct: FloatArray
    open_to_close_roi_pct: FloatArray
    realised_gap_pct: FloatArray
    realised_open_to_close_pct: FloatArray
    missing_context: FloatArray

    @property
    def scored(self) -> Scored:
        """The forecasts next to the actual ROIs, in percent."""
        at_80, at_95 = LEVELS
        intervals = (
            Intervals(at_80, self.lower_80_pct, self.upper_80_pct),
            Intervals(at_95, self.lower_95_pct, self.upper_95_pct),
        )
        return Scored(self.actual, self.predicted, intervals=intervals)

    @property
    def scored_gap(self) -> Scored:
        """The forecast opening gaps next to the actual ones, in percent, where both are known."""
        return _where_known(self.realised_gap_pct, self.gap_roi_pct)

    @property
    def scored_open_to_close(self) -> Scored:
        """The forecast ROI from opening to close next to the actual one, likewise."""
        return _where_known(self.realised_open_to_close_pct, self.open_to_close_roi_pct)

    @property
    def sessions(self) -> int:
        """Target sessions with an outcome."""
        return len(self.dates)

    def newest(self, sessions: int) -> Self:
        """Return the outcomes of the newest target sessions only."""
        rows = slice(-sessions, None)
        return type(self)(
            self.horizon,
            self.dates[rows],
            **{name: getattr(self, name)[rows] for name in _VALUES},
        )


def load_outcomes(connection: Connection, champion: ModelVersion, as_of_date: date) -> pd.DataFrame:
    """Read all forecasts under the champion's name with a known outcome by the as-of date.

    Targets on which the asset had no bar are left out.

    Args:
        connection: Market database.
        champion: The version that serves; its assets determine the calendar of the rows.
        as_of_date: Last target date that counts.

    Returns:
        Long frame, one row per forecast, oldest target first: version_id, symbol, as_of_date,
        target_date, horizon, predicted, actual, persistence, bounds and parts in percent, backfill,
        missing_context (how many), created_at.
    """
    outcome = _outcomes.c
    rows = connection.execute(
        select(_outcomes)
        .where(
            outcome.model_name == champion.model_name,
            outcome.target_date <= as_of_date,
            ~outcome.filled_target,
        )
        .order_by(outcome.target_date, outcome.symbol, outcome.horizon, outcome.created_at)
    )
    frame = pd.DataFrame(rows.all(), columns=list(rows.keys()))
    frame = frame.rename(columns={"predicted_roi_pct": "predicted", "realised_roi_pct": "actual"})
    frame = frame.astype({"backfill": "bool"})
    frame = frame.assign(missing_context=frame["missing_context"].map(len).astype(np.float64))
    return frame.assign(persistence=_persistence(connection, frame, champion.symbols))


def arrange(forecasts: pd.DataFrame, horizon: int) -> Outcomes:
    """Arrange the forecasts of one horizon in matrices.

    Args:
        forecasts: Rows of `load_outcomes`. Of several forecasts of the same asset and target the
            last one counts, since it was valid when the session opened.
        horizon: Horizon of the forecasts.
    """
    own = forecasts[forecasts["horizon"] == horizon]
    own = own.sort_values("created_at", kind="stable")
    own = own.drop_duplicates(["target_date", "symbol"], keep="last")
    wide = own.pivot(index="target_date", columns="symbol", values=list(_VALUES)).sort_index()
    return Outcomes(
        horizon,
        pd.DatetimeIndex(wide.index).to_numpy().astype("datetime64[D]"),
        **{name: wide[name].to_numpy(dtype=np.float64) for name in _VALUES},
    )


def _where_known(actual: FloatArray, forecast: FloatArray) -> Scored:
    return Scored(np.where(np.isfinite(forecast), actual, np.nan), forecast)


def last_rois(bars: pd.DataFrame, assets: Sequence[Asset], sessions: int) -> pd.DataFrame:
    """Return each asset's ROI over a number of reference sessions, up to every session.

    Args:
        bars: Long frame with symbol, trading_date and adj_close.
        assets: The assets; the calendar of most of them defines the reference sessions.
        sessions: Number of reference sessions of the ROI.

    Returns:
        ROI in percent, one row per reference session, one column per symbol; NaN before the first
        price.
    """
    prices = bars.pivot(index="trading_date", columns="symbol", values="adj_close").sort_index()
    prices.index = pd.DatetimeIndex(prices.index)
    first, last = prices.index[0].date(), prices.index[-1].date()
    rows = reference_sessions(bars, assets, first, last)
    carried = prices.reindex(prices.index.union(rows)).ffill().loc[rows]
    return 100.0 * (carried / carried.shift(sessions) - 1.0)


def _persistence(
    connection: Connection, forecasts: pd.DataFrame, symbols_of_champion: Sequence[str]
) -> FloatArray:
    found = np.full(len(forecasts), np.nan)
    for source in forecasts["source"].unique():
        of_source = (forecasts["source"] == source).to_numpy()
        own = forecasts[of_source]
        # The champion's come first: if calendars tie, that of the first asset counts.
        symbols = list(dict.fromkeys([*symbols_of_champion, *sorted(own["symbol"].unique())]))
        assets = load_universe().select(symbols)
        start = own["as_of_date"].min() - timedelta(days=2 * int(own["horizon"].max()) + 30)
        bars = load_bars(connection, source, symbols, start, own["as_of_date"].max())
        for horizon in own["horizon"].unique().tolist():
            rois = last_rois(bars, assets, horizon)
            chosen = of_source & (forecasts["horizon"] == horizon).to_numpy()
            rows = rois.index.get_indexer(pd.DatetimeIndex(forecasts["as_of_date"][chosen]))
            columns = rois.columns.get_indexer(pd.Index(forecasts["symbol"][chosen]))
            found[chosen] = np.where(rows >= 0, rois.to_numpy()[rows, columns], np.nan)
    return found
