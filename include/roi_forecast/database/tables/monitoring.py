"""The tables that monitor a serving champion: checks of its live figures, and drift."""

from __future__ import annotations

import sqlalchemy as sa

from roi_forecast.database.tables.schema import (
    as_of_date,
    column,
    horizon,
    metadata,
    model_name,
    now,
    nullable,
    run_id,
    symbol,
    version_id,
)

live_checks = sa.Table(
    "live_checks",
    metadata,
    run_id(primary_key=True),
    horizon(primary_key=True),
    column("measure", sa.Text, "the checked figure, such as coverage_80", primary_key=True),
    model_name(),
    version_id(comment="the checked champion"),
    column("as_of_date", sa.Date, "last target date that counts"),
    column("scope", sa.Text, "version: its own forecasts; model_name: those of every version"),
    column("sessions", sa.Integer, "number of target sessions counted"),
    column("threshold", sa.Double, "limit of the measure"),
    nullable("observed", sa.Double, "the measure: a fraction or an R2"),
    nullable("upper_95", sa.Double, "upper 95 % bound of observed; an alert if below the limit"),
    column("state", sa.Text, "passed, below or too_few"),
    column("reason", sa.Text, "why, in words"),
    now("checked_at", "when it was checked"),
    sa.CheckConstraint("scope IN ('version', 'model_name')", name="scope"),
    sa.CheckConstraint("state IN ('passed', 'below', 'too_few')", name="state"),
    sa.Index("ix_live_checks_model_name", "model_name", "checked_at"),
    comment="Each run's comparison of the champion's live figures with their limits.",
)

drift = sa.Table(
    "drift",
    metadata,
    run_id(primary_key=True),
    symbol(primary_key=True),
    model_name(),
    version_id(comment="the champion"),
    as_of_date(),
    column("training_first_date", sa.Date, "first trading date of the training rows"),
    column("training_last_date", sa.Date, "last trading date of the training rows"),
    column("window_first_date", sa.Date, "first trading date of the newest window"),
    column("window_last_date", sa.Date, "last trading date of the newest window"),
    column("window_rows", sa.Integer, "rows with a bar in the newest window"),
    nullable(
        "wasserstein",
        sa.Double,
        "Wasserstein distance of log ROIs from the training rows, in their standard deviations",
    ),
    nullable("wasserstein_limit", sa.Double, "distance that earlier windows rarely exceeded"),
    nullable(
        "wasserstein_percentile",
        sa.Double,
        "fraction of earlier windows closer to the training rows",
    ),
    nullable(
        "scale_ratio",
        sa.Double,
        "standard deviation of log ROIs, newest window over training",
    ),
    nullable("scale_ratio_low", sa.Double, "scale_ratio that earlier windows rarely fell below"),
    nullable("scale_ratio_high", sa.Double, "scale_ratio that earlier windows rarely exceeded"),
    column("drifting", sa.Boolean, "true: the newest window is outside the earlier ones' range"),
    now("measured_at", "when it was measured"),
    sa.Index("ix_drift_model_name", "model_name", "as_of_date", "measured_at"),
    comment="Distance of each asset's newest log ROIs from the champion's training rows.",
)
