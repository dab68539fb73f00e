"""Monitoring the serving champion after each run: live skill and its limits, and drift."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import Engine, select

from roi_forecast.database.counting import count_outcomes
from roi_forecast.database.tables import live_checks
from roi_forecast.monitoring.asset_drift import watch_drift
from roi_forecast.monitoring.champion_checks import ChampionCheck
from roi_forecast.monitoring.live_skill import watch_live_skill
from roi_forecast.registry.versions import find_champion
from roi_forecast.runs.resolved_run import ResolvedRun

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Monitoring:
    """The results of monitoring the champion.

    Attributes:
        version_id: The champion, or None if no version serves.
        checks: The checks of every horizon with outcomes.
        drifting: The assets whose newest window differs from the training rows.
    """

    version_id: str | None
    checks: tuple[ChampionCheck, ...] = ()
    drifting: tuple[str, ...] = ()

    @property
    def alerts(self) -> tuple[ChampionCheck, ...]:
        """The checks below their limit."""
        return tuple(check for check in self.checks if check.state == "below")


def monitor_champion(engine: Engine, run: ResolvedRun) -> Monitoring:
    """Score the live forecasts of the serving champion and of its name, and measure drift.

    Outcomes are counted first, for the track record of every name. The results do not change what
    serves. Repeating it for a run replaces the stored results.

    Args:
        engine: Market database.
        run: The resolved run, with its limits; nothing after its as-of date is read.

    Returns:
        The results, which are also stored in `evaluations`, `live_checks` and `drift`.

    Raises:
        DatasetError: The stored prices do not reach the as-of date.
    """
    with engine.begin() as connection:
        count_outcomes(connection)
    with engine.connect() as connection:
        champion = find_champion(connection, run.model_name)
    if champion is None:
        logger.info("no version serves under %s: nothing to monitor", run.model_name)
        return Monitoring(None)
    checks = watch_live_skill(engine, run, champion)
    return Monitoring(champion.version_id, checks, watch_drift(engine, run, champion))


def report_alerts(engine: Engine, run_id: str) -> str | None:
    """Log the figures that a run found below their limit, and what to do about them.

    Args:
        engine: Market database.
        run_id: A run that monitored its champion.

    Returns:
        The last line of the log, or None if nothing is below its limit.
    """
    check = live_checks.c
    with engine.connect() as connection:
        found = connection.execute(
            select(check.version_id, check.reason)
            .where(check.run_id == run_id, check.state == "below")
            .order_by(check.horizon, check.measure)
        ).all()
    if not found:
        return None
    for row in found:
        logger.warning(row.reason)
    advice = (
        f"champion {found[0].version_id} is below its limit (roi.champion_checks): see "
        "roi.live_skill and roi.latest_drift, then train on newer prices (a later start_date) or "
        "roll back to a version that served before (DAG roll_back_champion)"
    )
    logger.warning(advice)
    return advice
