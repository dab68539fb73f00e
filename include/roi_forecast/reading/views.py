"""The views as SQLAlchemy sees them: their columns are the fields of the records."""

from __future__ import annotations

from sqlalchemy import TableClause, column, table

from roi_forecast.database.tables import SCHEMA
from roi_forecast.reading import records


def _view(name: str, record: type[records.Record]) -> TableClause:
    return table(name, *(column(field) for field in record.model_fields), schema=SCHEMA)


model_names = _view("model_names", records.ModelName)
latest_predictions = _view("latest_predictions", records.LatestForecast)
latest_forecast_path = _view("latest_forecast_path", records.PathForecast)
published_forecasts = _view("published_forecasts", records.Forecast)
prediction_outcomes = _view("prediction_outcomes", records.Outcome)
model_leaderboard = _view("model_leaderboard", records.VersionSummary)
model_version_details = _view("model_version_details", records.VersionDetails)
version_scores = table(
    "version_scores",
    column("version_id"),
    *(column(field) for field in records.Score.model_fields),
    schema=SCHEMA,
)
gate_rulings = _view("gate_rulings", records.GateRuling)
champion_history = _view("champion_history", records.Promotion)
run_history = _view("run_history", records.Run)
asset_health = _view("asset_health", records.AssetHealth)
failed_checks = _view("failed_checks", records.FailedCheck)
champion_status = _view("champion_status", records.ChampionCheck)
latest_drift = _view("latest_drift", records.Drift)
live_skill = _view("live_skill", records.LiveSkill)
realised_forecasts = table(
    "realised_forecasts",
    *(
        column(name)
        for name in (
            "model_name",
            "symbol",
            "target_date",
            "horizon",
            "predicted_roi_pct",
            "realised_roi_pct",
            "inside_80",
            "inside_95",
            "backfill",
        )
    ),
    schema=SCHEMA,
)
price_history = table(
    "price_history",
    *(column(name) for name in ("source", "symbol", "trading_date", "adj_close")),
    schema=SCHEMA,
)
