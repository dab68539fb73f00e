"""Two versions next to each other: what differs between them, their scores and rulings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, and_, or_

from roi_forecast.reading.experiments import PairedComparison
from roi_forecast.reading.track_record import LiveSkill
from roi_forecast.reading.versions import (
    GateRuling,
    VersionDetails,
    VersionSummary,
    read_details,
    read_next_day_skill,
)
from roi_forecast.registry.compare import ComparedFact, compare_versions
from roi_web.api.shapes import Word
from roi_web.chosen import ChosenName, choose
from roi_web.database import ReadConnection
from roi_web.measures import Measure
from roi_web.pages.versions import TAB
from roi_web.rendering import render

router = APIRouter()

VERSIONS_TO_CHOOSE = 200
_SECTIONS = ("data", "parameters", "training", "libraries")


MEASURES = (
    Measure("Next-day R2 against zero", "next_day_r2_against_zero", "r2", bounds=True),
    Measure("Opening gap, R2 against zero", "gap_r2_against_zero", "r2"),
    Measure("Open to close, R2 against zero", "open_to_close_r2_against_zero", "r2"),
    Measure("Network adds to next-day R2", "network_r2_gain", "r2", bounds=True),
    Measure("Direction right", "directional_accuracy", "share"),
    Measure("Rank correlation over assets", "rank_correlation", "r2"),
    Measure("In the 80 % interval", "coverage_80", "share"),
    Measure("In the 95 % interval", "coverage_95", "share"),
    Measure("Mean absolute error, next day, %", "next_day_mae_pct"),
    Measure("R2 of the smoothed ROI", "r2"),
    Measure("R2 of its no-skill forecast", "no_skill_r2"),
    Measure("R2 of its linear part", "linear_r2"),
)


@router.get("/compare")
def show_comparison(
    request: Request,
    connection: ReadConnection,
    chosen: ChosenName,
    a: Annotated[Word | None, Query(description="Id of a version.")] = None,
    b: Annotated[Word | None, Query(description="Id of another one.")] = None,
) -> HTMLResponse:
    """Show two versions next to each other; without both, let a person choose them."""
    details = [_details(connection, version_id) for version_id in (a, b) if version_id]
    if details:
        chosen = choose(request, connection, details[0].model_name)
    summary = VersionSummary.view.c
    known, _ = VersionSummary.read(
        connection, summary.model_name == chosen.model_name, limit=VERSIONS_TO_CHOOSE
    )
    values: dict[str, Any] = {"tab": TAB, "chosen": chosen, "known": known, "a": a, "b": b}
    if a is None or b is None:
        return render(request, "compare.html", pair=None, **values)
    ids = [version.version_id for version in details]
    summaries, _ = VersionSummary.read(connection, summary.version_id.in_(ids))
    pair = {row.version_id: row for row in summaries}
    one, other = PairedComparison.view.c.version_id, PairedComparison.view.c.opponent
    compared, _ = PairedComparison.read(
        connection, or_(and_(one == a, other == b), and_(one == b, other == a))
    )
    opponents, _ = PairedComparison.read(connection, one.in_(ids), limit=10)
    facts = compare_versions(connection, a, b)
    return render(
        request,
        "compare.html",
        pair=[pair[version_id] for version_id in ids],
        details=details,
        skills=[read_next_day_skill(connection, version_id) for version_id in ids],
        facts={section: _differing(facts, section) for section in _SECTIONS},
        only=[_only(details[0], details[1]), _only(details[1], details[0])],
        measures=MEASURES,
        compared=compared,
        opponents=opponents,
        rules=_rulings(connection, ids),
        live=_live(connection, ids),
        **values,
    )


def _details(connection: Connection, version_id: str) -> VersionDetails:
    found = read_details(connection, version_id)
    if found is None:
        raise HTTPException(404, f"there is no version {version_id!r}")
    return found


def _differing(facts: list[ComparedFact], section: str) -> list[ComparedFact]:
    lists = ("symbols", "context_symbols")
    return [
        fact
        for fact in facts
        if fact.section == section and fact.differs and fact.name not in lists
    ]


def _only(version: VersionDetails, other: VersionDetails) -> tuple[list[str], list[str]]:
    """Return the assets and the context assets that only the first of two versions has."""
    return (
        sorted(set(version.symbols) - set(other.symbols)),
        sorted(set(version.context_symbols) - set(other.context_symbols)),
    )


def _rulings(connection: Connection, ids: list[str]) -> dict[str, list[GateRuling | None]]:
    """Return by rule its newest ruling on each version, the verdict first."""
    newest: list[Mapping[str, GateRuling]] = []
    for version_id in ids:
        rulings, _ = GateRuling.read(connection, GateRuling.view.c.version_id == version_id)
        of_version: dict[str, GateRuling] = {}
        for ruling in rulings:
            of_version.setdefault(ruling.rule, ruling)
        newest.append(of_version)
    rules = sorted(newest[0].keys() | newest[1].keys(), key=lambda rule: (rule != "verdict", rule))
    return {rule: [found.get(rule) for found in newest] for rule in rules}


def _live(
    connection: Connection, ids: list[str]
) -> dict[tuple[str, int, int | None], list[LiveSkill | None]]:
    """Return each version's live scores, by how they were made, horizon and newest sessions."""
    rows, _ = LiveSkill.read(connection, LiveSkill.view.c.version_id.in_(ids))
    keys = {(row.split != "live", row.horizon, row.newest_sessions or 0) for row in rows}
    found = {
        (row.version_id, row.split != "live", row.horizon, row.newest_sessions or 0): row
        for row in rows
    }
    return {
        ("backfill" if late else "live", horizon, newest or None): [
            found.get((version_id, late, horizon, newest)) for version_id in ids
        ]
        for late, horizon, newest in sorted(keys)
    }
