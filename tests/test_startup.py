"""What a stage's process loads before it works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# TensorFlow costs seconds and hundreds of megabytes; so do the libraries that come with it.
HEAVY = ("tensorflow", "keras", "jax", "torch")
STAGES = [
    "roi_forecast.planning.resolve",
    "roi_forecast.market.extraction",
    "roi_forecast.market.sources.registry",
    "roi_forecast.market.checks.price_checks",
    "roi_forecast.features.build",
    "roi_forecast.features.storage",
    "roi_forecast.registry.candidates",
    "roi_forecast.evaluation.evaluate",
    "roi_forecast.gate.decide",
    "roi_forecast.serving.promotion",
    "roi_forecast.serving.forecast_store",
    "roi_airflow.tasks.stage",
]


def in_a_fresh_process(program: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def test_no_stage_loads_tensorflow_by_being_imported():
    loaded = in_a_fresh_process(
        "import importlib, sys\n"
        f"for stage in {STAGES}:\n"
        "    importlib.import_module(stage)\n"
        f"    heavy = [name for name in {HEAVY} if name in sys.modules]\n"
        "    if heavy: print(stage, heavy)\n"
    )
    assert loaded == ""


def test_a_task_finds_its_modules_imported_and_tensorflow_not():
    loaded = in_a_fresh_process(
        "import sys\n"
        "from roi_local.airflow_process import import_for_tasks\n"
        "import_for_tasks()\n"
        f"print([name for name in ('roi_forecast.planning.resolve', 'pandas', *{HEAVY}) "
        "if name in sys.modules])\n"
    )
    assert loaded.splitlines()[-1] == "['roi_forecast.planning.resolve', 'pandas']"


def test_a_source_that_needs_no_yahoo_does_not_load_its_client():
    loaded = in_a_fresh_process(
        "import sys\n"
        "import roi_forecast.market.sources.registry, roi_forecast.market.sources.simulated\n"
        "print([name for name in ('yfinance', 'curl_cffi') if name in sys.modules])\n"
    )
    assert loaded == "[]"


@pytest.mark.parametrize("file", sorted(path.name for path in (ROOT / "dags").glob("*.py")))
def test_a_dag_file_loads_little_besides_airflow(file):
    """Its own modules and pydantic; no library that a stage needs."""
    own = in_a_fresh_process(
        "import sys\n"
        "import airflow.sdk, airflow.dag_processing.dagbag\n"
        "before = set(sys.modules)\n"
        "import runpy\n"
        f"runpy.run_path({str(ROOT / 'dags' / file)!r}, run_name='dag')\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))\n"
    ).split()
    slow = {"tensorflow", "keras", "pandas", "sklearn", "scipy", "yfinance", "exchange_calendars"}
    assert not slow & set(own)


def test_refusing_a_run_at_the_api_loads_the_calendars_for_recent_dates_only():
    loaded = in_a_fresh_process(
        "import sys\n"
        "from datetime import UTC, datetime\n"
        "from roi_airflow.refusals import refusal\n"
        "slow = ('pandas', 'numpy', 'exchange_calendars', 'tensorflow', 'sqlalchemy')\n"
        "before = set(sys.modules)\n"
        "def ask(conf):\n"
        "    refusal('daily_roi_forecast', conf, now=datetime.now(UTC), settings=None)\n"
        "    return sorted(set(slow) & (set(sys.modules) - before))\n"
        "print(ask({'epoch': 3}), ask({'as_of_date': '2024-01-05', 'symbols': ['AAPL']}))\n"
        "print(ask({'as_of_date': '2199-01-05'}))\n"
    )
    first, *_, last = loaded.splitlines()
    assert (first, last) == ("[] []", "['exchange_calendars', 'numpy', 'pandas']")
