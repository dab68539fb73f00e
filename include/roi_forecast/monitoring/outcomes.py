"""Stored forecasts beside what came of them, as arrays of target sessions by assets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

import numpy as np
import pandas as pd
from sqlalchemy import Connection, column, select, table

from roi_forecast.array_types import DateArray, FloatArray
from roi_forecast.database.tables import SCHEMA
from roi_forecast.market.calendars import reference_sessions
from roi_forecast.market.stored_bars import load_bars
from roi_forecast.registry.versions import ModelVersion
from roi_forecast.universe import Asset, load_universe

_prediction_outcomes = table(
    "prediction_outcomes",
    column("model_name"),
    column("version_id"),
    column("symbol"),
    column("as_of_date"),
    column("target_date"),
    column("horizon"),
    column("predicted_roi_pct"),
    column("realised_roi_pct"),
    column("inside_80"),
    column("inside_95"),
    column("filled_target"),
    column("source"),
    column("backfill"),
    column("created_at"),
    schema=SCHEMA,
)
_VALUES = ("predicted", "actual", "persistence", "inside_80", "inside_95")


@dataclass(frozen=True)
class Outcomes:
    """Forecasts of one horizon whose outcome is known; every matrix is (sessions, assets).

    Attributes:
        horizon: Reference sessions from the as-of to the target date.
        dates: Target dates, ascending, shape (sessions,), datetime64[D].
        actual: Realised ROI in percent; NaN where nothing was forecast or the asset had no bar.
        predicted: Published ROI in percent, NaN where `actual` is.
        persistence: The asset's ROI over as many sessions up to the as-of date, in percent; NaN
            where `actual` is, or where there are no earlier prices.
        inside_80: 1 where the 80 % interval held what came, 0 where not, NaN where `actual` is.
        inside_95: Likewise at 95 %.
    """

    horizon: int
    dates: DateArray
    actual: FloatArray
    predicted: FloatArray
    persistence: FloatArray
    inside_80: FloatArray
    inside_95: FloatArray

    @property
    def sessions(self) -> int:
        """Target sessions with an outcome."""
        return len(self.dates)

    def newest(self, sessions: int) -> Self:
        """Return only the newest target sessions."""
        kept = slice(-sessions, None)
        return type(self)(
            self.horizon,
            self.dates[kept],
            *(
                matrix[kept]
                for matrix in (
                    self.actual,
                    self.predicted,
                    self.persistence,
                    self.inside_80,
                    self.inside_95,
                )
            ),
        )


def load_outcomes(connection: Connection, champion: ModelVersion, as_of_date: date) -> pd.DataFrame:
    """Read all forecasts under the champion's name whose outcome is known by the as-of date.

    A target on which the asset had no bar is left out, as everywhere.

    Args:
        connection: Market database.
        champion: The version that serves; its assets tell which calendar the rows follow.
        as_of_date: No later target counts.

    Returns:
        Long frame, one row for each forecast, oldest target first: version_id, symbol, as_of_date,
        target_date, horizon, predicted, actual and persistence in percent, inside_80, inside_95 (1
        or 0), backfill, created_at.
    """
    outcome = _prediction_outcomes.c
    rows = connection.execute(
        select(
            outcome.version_id,
            outcome.symbol,
            outcome.as_of_date,
            outcome.target_date,
            outcome.horizon,
            outcome.predicted_roi_pct.label("predicted"),
            outcome.realised_roi_pct.label("actual"),
            outcome.inside_80,
            outcome.inside_95,
            outcome.source,
            outcome.backfill,
            outcome.created_at,
        )
        .where(
            outcome.model_name == champion.model_name,
            outcome.target_date <= as_of_date,
            ~outcome.filled_target,
        )
        .order_by(outcome.target_date, outcome.symbol, outcome.horizon, outcome.created_at)
    )
    frame = pd.DataFrame(rows.all(), columns=list(rows.keys()))
    frame = frame.astype({"inside_80": "float64", "inside_95": "float64", "backfill": "bool"})
    return frame.assign(persistence=_persistence(connection, frame, champion.symbols))


def arrange(forecasts: pd.DataFrame, horizon: int) -> Outcomes:
    """Put the forecasts of one horizon into matrices.

    Args:
        forecasts: What `load_outcomes` returns, or some of its rows. Of several forecasts of the
            same asset and target the one made last counts: it is the one that stood when the
            session opened.
        horizon: Which forecasts.
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


def last_rois(bars: pd.DataFrame, assets: Sequence[Asset], sessions: int) -> pd.DataFrame:
    """Return each asset's ROI over the last so many reference sessions, up to every session.

    Args:
        bars: Long frame with symbol, trading_date and adj_close.
        assets: The assets; the calendar of most of them gives the reference sessions.
        sessions: Reference sessions that the ROI spans.

    Returns:
        ROI in percent, one row for each reference session, one column for each symbol; NaN where
        there was no price so early.
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
        # The champion's first: where two calendars have as many assets, the first one's counts.
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
