"""The real DAG on CSV files: what does not belong into a folder costs its asset alone."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from databases import REAL_PRICES
from installation import run_command
from roi_local.commands.sql import OWNER_VARIABLE, QUERY_VARIABLE
from roi_local.environment import REPOSITORY, Home
from roi_local.run_parameters import CONF_VARIABLE, CSV_VARIABLE, SOURCE_VARIABLE
from tiny_network import TINY_NETWORK

CASES = REAL_PRICES.parents[1] / "cases"
SECRET = "hunter2-and-nobody-else"
SOUND = ["AAA", "BBB", "CCC"]

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not at {CASES}"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("installation") / "roi", REPOSITORY / "dags")


def run_once(home: Home, path: Path, symbols: list[str], **conf: Any) -> CompletedProcess[str]:
    small = {**TINY_NETWORK, "start_date": "2023-06-01", "context_symbols": []}
    variables = {
        SOURCE_VARIABLE: "csv",
        CSV_VARIABLE: str(path),
        CONF_VARIABLE: json.dumps({**small, "tensorboard": False, "symbols": symbols, **conf}),
        "ROI_TEST_SECRET": SECRET,
    }
    return run_command(home, "run", **variables)


def test_a_folder_with_a_secret_and_a_fifo_gives_forecasts_of_the_others_and_keeps_the_secret(
    home: Home, tmp_path: Path
) -> None:
    folder = tmp_path / "prices"
    shutil.copytree(CASES / "folder_readme", folder)
    (folder / "AAPL.csv").symlink_to("/proc/self/environ")
    os.mkfifo(folder / "DDD.csv")
    answer = run_once(home, folder, [*SOUND, "AAPL", "DDD"], quorum=0.5, model_name="folder")
    assert answer.returncode == 0, answer.stderr
    query = (
        "SELECT symbol, coalesce(error, 'ok') FROM roi.extractions JOIN roi.runs USING (run_id) "
        "WHERE model_name = 'folder' ORDER BY symbol COLLATE \"C\""
    )
    rows = run_command(
        home, "sql", **{QUERY_VARIABLE: query, OWNER_VARIABLE: "1"}
    ).stdout.splitlines()[1:]
    assert [row.partition(",")[0] for row in rows if row.endswith(",ok")] == SOUND
    assert ["leads out of" in row for row in rows if row.startswith("AAPL")] == [True]
    assert ["a named pipe; expected a regular file" in row for row in rows if row[:3] == "DDD"] == [
        True
    ]
    printed = [answer.stdout, answer.stderr, *rows]
    logs = [path.read_text(errors="replace") for path in home.directory.rglob("*.log")]
    assert logs
    assert not any(SECRET in text for text in printed + logs)


def test_a_file_read_a_column_off_is_refused_with_file_and_line(home: Home) -> None:
    answer = run_once(home, CASES / "shifted_thousands.csv", SOUND)
    assert answer.returncode != 0
    assert "shifted_thousands.csv, line 2: 13 fields under 8 names" in answer.stdout + answer.stderr


def test_a_context_asset_that_the_file_lacks_costs_neither_a_task_nor_the_run(home: Home) -> None:
    context = {"context_symbols": ["CCC", "ZZZ"], "model_name": "context"}
    answer = run_once(home, CASES / "base.csv", ["AAA", "BBB"], **context)
    assert answer.returncode == 0, answer.stderr
    query = (
        "SELECT symbol, status, context FROM roi.extractions JOIN roi.runs USING (run_id) "
        "WHERE model_name = 'context' ORDER BY symbol"
    )
    rows = run_command(home, "sql", **{QUERY_VARIABLE: query, OWNER_VARIABLE: "1"})
    assert rows.stdout.split()[1:] == ["AAA,ok,f", "BBB,ok,f", "CCC,ok,t", "ZZZ,failed,t"]
    query = (
        "SELECT outcome FROM roi.stage_endings JOIN roi.runs USING (run_id) "
        "WHERE model_name = 'context' AND outcome <> 'succeeded'"
    )
    failed = run_command(home, "sql", **{QUERY_VARIABLE: query, OWNER_VARIABLE: "1"})
    assert "failed" not in failed.stdout
