"""Kill -9 at seeded random points of every stage: nothing is lost, nothing doubled.

`make soak` asks for 200 by `ROI_KILLS`.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from daily_run import NOW, SMALL_RUN
from databases import fresh_market
from faults.fork_server import ForkServer
from manifests import read_manifest
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.tables import (
    daily_prices,
    datasets,
    evaluations,
    extractions,
    gate_decisions,
    model_versions,
    predictions,
    promotions,
    runs,
)
from roi_forecast.errors import DatasetError, RegistryError
from roi_forecast.registry.versions import find_champion
from roi_forecast.serving.serving_version import open_champion
from roi_forecast.settings import Settings
from roi_local.postgres.server import EmbeddedPostgres

logger = logging.getLogger(__name__)

SEED = 20261124
SYMBOLS = ["TCS.NS", "GC=F"]
PARAMETERS = {**SMALL_RUN, "symbols": SYMBOLS, "epochs": 3}
STAGES = (
    *("resolve_run", "extract_prices", "check_prices", "build_dataset", "train_member"),
    *("combine_members", "evaluate_model", "decide_promotion", "promote_model", "forecast"),
    "monitor_champion",
)
KILLS_OF_EACH = -(-int(os.environ.get("ROI_KILLS") or 22) // len(STAGES))
"""How often each stage is killed; the variable counts those of all."""
TABLES = (
    *(daily_prices, datasets, evaluations, extractions, gate_decisions),
    *(model_versions, predictions, promotions, runs),
)


def run_stage(
    server: ForkServer, settings: Settings, stage: str, kill_after: float | None = None
) -> int:
    """Run a stage in a process of its own and return its exit status."""
    process_id = server.start(settings, stage, PARAMETERS, NOW)
    if kill_after is not None:
        time.sleep(kill_after)
        with suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)
    return server.wait()


def counts(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in TABLES
        }


def assert_sound(engine: Engine, settings: Settings) -> None:
    """Every dataset and every version is whole, and a champion's link leads to it."""
    for directory in settings.datasets_directory.glob("[!.]*"):
        read_manifest(directory, DatasetError)
    with engine.connect() as connection:
        for path in connection.scalars(select(model_versions.c.path)):
            read_manifest(settings.models_directory / path, RegistryError)
        champion = find_champion(connection, "simulated")
    if champion is not None:
        serving = open_champion(engine, settings.models_directory, "simulated")
        link = settings.models_directory / "simulated" / "champion"
        assert link.resolve() == serving.files.directory.resolve()


@pytest.mark.slow
def test_kills_at_random_points_lose_and_double_nothing(
    fork_server: ForkServer,
    fork_log: Path,
    postgres: EmbeddedPostgres,
    market_template: str,
    tmp_path: Path,
) -> None:
    chance = random.Random(SEED)
    left = dict.fromkeys(STAGES, KILLS_OF_EACH)
    server, log = fork_server, fork_log
    # Runs that nothing disturbs: what they take and what they leave is the measure. The first
    # one is slower than those that are struck, which would end before they are.
    seconds = dict.fromkeys(STAGES, float("inf"))
    for name in ("first", "undisturbed"):
        with fresh_market(postgres, market_template) as url:
            settings = Settings(url, tmp_path / name)
            for stage in STAGES:
                began = time.monotonic()
                assert run_stage(server, settings, stage) == 0, (stage, log.read_text())
                seconds[stage] = min(seconds[stage], time.monotonic() - began)
            engine = create_database_engine(url)
            expected = counts(engine)
            engine.dispose()

    number = 0
    while any(left.values()):
        number += 1
        assert number < len(STAGES) * KILLS_OF_EACH, left
        with fresh_market(postgres, market_template) as url:
            settings = Settings(url, tmp_path / f"struck_{number}")
            engine = create_database_engine(url)
            for stage in STAGES:
                # A stage that ends before it is struck is not counted.
                for _ in range(min(left[stage], 2)):
                    after = chance.uniform(0, seconds[stage])
                    if run_stage(server, settings, stage, after) == -signal.SIGKILL:
                        left[stage] -= 1
                    assert_sound(engine, settings)
                assert run_stage(server, settings, stage) == 0, (stage, log.read_text())
            assert_sound(engine, settings)
            assert counts(engine) == expected
            with engine.connect() as connection:
                claims = select(func.count()).where(runs.c.released_at.is_(None))
                assert connection.scalar(claims) == 0
            engine.dispose()
    logger.info("survived %d kills of each stage in %d runs", KILLS_OF_EACH, number)
