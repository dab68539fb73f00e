"""The sections of the speed benchmark run to their end at tiny sizes and give whole tables."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import create_engine

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import output_file
import speed_startup
from process_tree import Sample, Usage, sampled
from speed_api import REQUESTS, api
from speed_universes import ODD_SYMBOLS, write_universe
from speed_upserts import upserts
from speed_views import QUERIES, TRANSFERRED, views

from roi_forecast.universe import load_universe
from roi_web.application import create_application
from special_files import SPECIAL_FILES


def _cells(lines: list[str]) -> dict[str, list[str]]:
    """Return the rows of the Markdown tables among the lines, by their first cell."""
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows}


def test_the_steps_of_the_project_can_be_timed() -> None:
    timed = (
        "import speed_steps as s; s.EPOCHS = s.STEPS = 1; s.keras_steps('project')(); print('ran')"
    )
    benchmarks = Path(__file__).parents[2] / "benchmarks"
    answer = subprocess.run(
        [sys.executable, "-c", timed], cwd=benchmarks, capture_output=True, text=True, check=False
    )
    assert answer.stdout == "ran\n", answer.stderr


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


def test_a_universe_of_simulated_assets_declares_the_odd_ones_too(tmp_path: Path) -> None:
    universe = load_universe(write_universe(tmp_path / "universe.toml", 40))
    assert len(universe.assets) == 40
    assert {asset.symbol for asset in universe.assets} > set(ODD_SYMBOLS)
    own = [asset.symbol for asset in universe.context]
    assert own == [asset.symbol for asset in load_universe().context]


def test_processes_are_sampled_with_their_descendants_and_those_that_have_ended(
    tmp_path: Path,
) -> None:
    spend = "import time\nwhile time.process_time() < 1: pass"
    program = (
        "import subprocess, sys, time\n"
        f"subprocess.run([sys.executable, '-c', {spend!r}])\n"
        "held = bytearray(64 * 2**20)\n"
        "time.sleep(1.5)"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    with sampled([process.pid], tmp_path) as usage:
        process.wait()
    assert 1.0 <= usage.processor_seconds() + usage.samples[0].processor_seconds < 2.5
    assert 64 < usage.peak_mib() < 200
    last = usage.samples[-1].moment
    assert usage.processor_seconds(last + 1, last + 2) == 0


def test_usage_of_a_stage_lies_between_the_samples_around_it() -> None:
    usage = Usage([Sample(10.0, 2.0, 100.0, 0.0), Sample(12.0, 4.0, 300.0, 0.0)])
    assert usage.processor_seconds(10.5, 11.5) == pytest.approx(1.0)
    assert usage.processor_seconds(0.0, 99.0) == pytest.approx(2.0)
    assert usage.peak_mib(9.0, 11.0) == 100.0
    # Shorter than the time between two samples: the next one tells.
    assert usage.peak_mib(10.5, 10.6) == 300.0


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
        # The planted market has no backtest and no study.
        if path in ("/backtests/{run_id}", "/tuning/{study}"):
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
