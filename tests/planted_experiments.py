"""Planted rows of a backtest, a search for hyperparameters and two compared versions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert

from roi_forecast.config import BacktestConfig, RunConfig, TuningConfig
from roi_forecast.database import tables
from roi_forecast.runs.attempts import Attempt, Ending, record_start, recorded

BACKTEST = "manual__2026-11-20T23:00:00.123456+00:00_bt"
FAILED_BACKTEST = "manual__2026-11-20T23:10:00+00:00_failed"
SEARCH = "manual__2026-11-20T23:20:00+00:00_search"
STUDY = "spring"
STARTED = datetime(2026, 11, 20, 21, tzinfo=UTC)
PREDICTORS = ("model", "linear", "no_skill", "persistence", "zero")
BEST = {"learning_rate": 0.0012345678901234567, "batch_size": 32}


def plant_experiments(engine: Engine, *, model_name: str, source: str, dataset_id: str) -> None:
    """Store a finished and a failed backtest, and an unfinished search of a planted model name."""
    run: dict[str, Any] = {
        "model_name": model_name,
        "source": source,
        "as_of_date": date(2026, 11, 20),
        "published_at": datetime(2026, 11, 20, 22, tzinfo=UTC),
        "claimed_at": STARTED,
        "released_at": STARTED,
    }
    resolved = {
        "start_date": "2024-05-21",
        "config": RunConfig(symbols=("GC=F", "M&M.NS"), seed=7).model_dump(mode="json"),
    }
    walk = BacktestConfig(refit_every=21).model_dump(mode="json")
    search = {**TuningConfig(study=STUDY, trials=8).model_dump(mode="json"), "own_seq_len": 60}
    for run_id, dag_id in (
        (BACKTEST, "backtest_roi_forecast"),
        (FAILED_BACKTEST, "backtest_roi_forecast"),
        (SEARCH, "tune_roi_forecast"),
    ):
        record_start(engine, run_id, dag_id, model_name, now=STARTED)
    with engine.begin() as connection:
        connection.execute(
            insert(tables.runs),
            [
                {**run, "run_id": BACKTEST, "resolved": {**resolved, "backtest": walk}},
                {**run, "run_id": SEARCH, "resolved": {**resolved, "tuning": search}},
            ],
        )
        connection.execute(
            insert(tables.evaluations),
            [
                {
                    "run_id": BACKTEST,
                    "dataset_id": dataset_id,
                    "fold": fold,
                    "predictor": predictor,
                    "target": target,
                    "split": "backtest",
                    "first_date": date(2026, 8, 3) + timedelta(days=28 * (fold or 0)),
                    "last_date": date(2026, 8, 28)
                    + timedelta(days=28 * (1 if fold is None else fold)),
                    "rows": 40 if fold is None else 20,
                    "metric": metric,
                    "value": value,
                }
                for fold in (None, 0, 1)
                for place, predictor in enumerate(PREDICTORS)
                for target, metric, value in _scores(place)
            ],
        )
        connection.execute(
            insert(tables.studies).values(
                study=STUDY,
                source=source,
                dataset_id=dataset_id,
                identity={"epochs": 40, "dataset_id": dataset_id},
                importance={"learning_rate": 0.75, "batch_size": 0.25},
            )
        )
        connection.execute(
            insert(tables.trials),
            [
                {
                    "study": STUDY,
                    "trial": number,
                    "run_id": SEARCH,
                    "state": "pruned" if value is None else "complete",
                    "parameters": {**BEST, "batch_size": 16 * (number + 1)},
                    "validation_r2": value,
                    "epochs": 12,
                    "seconds": 3.25 + number,
                    "finished_at": STARTED,
                }
                for number, value in enumerate((0.78123456789, 0.79, None, 0.7, 0.785))
            ],
        )
    _end(engine, BACKTEST, "walk_forward", Ending("succeeded", ends_run=True))
    _end(engine, FAILED_BACKTEST, "resolve_backtest", Ending("failed", "refit_every: received 0"))
    _end(engine, SEARCH, "open_search", Ending("succeeded"))


def plant_comparison(engine: Engine, *, run_id: str, version_id: str, dataset_id: str) -> None:
    """Store what the gate compared of a candidate and the opponent that its rulings name."""
    figures = {
        ("model", "r2_against_zero"): 0.0123,
        ("champion", "r2_against_zero"): 0.0100,
        ("model", "sessions"): 88.0,
        ("model", "r2_gain"): 0.0023,
        ("model", "r2_gain_lower_95"): -0.0011,
        ("model", "r2_gain_upper_95"): 0.0057,
        ("model", "interval_gain"): 0.01,
        ("model", "interval_gain_lower_95"): 0.002,
        ("model", "interval_gain_upper_95"): 0.018,
    }
    with engine.begin() as connection:
        connection.execute(
            insert(tables.evaluations),
            [
                {
                    "run_id": run_id,
                    "version_id": version_id,
                    "dataset_id": dataset_id,
                    "predictor": predictor,
                    "target": "next_day_common",
                    "split": "test",
                    "first_date": date(2026, 6, 1),
                    "last_date": date(2026, 10, 1),
                    "rows": 400,
                    "metric": metric,
                    "value": value,
                }
                for (predictor, metric), value in figures.items()
            ],
        )


def _scores(place: int) -> list[tuple[str, str, float | None]]:
    skill = 0.02 - 0.005 * place
    return [
        ("smoothed_pct", "r2", 0.78),
        ("smoothed_pct", "mae", 0.3),
        ("next_day_pct", "r2_against_zero", skill),
        ("next_day_pct", "r2_against_zero_lower_95", skill - 0.01),
        ("next_day_pct", "r2_against_zero_upper_95", skill + 0.01),
        ("next_day_pct", "r2_against_zero_t", 4.0 - place),
        ("next_day_pct", "mae", 1.1),
        # The zero forecast has no direction.
        ("next_day_pct", "directional_accuracy", None if place == 4 else 0.52),
        ("next_day_pct", "coverage_80", 0.8012),
        ("next_day_pct", "coverage_95", 0.9487),
        ("next_day_pct", "interval_score_80", 4.2),
        ("next_day_pct", "shrinkage", 1.0),
    ]


def _end(engine: Engine, run_id: str, stage: str, ending: Ending) -> None:
    with recorded(
        engine,
        Attempt(run_id, stage, -1, 1),
        at_the_end=ending,
        after_error=lambda error: Ending("failed"),
    ):
        pass
