"""Who may see the forecasts: whoever may read the DAG that makes them."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends

from roi_airflow.pages import DAILY_DAG

_may_read_dag = requires_access_dag("GET", param_dag_id=DAILY_DAG)


def authorize(user: GetUserDep, _: Annotated[None, Depends(_may_read_dag)]) -> str:
    """Return the id of the user who is logged in, by token or by cookie.

    As a FastAPI dependency it raises 401 where nobody is logged in and 403 where the token is
    wrong or the user may not read the DAG.
    """
    return str(user.get_id())
