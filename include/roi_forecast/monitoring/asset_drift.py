"""The drift of a champion's assets away from its training rows: measured, stored and logged."""

from __future__ import annotations

import logging
from datetime import date

import numpy as np
from sqlalchemy import Engine, delete, insert, select

from roi_forecast.database.tables import datasets, drift
from roi_forecast.features.returns import log_roi
from roi_forecast.features.rows import load_rows
from roi_forecast.monitoring.drift import Drift, measure_drift
from roi_forecast.registry.versions import ModelVersion
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import load_universe

logger = logging.getLogger(__name__)

DRIFT_WINDOW_SESSIONS = 60
"""Newest sessions, which are compared with the training rows."""
DRIFT_PERCENTILE = 0.99
"""Fraction of earlier windows that the newest window of a drifting asset exceeds."""
_MAX_NAMED = 5


def watch_drift(engine: Engine, run: ResolvedRun, champion: ModelVersion) -> tuple[str, ...]:
    """Measure, store and log each asset's drift away from the champion's training rows.

    Drift decides nothing: a market can change while the model stays right about it.

    Args:
        engine: Market database.
        run: The resolved run; no price after its as-of date is read.
        champion: The version that serves.

    Returns:
        The drifting assets, those furthest from their training rows first.

    Raises:
        DatasetError: The stored prices do not reach the as-of date.
    """
    with engine.connect() as connection:
        rows = load_rows(
            connection,
            champion.source,
            load_universe().select(champion.symbols),
            champion.first_date,
            run.as_of_date,
            max_lost_share=1.0,
            carries_in=True,
        )
        manifest = connection.execute(
            select(datasets.c.manifest).where(datasets.c.dataset_id == champion.dataset_id)
        ).scalar_one()
    training_end = date.fromisoformat(manifest["split"]["train"]["last_date"])
    values = np.where(rows.filled[1:], np.nan, log_roi(rows.prices))
    dates = rows.dates[1:]
    trained = int(np.searchsorted(dates, np.datetime64(training_end), side="right"))
    first = max(trained, len(dates) - DRIFT_WINDOW_SESSIONS)
    training, newest = values[:trained], values[first:]
    if not len(training) or not len(newest):
        logger.info("drift: no rows before and after %s to compare", training_end)
        return ()
    measured = measure_drift(training, newest, DRIFT_PERCENTILE)
    period = {
        "run_id": run.run_id,
        "model_name": run.model_name,
        "version_id": champion.version_id,
        "as_of_date": run.as_of_date,
        "training_first_date": dates[0].item(),
        "training_last_date": training_end,
        "window_first_date": dates[first].item(),
        "window_last_date": dates[-1].item(),
    }
    stored = [
        {
            **period,
            "symbol": symbol,
            "window_rows": count,
            **(vars(found) if found else dict.fromkeys(Drift.__dataclass_fields__)),
            "drifting": found is not None and found.drifting,
        }
        for symbol, count, found in zip(
            rows.symbols, np.isfinite(newest).sum(axis=0).tolist(), measured, strict=True
        )
    ]
    with engine.begin() as connection:
        connection.execute(delete(drift).where(drift.c.run_id == run.run_id))
        connection.execute(insert(drift), stored)
    drifting = sorted(
        (
            (symbol, found)
            for symbol, found in zip(rows.symbols, measured, strict=True)
            if found is not None and found.drifting
        ),
        key=lambda entry: entry[1].wasserstein,
        reverse=True,
    )
    named = ", ".join(
        f"{symbol} (distance {found.wasserstein:.2f}, {found.scale_ratio:.2f} times the spread)"
        for symbol, found in drifting[:_MAX_NAMED]
    )
    logger.info(
        "drift: %d of %d assets differ from their training rows%s",
        len(drifting),
        len(measured),
        f", most of all {named}" if named else "",
    )
    return tuple(symbol for symbol, _ in drifting)
