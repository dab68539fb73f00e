"""A market database as after months of runs, in which every question of the documentation has rows.

`benchmarks/planted_market.py` plants most of it; what the questions need besides is added here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from planted_market import LAST_DATE, trading_dates
from planted_monitoring import plant_monitoring
from sqlalchemy import Connection, Engine, func, insert, select, update

from roi_forecast.database.tables import (
    datasets,
    drift,
    evaluations,
    extractions,
    model_versions,
    predictions,
    price_restatements,
    runs,
    studies,
    trials,
)

TODAY = LAST_DATE
MARKETS: tuple[dict[str, Any], ...] = (
    {"assets": 5, "sessions": 90, "versions": 4, "context": ["^GSPC", "^N225"]},
    {
        "assets": 4,
        "sessions": 60,
        "versions": 2,
        "model_name": "other",
        "source": "simulated",
        "seed": 1,
    },
)


def plant_story(engine: Engine) -> None:
    """Add farther horizons, a backtest, a search, a restatement, drift and failures."""
    with engine.begin() as connection:
        _forecast_farther(connection)
        _forecast_zero(connection)
        _backtest(connection)
        _search(connection)
        _change_versions(connection)
        connection.execute(
            insert(price_restatements).values(
                source="yahoo",
                symbol="GC=F",
                run_id="night",
                compared_on=TODAY,
                close_ratio=0.5,
                adj_close_ratio=0.5,
                first_date=TODAY - timedelta(days=90),
                last_date=TODAY,
                rows=60,
            )
        )
        _fail_two_runs(connection)
    plant_monitoring(engine)
    with engine.begin() as connection:
        connection.execute(update(drift).where(drift.c.symbol == "GC=F").values(drifting=True))


def _forecast_farther(connection: Connection) -> None:
    random = np.random.default_rng(7)
    days = trading_dates(140, TODAY + timedelta(days=70))
    rows = connection.execute(select(predictions).where(predictions.c.horizon == 1)).mappings()
    farther = []
    for row in rows.all():
        for horizon in (5, 20):
            middle, half = random.normal(0, 0.2), 1.7 * horizon**0.5
            target = days.index(row["as_of_date"]) + horizon
            if target >= len(days):
                continue
            farther.append(
                {
                    **row,
                    "horizon": horizon,
                    "target_date": days[target],
                    "method": "direct",
                    "gap_roi_pct": None,
                    "open_to_close_roi_pct": None,
                    "context": None,
                    "predicted_roi_pct": middle,
                    "lower_80_pct": middle - half,
                    "upper_80_pct": middle + half,
                    "lower_95_pct": middle - 1.6 * half,
                    "upper_95_pct": middle + 1.6 * half,
                }
            )
    connection.execute(insert(predictions), farther)


def _forecast_zero(connection: Connection) -> None:
    """The asset M&M.NS is always forecast to stay where it is, and has no direction."""
    connection.exec_driver_sql("ALTER TABLE roi.predictions DISABLE TRIGGER record_update")
    connection.execute(
        update(predictions)
        .where(predictions.c.symbol == "M&M.NS", predictions.c.horizon == 1)
        .values(predicted_roi_pct=0.0)
    )
    connection.exec_driver_sql("ALTER TABLE roi.predictions ENABLE TRIGGER record_update")


def _backtest(connection: Connection) -> None:
    first = connection.execute(select(datasets.c.dataset_id, datasets.c.first_date)).first()
    assert first is not None
    for number, run_id in enumerate(("older", "newer")):
        connection.execute(
            insert(runs).values(
                run_id=f"backtest_{run_id}",
                model_name="reference",
                source="yahoo",
                as_of_date=TODAY,
                published_at=datetime(2026, 11, 10 + number, tzinfo=UTC),
                resolved={
                    "config": {"architecture": "hybrid"},
                    "backtest": {"window": "expanding"},
                },
                claimed_at=datetime(2026, 11, 10 + number, tzinfo=UTC),
                released_at=datetime(2026, 11, 11 + number, tzinfo=UTC),
            )
        )
    connection.execute(
        insert(evaluations),
        [
            {
                "run_id": f"backtest_{run_id}",
                "version_id": None,
                "dataset_id": first.dataset_id,
                "fold": fold,
                "predictor": predictor,
                "target": "next_day_pct",
                "split": "backtest",
                "first_date": first.first_date,
                "last_date": TODAY,
                "rows": 100,
                "metric": metric,
                "value": 0.01 * (fold or 5),
            }
            for run_id in ("older", "newer")
            for fold in (0, 1, 2, None)
            for predictor in ("linear", "model")
            for metric in ("r2_against_zero", "r2_against_zero_t", "coverage_80")
        ],
    )


def _search(connection: Connection) -> None:
    dataset_id = connection.execute(select(func.min(datasets.c.dataset_id))).scalar_one()
    connection.execute(
        insert(studies).values(study="spring", source="yahoo", dataset_id=dataset_id, identity={})
    )
    connection.execute(
        insert(trials),
        [
            {
                "study": "spring",
                "trial": number,
                "run_id": "search",
                "state": "pruned" if score is None else "complete",
                "parameters": {"units": 16 * (number + 1)},
                "validation_r2": score,
                "epochs": 9,
                "seconds": 4.0,
            }
            for number, score in enumerate((0.71, 0.74, None, 0.69))
        ],
    )


def _change_versions(connection: Connection) -> None:
    own = model_versions.c
    connection.execute(
        update(model_versions)
        .where(own.version_id == "reference-version-03")
        .values(hyperparameters={"architecture": "hybrid", "epochs": 80, "units": 32})
    )


def _fail_two_runs(connection: Connection) -> None:
    """The second asset fails in a run of three days ago, and once long ago."""
    of_run = select(runs.c.run_id).where(runs.c.model_name == "reference")
    for days_ago in (3, 30):
        day = TODAY - timedelta(days=days_ago)
        run_id = connection.execute(
            of_run.where(runs.c.as_of_date <= day).order_by(runs.c.as_of_date.desc()).limit(1)
        ).scalar_one()
        connection.execute(
            insert(extractions).values(
                run_id=run_id,
                symbol="M&M.NS",
                source="yahoo",
                requested_start=day,
                requested_end=day,
                status="failed",
                rows=0,
                error="M&M.NS: no answer",
                finished_at=datetime(day.year, day.month, day.day, 22, tzinfo=UTC),
            )
        )
