"""One universe of simulated assets through the stages, each in a process of its own.

    python benchmarks/speed_scale.py DATABASE_URL DIRECTORY ASSETS YEARS STAGE

prints seconds and peak memory in MiB of one stage as JSON. `speed.py` calls it for every stage.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from peak_memory import peak_mib
from sqlalchemy import Engine

from roi_forecast.database.engine import create_database_engine
from roi_forecast.settings import Settings

END = date(2024, 12, 27)
NOW = datetime(2025, 1, 15, 12, tzinfo=UTC)
RUN_ID = "speed"

STAGES = (
    "resolve_run",
    "extract_prices",
    "check_prices",
    "build_dataset",
    "train_model",
    "evaluate_model",
    "decide_promotion",
    "promote_model",
    "forecast",
)


def parameters(assets: int, years: int) -> dict[str, Any]:
    """Return the run parameters: one epoch of the reference network, which serves in any case."""
    return {
        "source": "simulated",
        "model_name": f"speed-{assets}",
        "symbols": [f"SIM{number:05}.NS" for number in range(assets)],
        "start_date": str(END - timedelta(days=round(365.25 * years))),
        "as_of_date": str(END),
        "epochs": 1,
        "gate_override_reason": "only time and memory are of interest",
    }


def run_stage(stage: str, settings: Settings, assets: int, years: int) -> Any:
    """Carry out one stage of the run and return what a later one needs."""
    engine = create_database_engine(settings.database_url)
    memory = settings.data_directory / "speed.json"
    known: dict[str, Any] = json.loads(memory.read_text()) if memory.exists() else {}
    calls: dict[str, Callable[[], Any]] = {
        "resolve_run": lambda: _resolve(engine, settings, assets, years),
        "extract_prices": lambda: _extract(engine, settings),
        "check_prices": lambda: _check(engine),
        "build_dataset": lambda: _build(engine, settings),
        "train_model": lambda: _train(engine, settings, known),
        "evaluate_model": lambda: _evaluate(engine, settings, known),
        "decide_promotion": lambda: _decide(engine, known),
        "promote_model": lambda: _promote(engine, settings, known),
        "forecast": lambda: _forecast(engine, settings, known),
    }
    known[stage] = calls[stage]()
    memory.write_text(json.dumps(known))
    engine.dispose()
    return known[stage]


def _run(engine: Engine) -> Any:
    from roi_forecast.runs.resolved_run import load_run

    return load_run(engine, RUN_ID)


def _resolve(engine: Engine, settings: Settings, assets: int, years: int) -> int:
    from roi_forecast.planning.resolve import resolve_run

    run = resolve_run(engine, settings, RUN_ID, parameters(assets, years), lambda _: False, now=NOW)
    return len(run.extraction_symbols)


def _extract(engine: Engine, settings: Settings) -> int:
    from roi_forecast.market.extraction import extract_prices
    from roi_forecast.market.sources.registry import open_source

    run = _run(engine)
    source = open_source(run.config, settings)
    return sum(
        extract_prices(engine, run, symbol, source, now=NOW).changed
        for symbol in run.extraction_symbols
    )


def _check(engine: Engine) -> None:
    from roi_forecast.market.checks.price_checks import check_prices

    check_prices(engine, _run(engine))


def _build(engine: Engine, settings: Settings) -> str:
    from roi_forecast.features.build import build_dataset

    return build_dataset(engine, _run(engine), settings.datasets_directory).dataset_id


def _train(engine: Engine, settings: Settings, known: dict[str, Any]) -> str:
    from roi_forecast.features.storage import load_dataset
    from roi_forecast.registry.candidates import train_candidate

    dataset = load_dataset(settings.datasets_directory / known["build_dataset"])
    version = train_candidate(engine, _run(engine), dataset, settings.models_directory, now=NOW)
    return version.version_id


def _evaluate(engine: Engine, settings: Settings, known: dict[str, Any]) -> str | None:
    from roi_forecast.evaluation.evaluate import evaluate_model
    from roi_forecast.features.storage import load_dataset

    dataset = load_dataset(settings.datasets_directory / known["build_dataset"])
    return evaluate_model(
        engine, _run(engine), dataset, known["train_model"], settings.models_directory
    )


def _decide(engine: Engine, known: dict[str, Any]) -> bool:
    from roi_forecast.gate.decide import decide_promotion

    verdict = decide_promotion(engine, _run(engine), known["train_model"], known["evaluate_model"])
    return verdict.promoted


def _promote(engine: Engine, settings: Settings, known: dict[str, Any]) -> None:
    from roi_forecast.serving.promotion import promote_model

    promote_model(engine, settings.models_directory, known["train_model"], RUN_ID, "benchmark")


def _forecast(engine: Engine, settings: Settings, known: dict[str, Any]) -> int:
    from roi_forecast.serving.forecast_store import store_forecasts

    return store_forecasts(
        engine,
        _run(engine),
        known["build_dataset"],
        settings.models_directory,
        candidate_id=known["train_model"],
        now=NOW,
    ).added


def main() -> None:
    """Carry out the stage of the command line."""
    logging.basicConfig(level=logging.ERROR)
    url, directory, assets, years, stage = sys.argv[1:]
    settings = Settings(database_url=url, data_directory=Path(directory))
    settings.data_directory.mkdir(parents=True, exist_ok=True)
    began, used = time.perf_counter(), time.process_time()
    result = run_stage(stage, settings, int(assets), int(years))
    print(
        json.dumps(
            {
                "stage": stage,
                "seconds": time.perf_counter() - began,
                "processor_seconds": time.process_time() - used,
                "peak_mib": peak_mib(),
                "result": result,
            }
        )
    )


if __name__ == "__main__":
    main()
