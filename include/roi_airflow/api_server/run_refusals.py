"""Runs that cannot start are refused where they are asked for, with the reason the run would give.

Without this, Airflow checks a run's conf by JSON Schema alone, in words of its own, and accepts
parameters that it does not know and those that contradict each other.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user, requires_access_dag
from airflow.configuration import conf as airflow_configuration
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Match

from roi_airflow.api_server.repeated_body import repeated
from roi_airflow.refusals import KINDS, refusal
from roi_forecast.settings import Settings
from roi_forecast.universe import load_universe

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Asked:
    """A request that starts runs.

    Attributes:
        dag_id: Whose runs.
        conf: Of the runs.
        run_after: When the first of them may start; None: at once.
    """

    dag_id: str
    conf: Mapping[str, Any]
    run_after: datetime | None = None


class RunRefusals:
    """ASGI middleware that answers 400 to a run of this project that would be refused at its start.

    It answers those only whom Airflow allows to start the run. Whatever it does not understand is
    for Airflow to answer: requests for other DAGs, bodies of another shape, people without the
    right. What it lets through by mistake, the run itself refuses.

    Args:
        app: The protected part of the Airflow application in the scope.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a run, or pass the request on."""
        read = _reader_for(scope) if scope["type"] == "http" else None
        if read is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        asked = read(body)
        reason = None
        if asked is not None and asked.dag_id in KINDS and await _may_start(request, asked.dag_id):
            reason = await run_in_threadpool(_refusal, asked)
        if reason is None:
            await self._app(scope, repeated(body, receive), send)
        else:
            await JSONResponse({"detail": reason}, 400)(scope, receive, send)


def _reader_for(scope: Scope) -> Callable[[bytes], _Asked | None] | None:
    """Return how to read the body of a request that starts runs; None: it is another request.

    Airflow's own routes are asked, so that the spelling of a path does not matter.
    """
    if scope["method"] != "POST":
        return None
    for route in scope["app"].routes:
        name = getattr(route, "name", None)
        if name not in ("trigger_dag_run", "create_backfill"):
            continue
        match, found = route.matches(scope)
        if match is not Match.FULL:
            continue
        if name == "create_backfill":
            return _backfill
        dag_id = found["path_params"].get("dag_id")
        return lambda body: _manual_run(dag_id, body)
    return None


def _manual_run(dag_id: Any, body: bytes) -> _Asked | None:
    fields = _fields(body)
    conf = fields.get("conf")
    if not isinstance(conf, dict):
        return None
    return _Asked(dag_id, conf, _moment(fields.get("run_after")))


def _backfill(body: bytes) -> _Asked | None:
    fields = _fields(body)
    dag_id, conf = fields.get("dag_id"), fields.get("dag_run_conf")
    if not isinstance(dag_id, str) or not isinstance(conf, dict):
        return None
    return _Asked(dag_id, conf)


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def _may_start(request: Request, dag_id: str) -> bool:
    """Tell whether Airflow allows the sender of a request to start a run."""
    allow = requires_access_dag("POST", DagAccessEntity.RUN, dag_id)
    try:
        user = await get_user(request, None, await bearer_scheme(request))
        await run_in_threadpool(allow, request, user)
    except HTTPException:
        return False
    return True


def _refusal(asked: _Asked) -> str | None:
    now = datetime.now(UTC)
    # Elsewhere tasks have another environment, and perhaps other files, than the API server.
    is_where_tasks_run = airflow_configuration.get("core", "executor") == "LocalExecutor"
    try:
        # A universe file that only the tasks can read is no fault of the request.
        load_universe()
        return refusal(
            asked.dag_id,
            asked.conf,
            now=max(now, asked.run_after or now),
            settings=Settings.of_prices() if is_where_tasks_run else None,
        )
    except Exception:
        logger.exception("the parameters of a run of %s were not checked", asked.dag_id)
        return None
