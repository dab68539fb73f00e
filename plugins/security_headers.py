"""Headers against framing and sniffing, and cookies for https, on everything Airflow answers."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from roi_airflow.security_headers import SecurityHeaders


class SecurityHeadersPlugin(AirflowPlugin):
    """Adds the middleware."""

    name = "roi_security_headers"
    fastapi_root_middlewares = [  # noqa: RUF012, Airflow's own declaration
        {"middleware": SecurityHeaders, "args": [], "kwargs": {}, "name": "security headers"}
    ]
