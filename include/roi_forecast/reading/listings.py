"""The lists that people page through, each with its order."""

from __future__ import annotations

from roi_forecast.reading import records, views
from roi_forecast.reading.pagination import Listing

MODEL_NAMES = Listing(views.model_names, records.ModelName, ("model_name",))
LATEST_FORECASTS = Listing(
    views.latest_predictions, records.LatestForecast, ("model_name", "symbol")
)
FORECAST_PATHS = Listing(
    views.latest_forecast_path, records.PathForecast, ("model_name", "symbol", "horizon")
)
FORECASTS = Listing(
    views.published_forecasts,
    records.Forecast,
    ("-as_of_date", "symbol", "horizon", "version_id"),
)
OUTCOMES = Listing(
    views.prediction_outcomes,
    records.Outcome,
    ("-target_date", "symbol", "horizon", "-as_of_date", "version_id"),
)
VERSIONS = Listing(views.model_leaderboard, records.VersionSummary, ("-created_at", "version_id"))
GATE_RULINGS = Listing(
    views.gate_rulings,
    records.GateRuling,
    ("-decided_at", "run_id", "version_id", "rule"),
)
PROMOTIONS = Listing(
    views.champion_history, records.Promotion, ("-served_from", "model_name", "version_id")
)
RUNS = Listing(views.run_history, records.Run, ("-started_at", "run_id"))
ASSET_HEALTH = Listing(views.asset_health, records.AssetHealth, ("model_name", "symbol"))
FAILED_CHECKS = Listing(views.failed_checks, records.FailedCheck, ("-checked_at", "id"))
CHAMPION_CHECKS = Listing(
    views.champion_status, records.ChampionCheck, ("model_name", "horizon", "measure")
)
DRIFT = Listing(views.latest_drift, records.Drift, ("model_name", "symbol"))
