"""The tables that monitor a serving champion: checks of its live figures, and drift."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Date,
    Double,
    Index,
    Integer,
    Table,
    Text,
)

from roi_forecast.database.tables.schema import (
    MOMENT,
    NOW,
    as_of_date,
    column,
    horizon,
    metadata,
    model_name,
    run_id,
    symbol,
    version_id,
)

champion_checks = Table(
    "champion_checks",
    metadata,
    run_id(primary_key=True),
    horizon(primary_key=True),
    column("measure", Text, "the checked figure, such as coverage_80", primary_key=True),
    model_name(),
    version_id(comment="the checked champion"),
    column("as_of_date", Date, "last target date that counts"),
    column("scope", Text, "version: its own forecasts; model_name: those of every version"),
    column("sessions", Integer, "number of target sessions counted"),
    column("threshold", Double, "limit of the measure"),
    column("observed", Double, "the measure: a fraction or an R2", nullable=True),
    column(
        "upper_95",
        Double,
        "upper 95 % bound of observed; below the threshold it raises an alert",
        nullable=True,
    ),
    column("state", Text, "passed, below or too_few"),
    column("reason", Text, "why, in words"),
    column("checked_at", MOMENT, "when it was checked", server_default=NOW),
    CheckConstraint("scope IN ('version', 'model_name')", name="scope"),
    CheckConstraint("state IN ('passed', 'below', 'too_few')", name="state"),
    Index("ix_champion_checks_model_name", "model_name", "checked_at"),
    comment="Each run's comparison of the champion's live figures with their limits.",
)

drift = Table(
    "drift",
    metadata,
    run_id(primary_key=True),
    symbol(primary_key=True),
    model_name(),
    version_id(comment="the champion"),
    as_of_date(),
    column("training_first_date", Date, "first trading date of the training rows"),
    column("training_last_date", Date, "last trading date of the training rows"),
    column("window_first_date", Date, "first trading date of the newest window"),
    column("window_last_date", Date, "last trading date of the newest window"),
    column("window_rows", Integer, "rows with a bar in the newest window"),
    column(
        "wasserstein",
        Double,
        "Wasserstein distance of the log ROIs, newest window from training rows, in standard "
        "deviations of the training rows",
        nullable=True,
    ),
    column(
        "wasserstein_limit", Double, "distance that earlier windows rarely exceeded", nullable=True
    ),
    column(
        "wasserstein_percentile",
        Double,
        "fraction of earlier windows that are closer to the training rows",
        nullable=True,
    ),
    column(
        "scale_ratio",
        Double,
        "standard deviation of the log ROI, newest window over training rows",
        nullable=True,
    ),
    column(
        "scale_ratio_low",
        Double,
        "scale_ratio that earlier windows rarely fell below",
        nullable=True,
    ),
    column(
        "scale_ratio_high",
        Double,
        "scale_ratio that earlier windows rarely exceeded",
        nullable=True,
    ),
    column("drifting", Boolean, "true: the newest window is outside the range of earlier windows"),
    column("measured_at", MOMENT, "when it was measured", server_default=NOW),
    Index("ix_drift_model_name", "model_name", "as_of_date", "measured_at"),
    comment="Distance of each asset's newest log ROIs from the champion's training rows.",
)
