"""A DAG of somebody else, scheduled on the forecasts of this project."""

from __future__ import annotations

import logging

from airflow.sdk import Asset, dag, get_current_context, task

FORECASTS = Asset("roi_forecasts", uri="roi://forecasts")


@dag(dag_id="follows_forecasts", schedule=[FORECASTS], catchup=False, is_paused_upon_creation=False)
def follows_forecasts() -> None:
    @task
    def read_events() -> list[dict[str, object]]:
        events = get_current_context()["triggering_asset_events"][FORECASTS]
        facts = [dict(event.extra) for event in events]
        logging.getLogger(__name__).info("told of %s", facts)
        return facts

    read_events()


follows_forecasts()
