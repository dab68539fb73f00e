"""Lets `make run` follow a run; elsewhere, where no file of events is named, it does nothing."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.plugins_manager import AirflowPlugin

from roi_local.run_progress.events import EVENTS_VARIABLE
from roi_local.run_progress.listener import RunListener


class RunEventsPlugin(AirflowPlugin):
    """Adds the listener."""

    name = "roi_run_events"
    listeners = (
        [RunListener(Path(os.environ[EVENTS_VARIABLE]))] if EVENTS_VARIABLE in os.environ else []
    )
