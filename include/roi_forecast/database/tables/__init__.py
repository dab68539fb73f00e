"""The tables of the schema `roi`, in the order of the pipeline."""

from roi_forecast.database.tables.market import (
    assets,
    daily_prices,
    datasets,
    extractions,
    price_checks,
    price_restatements,
)
from roi_forecast.database.tables.models import (
    evaluations,
    gate_decisions,
    model_versions,
    predictions,
    promotions,
)
from roi_forecast.database.tables.monitoring import drift, live_checks
from roi_forecast.database.tables.runs import (
    history_changes,
    run_starts,
    runs,
    stage_attempts,
    stage_endings,
    studies,
    trials,
)
from roi_forecast.database.tables.schema import SCHEMA, metadata
from roi_forecast.database.tables.track_record import counted_days, counted_months, uncounted

__all__ = [
    "SCHEMA",
    "assets",
    "counted_days",
    "counted_months",
    "daily_prices",
    "datasets",
    "drift",
    "evaluations",
    "extractions",
    "gate_decisions",
    "history_changes",
    "live_checks",
    "metadata",
    "model_versions",
    "predictions",
    "price_checks",
    "price_restatements",
    "promotions",
    "run_starts",
    "runs",
    "stage_attempts",
    "stage_endings",
    "studies",
    "trials",
    "uncounted",
]
