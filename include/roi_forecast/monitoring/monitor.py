"""Watching the serving champion after each run: its live skill and its limits, and drift."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import Engine

from roi_forecast.model.versions import find_champion
from roi_forecast.monitoring.asset_drift import watch_drift
from roi_forecast.monitoring.champion_checks import ChampionCheck
from roi_forecast.monitoring.live_skill import watch_live_skill
from roi_forecast.runs.resolved_run import ResolvedRun

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Monitoring:
    """What watching the champion found.

    Attributes:
        version_id: The champion, or None where no version serves.
        checks: All checks, of every horizon that has outcomes.
        drifting: The assets whose newest window is not like the training rows.
    """

    version_id: str | None
    checks: tuple[ChampionCheck, ...] = ()
    drifting: tuple[str, ...] = ()

    @property
    def alerts(self) -> tuple[ChampionCheck, ...]:
        """The checks that found the champion below a limit."""
        return tuple(check for check in self.checks if check.state == "below")


def monitor_champion(engine: Engine, run: ResolvedRun) -> Monitoring:
    """Score the live forecasts of the serving champion and of its name, and look for drift.

    Nothing found here changes what serves. Repeating it for the same run replaces what was stored.

    Args:
        engine: Market database.
        run: The resolved run, with its limits; nothing after its as-of date is looked at.

    Returns:
        What was found; it is stored in `evaluations`, `champion_checks` and `drift`.

    Raises:
        DatasetError: The stored prices do not reach the as-of date.
    """
    with engine.connect() as connection:
        champion = find_champion(connection, run.model_name)
    if champion is None:
        logger.info("no version serves under %s: nothing to watch", run.model_name)
        return Monitoring(None)
    checks = watch_live_skill(engine, run, champion)
    return Monitoring(champion.version_id, checks, watch_drift(engine, run, champion))


def what_to_do(version_id: str) -> str:
    """Return one line for whoever has to act on an alert.

    Args:
        version_id: The champion that is below its limit.
    """
    return (
        f"champion {version_id} is below its limit (roi.champion_alerts): see roi.live_skill and "
        "roi.latest_drift; train on newer prices (a later start_date or a shorter "
        "lookback_years), or let an earlier version serve again"
    )
