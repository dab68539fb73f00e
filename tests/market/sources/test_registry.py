"""A price source of one's own: one module and one entry, and a whole day runs with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from roi_local.environment import REPOSITORY

MODULE = """
from roi_forecast.market.sources.simulated import SimulatedSource


class OwnSource(SimulatedSource):
    key = "own"


def open_source(config, settings, symbols):
    assert settings.source_urls["own"] == "http://127.0.0.1:9"
    return OwnSource()
"""

DAY = """
from pathlib import Path

from daily_run import carry_out
from roi_forecast.config import parameter_schemas
from roi_forecast.database.engine import create_database_engine
from roi_forecast.settings import Settings

settings = Settings.from_environment()
engine = create_database_engine(settings.database_url)
parameters = {"source": "own", "fallback_source": "yahoo", "context_symbols": []}
outcome = carry_out(engine, settings, "day", parameters)
form = parameter_schemas()
print(
    outcome.run.model_name,
    outcome.dataset.source,
    outcome.verdict.promoted,
    form["source"]["values_display"]["own"],
    form["fallback_source"]["values_display"]["own"],
)
"""


def test_a_source_is_one_module_and_one_entry(market_url: str, tmp_path: Path) -> None:
    include = tmp_path / "include"
    shutil.copytree(
        REPOSITORY / "include", include, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
    )
    (include / "roi_forecast" / "market" / "sources" / "own.py").write_text(MODULE)
    entries = include / "roi_forecast" / "price_sources.py"
    head, mark, tail = entries.read_text().partition('    "csv": SourceEntry(')
    assert mark
    own = '    "own": SourceEntry("my own", "roi_forecast.market.sources.own", live=True),\n'
    entries.write_text(head + own + mark + tail)

    variables = {
        "PYTHONPATH": os.pathsep.join([str(include), str(REPOSITORY / "tests")]),
        "ROI_DATABASE_URL": market_url,
        "ROI_DATA_DIRECTORY": str(tmp_path / "data"),
        "ROI_OWN_URL": "http://127.0.0.1:9",
    }
    day = subprocess.run(
        [sys.executable, "-c", DAY],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert day.returncode == 0, day.stderr
    assert day.stdout.splitlines()[-1] == "own own True my own my own"
