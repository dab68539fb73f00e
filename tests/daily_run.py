"""A daily run from parameters to forecasts, without Airflow, with a network that trains at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from roi_forecast.evaluation.evaluate import evaluate_model
from roi_forecast.features.build import build_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.gate.decide import decide_promotion
from roi_forecast.gate.rules import Verdict
from roi_forecast.market.checks.price_checks import check_prices
from roi_forecast.market.extraction_batches import extract_batch
from roi_forecast.market.sources.registry import open_source
from roi_forecast.monitoring.monitor import Monitoring, monitor_champion
from roi_forecast.planning.resolve import resolve_run
from roi_forecast.registry.candidates import train_candidate
from roi_forecast.runs.attempts import Attempt, Ending, record_start, recorded
from roi_forecast.runs.claims import release_run
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.serving.forecast_store import StoredForecasts, store_forecasts
from roi_forecast.serving.promotion import promote_model, reject_model
from roi_forecast.settings import Settings
from tiny_network import TINY_NETWORK

SYMBOLS = ("RELIANCE.NS", "TCS.NS", "INFY.NS", "GC=F")
SMALL_RUN: dict[str, Any] = {
    "source": "simulated",
    "symbols": SYMBOLS,
    "start_date": "2023-07-03",
    "as_of_date": "2024-12-27",
    **TINY_NETWORK,
    "epochs": 2,
}
NOW = datetime(2025, 1, 15, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Outcome:
    """What the stages of one run gave."""

    run: ResolvedRun
    dataset: Dataset
    version_id: str
    verdict: Verdict
    forecasts: StoredForecasts
    monitoring: Monitoring


def prepare(
    engine: Engine, settings: Settings, run_id: str, parameters: dict[str, Any], now: datetime = NOW
) -> tuple[ResolvedRun, Dataset]:
    """Carry out the stages up to the dataset."""
    run = resolve_run(
        engine, settings, run_id, {**SMALL_RUN, **parameters}, lambda other: True, now=now
    )
    source = open_source(run.config, settings)
    extract_batch(engine, run, run.extraction_symbols, source, now=now)
    check_prices(engine, run)
    return run, build_dataset(engine, run, settings.datasets_directory)


def carry_out(
    engine: Engine,
    settings: Settings,
    run_id: str,
    parameters: dict[str, Any] | None = None,
    now: datetime = NOW,
) -> Outcome:
    """Carry out every stage of a run; for the record they are one."""
    record_start(engine, run_id, "daily_roi_forecast", None, now=now)
    with recorded(
        engine,
        Attempt(run_id, "monitor_champion", -1, 1),
        at_the_end=Ending("succeeded", ends_run=True),
        after_error=lambda error: Ending("failed", str(error)),
    ):
        return _carry_out(engine, settings, run_id, parameters, now)


def _carry_out(
    engine: Engine,
    settings: Settings,
    run_id: str,
    parameters: dict[str, Any] | None,
    now: datetime,
) -> Outcome:
    run, dataset = prepare(engine, settings, run_id, parameters or {}, now)
    models = settings.models_directory
    version_id = train_candidate(engine, run, dataset, models, now=now).version_id
    opponent = evaluate_model(engine, run, dataset, version_id, models)
    verdict = decide_promotion(engine, run, version_id, opponent)
    if verdict.promoted:
        promote_model(engine, models, version_id, run_id, "test")
    else:
        reject_model(engine, version_id)
    forecasts = store_forecasts(
        engine, run, dataset.dataset_id, models, candidate_id=version_id, now=now
    )
    monitoring = monitor_champion(engine, run)
    release_run(engine, run_id, now=now)
    return Outcome(run, dataset, version_id, verdict, forecasts, monitoring)
