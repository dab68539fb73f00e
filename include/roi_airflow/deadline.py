"""The alert for forecasts that are late."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import BaseDeadlineReference, DeadlineAlert

from roi_airflow.notification import notify, run_address
from roi_forecast.errors import PreflightError
from roi_forecast.settings import DEADLINE_VARIABLE, NO_DEADLINE, usual_publish
from roi_forecast.universe import BEFORE_OPEN_MINUTES, Publish

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

logger = logging.getLogger(__name__)

DEFAULT_DEADLINE_MINUTES: dict[Publish, int] = {
    "after_close": 120,
    "before_open": BEFORE_OPEN_MINUTES,
}
"""From when a run is queued; before the opening, forecasts are of use only until then."""


class FirstQueued(BaseDeadlineReference):
    """The moment at which a run was first queued; repairs do not move it.

    Airflow 3.3.2 has a reference to that moment too, but moves it whenever a run or a task is
    cleared, and fails to (apache/airflow#70368): repairing an unfinished or failed run ends in an
    error. It does not move the references of plugins.
    """

    required_kwargs: ClassVar[set[str]] = {"dag_id", "run_id"}

    def _evaluate_with(self, *, session: Session, dag_id: str, run_id: str) -> datetime | None:
        from airflow.models import DagRun
        from sqlalchemy import select

        queued_at = select(DagRun.queued_at).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        return session.scalar(queued_at)


def report_late_forecasts(context: Mapping[str, Any]) -> None:
    """Report a run without forecasts at its deadline, as callback of a deadline alert.

    A run may continue long after it stored its forecasts, if a person has to approve a candidate.
    """
    run = context["dag_run"]
    if _has_forecasts(run["dag_run_id"]):
        logger.info("run %s has stored its forecasts", run["dag_run_id"])
        return
    address = run_address(run["dag_id"], run["dag_run_id"])
    notify(
        context,
        f"{run['dag_id']}, run {run['dag_run_id']}: the forecasts are late, none were stored by "
        f"{context['deadline']['deadline_time']}; see its tasks: {address}",
    )


def forecast_deadline(environment: Mapping[str, str] = os.environ) -> DeadlineAlert | None:
    """Return the alert for forecasts that are late, or None if the environment turns it off.

    Raises:
        PreflightError: The environment gives no valid number of minutes, or no valid `publish`.
    """
    after = deadline_after(environment)
    if after is None:
        return None
    return DeadlineAlert(
        # A run is queued when it is due; a backfill run was due in the past.
        reference=FirstQueued(),
        interval=after,
        callback=SyncCallback(report_late_forecasts),
        name="forecasts are late",
    )


def deadline_after(environment: Mapping[str, str] = os.environ) -> timedelta | None:
    """Return how long after a run is queued forecasts may be missing; None if that is turned off.

    Raises:
        PreflightError: As `forecast_deadline`.
    """
    usual = DEFAULT_DEADLINE_MINUTES[usual_publish(environment)]
    text = environment.get(DEADLINE_VARIABLE) or str(usual)
    if text == NO_DEADLINE:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise PreflightError(
            f"{DEADLINE_VARIABLE}: received {text!r}; expected a whole number of minutes above "
            f"0, or {NO_DEADLINE!r}"
        )
    return timedelta(minutes=int(text))


def _has_forecasts(run_id: str) -> bool:
    from sqlalchemy import exists, select

    from roi_forecast.database.engine import create_database_engine
    from roi_forecast.database.tables import predictions
    from roi_forecast.settings import Settings

    engine = create_database_engine(Settings.from_environment().database_url)
    try:
        with engine.connect() as connection:
            stored = exists().where(predictions.c.run_id == run_id)
            return bool(connection.scalar(select(stored)))
    finally:
        engine.dispose()
