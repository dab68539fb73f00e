"""The real DAG in real Airflow: by `make run` against our own Yahoo, then in the live stack."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import text

from airflow_runs import RunState, metadata_engine, read_run
from databases import REAL_PRICES
from installation import (
    LiveStack,
    free_port,
    remaining_processes,
    run_command,
    start_command,
    wait_for_login,
)
from market.twelve_data_server import KEY, TwelveDataServer
from market.yahoo_server import YahooServer
from roi_forecast.database.engine import create_database_engine
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.settings import key_variable, url_variable
from roi_forecast.universe import load_universe
from roi_local.commands.run import DAILY_DAG
from roi_local.environment import (
    AIRFLOW_DATABASE,
    MARKET_DATABASE,
    PORT_VARIABLE,
    REPOSITORY,
    Home,
)
from roi_local.postgres.server import start_postgres
from roi_local.run_parameters import CONF_VARIABLE, SOURCE_VARIABLE
from roi_local.stack import Stack
from tiny_network import TINY_NETWORK

pytestmark = [pytest.mark.live, pytest.mark.slow]

SYMBOLS = ("RELIANCE.NS", "TCS.NS", "INFY.NS", "GC=F")
SMALL: dict[str, Any] = {
    "context_symbols": [],
    "start_date": "2023-07-03",
    "as_of_date": "2024-12-27",
    **TINY_NETWORK,
    "epochs": 2,
}


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    """Real prices where they are at hand, else simulated ones."""
    if REAL_PRICES.is_file():
        prices = pd.read_csv(REAL_PRICES).rename(columns={"date": "trading_date"})
        prices["trading_date"] = pd.to_datetime(prices["trading_date"])
        prices = prices[prices["symbol"].isin(SYMBOLS)]
    else:
        market, assets = SimulatedSource(), load_universe().select(SYMBOLS)
        start, end = pd.Timestamp("2023-01-02").date(), pd.Timestamp("2024-12-30").date()
        prices = pd.concat(
            [market.fetch(asset, start, end).bars.assign(symbol=asset.symbol) for asset in assets]
        )
    return prices


@pytest.fixture(scope="module")
def yahoo(prices: pd.DataFrame) -> Iterator[YahooServer]:
    with YahooServer(prices) as server:
        yield server


@pytest.fixture(scope="module")
def twelve_data(prices: pd.DataFrame) -> Iterator[TwelveDataServer]:
    with TwelveDataServer(prices) as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("installation") / "roi", REPOSITORY / "dags")


def run_once(home: Home, yahoo: YahooServer, **conf: Any) -> CompletedProcess[str]:
    values = {**SMALL, "symbols": [*SYMBOLS, "NOSUCH.NS"], **conf}
    variables = {
        SOURCE_VARIABLE: "yahoo",
        CONF_VARIABLE: json.dumps(values),
        url_variable("yahoo"): yahoo.url,
    }
    return run_command(home, "run", **variables)


@pytest.fixture(scope="module")
def first_run(home: Home, yahoo: YahooServer) -> CompletedProcess[str]:
    return run_once(home, yahoo)


def query(home: Home, statement: str) -> list[tuple[Any, ...]]:
    with start_postgres(home.postgres_directory) as postgres:
        engine = create_database_engine(postgres.url(MARKET_DATABASE))
        with engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(text(statement))]
        engine.dispose()
    return rows


def test_make_run_ends_with_forecasts_of_the_sound_assets_and_names_the_others(
    home: Home, first_run: CompletedProcess[str]
) -> None:
    assert first_run.returncode == 0, first_run.stderr
    assert remaining_processes(home) == []
    assert re.search(r"Version \S+ was promoted\.", first_run.stdout)
    assert "UnknownSymbolError: NOSUCH.NS" in first_run.stdout
    assert "extract_prices" in first_run.stdout
    assert "Time per stage" in first_run.stdout
    steps = first_run.stdout.partition("Where to look next:\n")[2].splitlines()
    assert "make up, then http://127.0.0.1:8080/plugin/roi-forecasts" in steps[0]
    assert steps[1].strip().startswith("in SQL")
    assert "WHERE model_name = 'reference'" in steps[1]
    assert Path(steps[-1].split()[-1]).is_file()
    rows = query(
        home,
        "SELECT symbol FROM roi.latest_forecasts WHERE model_name = 'reference' AND horizon = 1",
    )
    assert sorted(rows) == [(symbol,) for symbol in sorted(SYMBOLS)]


@pytest.fixture(scope="module")
def live_stack(
    home: Home,
    yahoo: YahooServer,
    twelve_data: TwelveDataServer,
    first_run: CompletedProcess[str],
) -> Iterator[LiveStack]:
    port = free_port()
    variables = {
        PORT_VARIABLE: str(port),
        url_variable("yahoo"): yahoo.url,
        url_variable("twelve_data"): twelve_data.url,
        key_variable("twelve_data"): KEY,
    }
    stack = LiveStack(home, port, start_command(home, "up", **variables))
    try:
        wait_for_login(stack.process)
        yield stack
    finally:
        stack.stop()


def wait_for_claim(home: Home, model_name: str) -> None:
    deadline = time.monotonic() + 120
    while not query(home, f"SELECT run_id FROM roi.runs WHERE model_name = '{model_name}'"):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def wait_for_end(home: Home, run_ids: list[str]) -> list[RunState]:
    deadline = time.monotonic() + 400
    with start_postgres(home.postgres_directory) as postgres:
        engine = metadata_engine(postgres.url(AIRFLOW_DATABASE))
        while True:
            runs = [read_run(engine, DAILY_DAG, run_id) for run_id in run_ids]
            if all(run.is_finished for run in runs) or time.monotonic() > deadline:
                engine.dispose()
                return runs
            time.sleep(1)


def states(run: RunState) -> dict[str, set[str | None]]:
    found: dict[str, set[str | None]] = {}
    for task in run.tasks:
        found.setdefault(task.task_id, set()).add(task.state)
    return found


def test_live_runs_of_one_name_wait_for_each_other_and_a_rejection_is_a_success(
    live_stack: LiveStack, home: Home
) -> None:
    stack = Stack(live_stack.process.pid, live_stack.port)
    common = {**SMALL, "source": "yahoo", "symbols": list(SYMBOLS[:2])}
    first = {**common, "as_of_date": "2024-12-26", "model_name": "two"}
    run_ids = [stack.trigger(home, DAILY_DAG, first)]
    wait_for_claim(home, "two")
    run_ids += [
        stack.trigger(home, DAILY_DAG, {**common, **conf})
        for conf in ({"architecture": "hybrid", "model_name": "two"}, {"tuned_study": "unheard"})
    ]
    promoted, rejected, refused = wait_for_end(home, run_ids)

    assert (promoted.state, rejected.state, refused.state) == ("success", "success", "failed")
    assert states(promoted)["promote_model"] == {"success"}
    assert states(promoted)["reject_model"] == {"skipped"}
    assert states(promoted)["extract_prices"] == {"success"}
    assert states(rejected)["promote_model"] == {"skipped"}
    assert states(rejected)["reject_model"] == states(rejected)["forecast"] == {"success"}
    assert states(refused)["resolve_run"] == {"failed"}
    assert states(refused)["forecast"] == {"upstream_failed"}
    spans = query(
        home,
        "SELECT run.released_at <= later.claimed_at FROM roi.runs AS run JOIN roi.runs AS later "
        "ON later.model_name = run.model_name AND later.claimed_at > run.claimed_at "
        "WHERE run.model_name = 'two'",
    )
    assert spans == [(True,)]
    forecasts = query(
        home,
        "SELECT as_of_date, count(*) FROM roi.predictions JOIN roi.model_versions "
        "USING (version_id) WHERE model_name = 'two' AND horizon = 20 "
        "GROUP BY as_of_date ORDER BY as_of_date",
    )
    assert forecasts == [(date(2024, 12, 26), 2), (date(2024, 12, 27), 2)]


def test_unknown_study_is_named_in_the_log_of_the_run(live_stack: LiveStack, home: Home) -> None:
    """Follows the test above, whose third run was refused."""
    logs = Path(home.task_logs_directory, f"dag_id={DAILY_DAG}").rglob("task_id=resolve_run/*.log")
    assert any("tuned_study: received 'unheard'" in path.read_text() for path in logs)


def test_a_night_without_yahoo_ends_with_forecasts_from_the_fallback_source(
    live_stack: LiveStack, home: Home, yahoo: YahooServer
) -> None:
    stack = Stack(live_stack.process.pid, live_stack.port)
    symbols = list(SYMBOLS[:3])
    conf = {**SMALL, "source": "yahoo", "symbols": symbols, "model_name": "night"}
    for symbol in symbols:
        yahoo.break_symbol(symbol, "rate_limit")
    try:
        run_id = stack.trigger(home, DAILY_DAG, {**conf, "fallback_source": "twelve_data"})
        (run,) = wait_for_end(home, [run_id])
    finally:
        for symbol in symbols:
            yahoo.heal_symbol(symbol)
    assert run.state == "success"
    rows = query(
        home,
        "SELECT model_name, symbol FROM roi.latest_forecasts WHERE model_name LIKE 'night%' "
        "AND horizon = 1 ORDER BY symbol",
    )
    assert rows == [("night_twelve_data", symbol) for symbol in sorted(symbols)]
    history = query(
        home, f"SELECT model_name, source FROM roi.run_history WHERE run_id = '{run_id}'"
    )
    assert history == [("night_twelve_data", "twelve_data")]
    paths = Path(home.task_logs_directory, f"dag_id={DAILY_DAG}").rglob("*.log")
    logs = "".join(path.read_text() for path in paths)
    assert "no answer from source yahoo" in logs
    assert "attempt 1 of 3 failed" in logs
    assert KEY not in logs


def test_nothing_is_left_running_after_the_stack_was_stopped(
    live_stack: LiveStack, home: Home
) -> None:
    """The last test of this file, since it stops the stack."""
    assert live_stack.stop() == 0
    assert remaining_processes(home) == []
