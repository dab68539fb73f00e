"""Holding the newest prices of a champion's assets against its training rows, and storing it."""

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
"""Newest sessions that are compared with the training rows."""
DRIFT_PERCENTILE = 0.99
"""Share of earlier windows of the training rows that a drifting asset's newest window exceeds."""
_NAMED = 5


def watch_drift(engine: Engine, run: ResolvedRun, champion: ModelVersion) -> tuple[str, ...]:
    """Measure each asset's drift away from the champion's training rows, store it and log it.

    Drift is shown and decides nothing: a market may change and a model still be right about it.

    Args:
        engine: Market database.
        run: The resolved run; no price after its as-of date is read.
        champion: The version that serves.

    Returns:
        The drifting assets, the one furthest from its training rows first.

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
    found = dict(zip(rows.symbols, measure_drift(training, newest, DRIFT_PERCENTILE), strict=True))
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
    counts = np.isfinite(newest).sum(axis=0).tolist()
    with engine.begin() as connection:
        connection.execute(delete(drift).where(drift.c.run_id == run.run_id))
        connection.execute(
            insert(drift),
            [
                {**period, "symbol": symbol, "window_rows": count, **_figures(measured)}
                for (symbol, measured), count in zip(found.items(), counts, strict=True)
            ],
        )
    return _log(found)


def _figures(measured: Drift | None) -> dict[str, object]:
    if measured is None:
        return dict.fromkeys(Drift.__dataclass_fields__) | {"drifting": False}
    return {**vars(measured), "drifting": measured.drifting}


def _log(found: dict[str, Drift | None]) -> tuple[str, ...]:
    drifting = {symbol: each for symbol, each in found.items() if each and each.drifting}
    worst = sorted(drifting, key=lambda symbol: drifting[symbol].wasserstein, reverse=True)
    named = ", ".join(
        f"{symbol} (distance {drifting[symbol].wasserstein:.2f}, scale x "
        f"{drifting[symbol].scale_ratio:.2f})"
        for symbol in worst[:_NAMED]
    )
    logger.info(
        "drift: %d of %d assets are unlike their training rows%s",
        len(drifting),
        len(found),
        f", most of all {named}" if worst else "",
    )
    return tuple(worst)
