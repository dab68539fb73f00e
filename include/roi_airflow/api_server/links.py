"""Links from tasks to the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk.types import Operator

OWN_TAG = "roi-forecast"
"""Tag of the DAGs whose tasks lead to the pages."""

_FORECAST_PAGE = "/plugin/roi-forecasts"


def airflow_address() -> str:
    """Return where people reach Airflow's UI, without a slash at its end."""
    return str(conf.get("api", "base_url", fallback="")).rstrip("/")


class ForecastPageLink(BaseOperatorLink):
    """A button on every task of this project's DAGs that opens the forecast page."""

    name = "ROI forecasts"

    def get_link(self, operator: Operator, *, ti_key: Any) -> str:
        """Return the page's address, or nothing for the tasks of other DAGs."""
        del ti_key
        dag = operator.get_dag()
        return airflow_address() + _FORECAST_PAGE if dag is not None and OWN_TAG in dag.tags else ""
