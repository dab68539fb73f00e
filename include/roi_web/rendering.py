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

    def asset_link(symbol: str, **query: object) -> str:
        # Airflow copies the frame's path into its own without needless escapes, and loads the
        # frame again if the two differ.
        return link(f"assets/{quote(symbol, safe='=&,:@+')}", **query)

    def version_link(version_id: str) -> str:
        return link(f"versions/{quote(version_id, safe='')}")

    def run_link(run_id: str, dag: str = dag_id) -> str:
        return f"{airflow_url}/dags/{quote(dag, safe='')}/runs/{quote(run_id, safe='')}"

    content = (
        _environment()
        .get_template(template)
        .render(
            link=link,
            asset_link=asset_link,
            version_link=version_link,
            run_link=run_link,
            dag_link=f"{airflow_url}/dags/{quote(dag_id, safe='')}",
            login_link=f"{airflow_url}/",
            dag_id=dag_id,
            tabs=request.app.state.tabs,
            static=lambda name: f"{root}/static/{name}?{_digest(name)}",
            **values,
        )
    )
    return HTMLResponse(content, status, dict(headers or {}))


def root_of(request: Request) -> str:
    """Return the path of the application, without a slash at its end."""
    # If a path ends in a line break, Starlette includes the slash in the mount's path.
    return str(request.scope.get("root_path", "")).rstrip("/")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("number", "signed", "percent", "share", "day", "moment", "words", "count"):
        environment.filters[name] = getattr(formatting, name)
    return environment


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((STATIC_DIRECTORY / name).read_bytes()).hexdigest()[:12]
