"""Rendering a template as a response."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from roi_forecast import labels
from roi_forecast.number_text import direction
from roi_web import formatting

STATIC_DIRECTORY = Path(__file__).with_name("static")


def render(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: object,
) -> HTMLResponse:
    """Return a page.

    Args:
        request: The request; links of the page begin with its root path.
        template: Name of the template.
        status: Status of the response.
        headers: Further headers.
        **values: What the template shows.
    """
    root = root_of(request)
    airflow_url = request.app.state.airflow_url
    dag_id = request.app.state.dag_id

    def link(path: str, **query: object) -> str:
        words = {name: value for name, value in query.items() if value not in (None, "")}
        return f"{root}/{path}" + (f"?{urlencode(words)}" if words else "")

    def api_link(path: str, **query: object) -> str:
        return link(f"api/v1/{path}", **query, format="csv")

    def asset_link(symbol: str, **query: object) -> str:
        return link(f"assets/{_segment(symbol)}", **query)

    def version_link(version_id: str) -> str:
        return link(f"versions/{_segment(version_id)}")

    def run_link(run_id: str) -> str:
        return link(f"runs/{_segment(run_id)}")

    def backtest_link(run_id: str) -> str:
        return link(f"backtests/{_segment(run_id)}")

    def study_link(study: str) -> str:
        return link(f"tuning/{_segment(study)}")

    def airflow_run_link(run_id: str, dag: str = dag_id) -> str:
        return f"{airflow_url}/dags/{quote(dag, safe='')}/runs/{quote(run_id, safe='')}"

    content = (
        _environment()
        .get_template(template)
        .render(
            link=link,
            api_link=api_link,
            asset_link=asset_link,
            version_link=version_link,
            run_link=run_link,
            airflow_run_link=airflow_run_link,
            backtest_link=backtest_link,
            study_link=study_link,
            dag_link=lambda dag: f"{airflow_url}/dags/{quote(dag, safe='')}",
            login_link=f"{airflow_url}/",
            dag_id=dag_id,
            tabs=request.app.state.tabs,
            static=lambda name: f"{root}/static/{name}?{_digest(name)}",
            **values,
        )
    )
    return HTMLResponse(content, status, dict(headers or {}))


def _segment(name: str) -> str:
    """Return a name as a part of a path.

    Airflow copies the frame's path into its own without needless escapes, and loads the frame again
    if the two differ.
    """
    return quote(name, safe="=&,:@+")


def root_of(request: Request) -> str:
    """Return the path of the application, without a slash at its end."""
    # If a path ends in a line break, Starlette includes the slash in the mount's path; an error of
    # a static file comes with the path of their mount.
    return str(request.scope.get("root_path", "")).rstrip("/").removesuffix("/static")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in (
        "number",
        "signed",
        "percent",
        "share",
        "day",
        "moment",
        "words",
        "verdict",
        "listed",
        "prose",
        "count",
        "seconds",
        "json",
        "plain",
    ):
        environment.filters[name] = getattr(formatting, name)
    for name in ("check", "figure", "metric", "predictor", "rule", "split", "target"):
        environment.filters[name] = getattr(labels, f"{name}_label")
    environment.filters["sessions_ahead"] = labels.horizon_label
    environment.globals["direction"] = direction
    return environment


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((STATIC_DIRECTORY / name).read_bytes()).hexdigest()[:12]
