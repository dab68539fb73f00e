"""Who may see the forecasts: whoever may read the DAG that makes them."""

from __future__ import annotations

from airflow.api_fastapi.core_api.security import requires_access_dag

from roi_airflow.api_server.pages import DAILY_DAG

authorize = requires_access_dag("GET", param_dag_id=DAILY_DAG)
"""A FastAPI dependency that lets in who is logged in, by token or by cookie.

It raises 401 where nobody is logged in and 403 where the token is wrong or the user may not read
the DAG.
"""
