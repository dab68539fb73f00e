"""The champion, the versions of a model name, and the gate's reasons."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import HTMLResponse, Response

from roi_forecast.data_path import DataPath
from roi_forecast.market.missing_columns import lines_about
from roi_forecast.reading.health import ChampionCheck
from roi_forecast.reading.versions import (
    GateRuling,
    Promotion,
    VersionDetails,
    VersionSummary,
    read_details,
    read_next_day_skill,
    read_version,
)
from roi_forecast.registry.plots import Plots, find_plots
from roi_web.api.shapes import Word
from roi_web.charts.scores import BASELINES, score_axis, score_line, score_scale
from roi_web.chosen import ChosenName, choose
from roi_web.database import ReadConnection
from roi_web.navigation import Tab
from roi_web.plots import plot_response
from roi_web.rendering import render

TAB = Tab("versions", "Versions", position=3)

router = APIRouter()

VERSIONS_ON_A_PAGE = 20
_PROMOTIONS_SHOWN = 10


@router.get(f"/{TAB.path}")
def show_versions(
    request: Request,
    connection: ReadConnection,
    chosen: ChosenName,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> HTMLResponse:
    """Show the versions of the chosen model name, newest first, and the gate's decisions."""
    model_name = chosen.model_name
    versions, following = VersionSummary.read(
        connection,
        VersionSummary.view.c.model_name == model_name,
        limit=VERSIONS_ON_A_PAGE,
        cursor=cursor,
    )
    champion, _ = VersionSummary.read(
        connection,
        VersionSummary.view.c.model_name == model_name,
        VersionSummary.view.c.state == "champion",
    )
    rulings, _ = GateRuling.read(
        connection,
        GateRuling.view.c.version_id.in_([version.version_id for version in versions]),
    )
    promotions, _ = Promotion.read(
        connection,
        Promotion.view.c.model_name == model_name,
        limit=_PROMOTIONS_SHOWN,
    )
    checks, _ = ChampionCheck.read(
        connection,
        ChampionCheck.view.c.model_name == model_name,
        ChampionCheck.view.c.serving,
        ChampionCheck.view.c.newest,
    )
    scale = score_scale([*champion, *versions])
    verdicts: dict[str, GateRuling] = {}
    for ruling in rulings:
        if ruling.is_verdict:
            verdicts.setdefault(ruling.version_id, ruling)
    return render(
        request,
        "versions.html",
        tab=TAB,
        chosen=chosen,
        champion=champion[0] if champion else None,
        checks=checks,
        skill=read_next_day_skill(connection, champion[0].version_id) if champion else None,
        versions=[
            (version, score_line(version, scale), verdicts.get(version.version_id))
            for version in versions
        ],
        axis=score_axis(scale),
        baselines=BASELINES,
        promotions=promotions,
        following=following,
    )


@router.get("/versions/{version_id}/plots/{name}.png")
def show_plot(
    request: Request,
    connection: ReadConnection,
    version_id: Annotated[Word, Path()],
    name: Annotated[Word, Path()],
) -> Response:
    """Return one of a version's plots."""
    details = read_details(connection, version_id)
    plots = _plots(request, details) if details else None
    if plots is None or name not in plots.files:
        raise HTTPException(404, f"version {version_id!r} has no plot {name!r}")
    return plot_response(plots, name, version_id)


@router.get("/versions/{version_id}")
def show_version(
    request: Request, connection: ReadConnection, version_id: Annotated[Word, Path()]
) -> HTMLResponse:
    """Show one version: its scores, and the ruling of each rule of the gate."""
    found = read_version(connection, version_id)
    if found is None:
        raise HTTPException(404, f"there is no version {version_id!r}")
    details = found.details
    leaderboard = VersionSummary.view.c
    (summary,), _ = VersionSummary.read(
        connection,
        leaderboard.model_name == details.model_name,
        leaderboard.version_id == version_id,
    )
    promotions, _ = Promotion.read(connection, Promotion.view.c.version_id == version_id)
    scale = score_scale([summary])
    decisions: dict[str, list[GateRuling]] = {}
    for ruling in found.rulings:
        decisions.setdefault(ruling.run_id, []).append(ruling)
    return render(
        request,
        "version.html",
        tab=TAB,
        chosen=choose(request, connection, details.model_name),
        details=details,
        lacking=lines_about(details.missing_columns),
        plots=list(plots.files) if (plots := _plots(request, details)) else [],
        summary=summary,
        axis=score_axis(scale),
        line=score_line(summary, scale),
        scores=found.scores,
        skill=read_next_day_skill(connection, version_id),
        decisions=decisions,
        promotions=promotions,
    )


def _plots(request: Request, details: VersionDetails) -> Plots | None:
    models_directory: DataPath | None = request.app.state.models_directory
    if models_directory is None:
        return None
    return find_plots(models_directory, details.model_name, details.version_id)
