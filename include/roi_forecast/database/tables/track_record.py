"""The tables of the track record: sums over next-session forecasts and what happened.

They repeat what forecasts and prices say, so that a page need not read millions of both. What a
change makes wrong is marked in the transaction of the change (`roi.uncounted`); the views correct
the sums by it until `roi.count_outcomes()` has counted again.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from roi_forecast.database.tables.schema import column, metadata, model_name, number, source, symbol


def _backfill() -> sa.Column[Any]:
    comment = "true: of forecasts that were made after their session opened"
    return column("backfill", sa.Boolean, comment, primary_key=True)


def _sums() -> list[sa.Column[Any]]:
    return [
        column("forecasts", sa.Integer, "number of forecasts with a bar on their target date"),
        column("inside_80", sa.Integer, "number of actual ROIs inside the 80 % interval"),
        column("inside_95", sa.Integer, "number of actual ROIs inside the 95 % interval"),
        column("directions", sa.Integer, "number of forecasts where neither ROI is 0"),
        column("direction_hits", sa.Integer, "number of these with the correct sign"),
        column("sum_of_errors_pct", sa.Double, "sum of the absolute errors, in percentage points"),
        column(
            "sum_of_errors_of_zero_pct",
            sa.Double,
            "sum of the absolute errors of always forecasting 0, in percentage points",
        ),
    ]


counted_days = sa.Table(
    "counted_days",
    metadata,
    model_name(primary_key=True),
    source(primary_key=True),
    column("target_date", sa.Date, "the session that is forecast", primary_key=True),
    _backfill(),
    *_sums(),
    comment="Outcomes of next-session forecasts, summed over the assets, as last counted.",
)

counted_months = sa.Table(
    "counted_months",
    metadata,
    model_name(primary_key=True),
    source(primary_key=True),
    symbol(primary_key=True),
    column("month", sa.Date, "first day of the month of the target dates", primary_key=True),
    _backfill(),
    *_sums(),
    column("target_dates", ARRAY(sa.Date), "target date of each forecast"),
    column("insides_80", ARRAY(sa.Boolean), "whether each is inside its 80 % interval"),
    column("insides_95", ARRAY(sa.Boolean), "whether each is inside its 95 % interval"),
    column("hits", ARRAY(sa.Boolean), "whether each has the correct sign; null where either is 0"),
    column("errors_pct", ARRAY(sa.Double), "absolute error of each, in percentage points"),
    column("errors_of_zero_pct", ARRAY(sa.Double), "likewise of forecasting 0"),
    sa.Index("ix_counted_months_series", "source", "symbol", "month"),
    comment="Outcomes of next-session forecasts of an asset in a month, as last counted.",
)

uncounted = sa.Table(
    "uncounted",
    metadata,
    number(),
    source(),
    symbol(),
    column("first_date", sa.Date, "target date from which on the sums are out of date"),
    comment="Changes of prices and forecasts since the outcomes were last counted.",
)

DERIVED = (counted_days, counted_months, uncounted)
"""Written by functions and triggers alone; what they hold follows from the other tables."""
