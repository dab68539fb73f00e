"""The sections of the speed benchmark run to their end at tiny sizes and give whole tables."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import Engine, create_engine

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import output_file
import speed_startup
import speed_universes
from speed_api import REQUESTS, api
from speed_scale import STAGES, parameters, run_stage
from speed_upserts import upserts
from speed_views import QUERIES, TRANSFERRED, views

from roi_forecast.config import parse_run_config
from roi_forecast.settings import Settings
from roi_web.application import create_application
from special_files import SPECIAL_FILES


def _cells(lines: list[str]) -> dict[str, list[str]]:
    """Return the rows of the Markdown tables among the lines, by their first cell."""
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows}


def test_the_benchmark_starts_by_the_command_that_its_results_name() -> None:
    program = Path(__file__).parents[2] / "benchmarks" / "speed.py"
    answer = subprocess.run(
        [sys.executable, program, "--help"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert "--sections" in answer.stdout


def test_upserts_write_new_and_restated_bars_and_leave_the_others() -> None:
    rows = _cells(list(upserts(argparse.Namespace(upsert_assets=2))))
    written = {name: rows[name][0] for name in ("new", "stored already", "all restated")}
    assert written == {"new": "5,000", "stored already": "0", "all restated": "5,000"}


def test_stages_of_two_universes_are_measured_with_their_growth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speed_universes, "STAGES", STAGES[:2])
    rows = _cells(list(speed_universes.scale(argparse.Namespace(assets=[2, 3], years=2))))
    for stage in STAGES[:2]:
        figures = [float(cell) for cell in rows[stage]]
        assert len(figures) == 2 * 3 + 2
        assert min(figures[:6]) > 0


def test_every_stage_of_a_universe_does_its_part(
    market_engine: Engine, market_url: str, tmp_path: Path
) -> None:
    settings = Settings(database_url=market_url, data_directory=tmp_path)
    for stage in STAGES:
        result = run_stage(stage, settings, 3, 2)
    horizons = parse_run_config(parameters(3, 2)).horizons
    assert STAGES[-1] == "forecast"
    assert result == 3 * len(horizons)


def test_every_query_of_the_views_is_measured_and_gives_rows() -> None:
    rows = _cells(list(views(argparse.Namespace(assets=[4], sessions=40, times=2))))
    found = {name: int(rows[name][1]) for name in QUERIES}
    assert min(found.values()) > 0
    assert found["latest forecasts, all assets"] == found["health of all assets"] == 4
    assert found["outcomes of an asset"] == 39
    assert found["outcomes of a day, all assets"] == found["drift"] == 4
    for name in TRANSFERRED:
        assert int(rows[f"sending alone: {name}"][1]) == found[name]


def test_every_request_is_answered_and_measured() -> None:
    rows = _cells(list(api(argparse.Namespace(assets=[4], sessions=40, times=2))))
    assert min(float(rows[name][0]) for name in REQUESTS) > 0


def test_every_endpoint_and_page_is_among_the_requests() -> None:
    application = create_application(
        create_engine("postgresql+psycopg://"), lambda: "tester", dag_id="-"
    )
    asked = {path.partition("?")[0] for path in REQUESTS.values()}
    for route in application.routes:
        path = getattr(route, "path", "")
        if not isinstance(route, APIRoute) or path.endswith((".png", "openapi.json")):
            continue
        pattern = re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path))
        assert any(pattern.fullmatch(each) for each in asked), path


def test_a_process_is_measured_by_time_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = (
        "nothing (Python itself)",
        "Airflow alone",
        "Airflow, and parsing daily_roi_forecast.py",
    )
    chosen = {name: speed_startup.PROCESSES[name] for name in kinds}
    monkeypatch.setattr(speed_startup, "PROCESSES", chosen)
    rows = _cells(list(speed_startup.start_up(argparse.Namespace(processes=1))))
    for name in kinds:
        _, _, peak_mib = map(float, rows[name])
        assert peak_mib > 5


def test_an_output_that_is_no_file_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    for make in SPECIAL_FILES.values():
        path = tmp_path / "out.md"
        make(path)
        with pytest.raises(argparse.ArgumentTypeError, match="name a regular file"):
            output_file.output_file(str(path))
        path.rmdir() if path.is_dir() else path.unlink()
