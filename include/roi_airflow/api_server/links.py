"""Addresses of Airflow and of the pages, and the link from tasks to the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from airflow.configuration import conf
from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk.types import Operator

OWN_TAG = "roi-forecast"
"""Tag of the DAGs whose tasks link to the pages."""

URL_PREFIX = "/roi"
"""Path of the pages and the REST API below Airflow's."""

NAVIGATION_ROUTE = "roi-forecasts"
"""Route of the pages in Airflow's navigation."""


def airflow_address() -> str:
    """Return the address of Airflow's UI, without a slash at its end."""
    return str(conf.get("api", "base_url", fallback="")).rstrip("/")


def airflow_path() -> str:
    """Return the path in the address of Airflow's UI, without a slash at its end."""
    return urlsplit(airflow_address()).path.rstrip("/")


def run_page(dag_id: str, run_id: str) -> str:
    """Return the address of a run's page within Airflow's; the DAG counts if it records no runs."""
    # As the pages quote it: where the two differ, Airflow loads the frame a second time.
    path = f"{URL_PREFIX}/runs/{quote(run_id, safe='=&,:@+')}?{urlencode({'dag_id': dag_id})}"
    return f"{airflow_address()}/plugin/{NAVIGATION_ROUTE}{path}"


class ForecastPageLink(BaseOperatorLink):
    """A button on every task of this project's DAGs that opens the page of its run."""

    name = "ROI forecasts"

    def get_link(self, operator: Operator, *, ti_key: Any) -> str:
        """Return the address of the page, or nothing for the tasks of other DAGs."""
        dag = operator.get_dag()
        if dag is None or OWN_TAG not in dag.tags:
            return ""
        return run_page(ti_key.dag_id, ti_key.run_id)
