"""The pages and the REST API below /roi, and their place in Airflow's navigation."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from roi_airflow.api_server.pages import URL_PREFIX, ForecastPages, airflow_path


class ForecastPagesPlugin(AirflowPlugin):
    """Adds what people look at."""

    name = "roi_forecast_pages"
    fastapi_apps = [  # noqa: RUF012, Airflow's own declaration
        {"app": ForecastPages(), "url_prefix": URL_PREFIX, "name": "ROI forecasts"}
    ]
    external_views = [  # noqa: RUF012
        {
            "name": "ROI forecasts",
            "href": f"{airflow_path()}{URL_PREFIX}/",
            "destination": "nav",
            "url_route": "roi-forecasts",
            "nav_top_level": True,
            "icon": f"{airflow_path()}{URL_PREFIX}/static/icon.svg",
        }
    ]
