"""A run whose stages run by turns on two hosts that share nothing but database and object store."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from sqlalchemy import func, select
from upath import UPath

from daily_run import NOW, SMALL_RUN
from databases import fresh_market
from faults.fork_server import ForkServer
from faults.stages import STAGES
from roi_forecast.data_path import DataPath
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.tables import model_versions, predictions, promotions
from roi_forecast.errors import DatasetError
from roi_forecast.files.artifacts import files_below, whole_folders
from roi_forecast.files.verified import open_verified
from roi_forecast.registry.plots import find_plots
from roi_forecast.registry.versions import find_champion, open_version
from roi_forecast.settings import Settings
from roi_local.postgres.server import EmbeddedPostgres

PARAMETERS = {**SMALL_RUN, "symbols": ["TCS.NS", "GC=F"], "epochs": 40, "tensorboard": True}
PARAMETERS["early_stopping_patience"] = 40


def wait_for_a_saved_epoch(models: DataPath) -> None:
    deadline = time.monotonic() + 120
    while not any("training_state" in name for name in files_below(models)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_on_two_hosts_survives_the_loss_of_one_and_leaves_everything_in_the_object_store(
    fork_server: ForkServer,
    fork_log: Path,
    postgres: EmbeddedPostgres,
    market_template: str,
    stored_folder: UPath,
    tmp_path: Path,
) -> None:
    hosts = [tmp_path / "first", tmp_path / "second"]

    def start(settings: Settings, stage: str, host: Path) -> int:
        return fork_server.start(settings, stage, PARAMETERS, NOW, host=host)

    with fresh_market(postgres, market_template) as url:
        settings = Settings(url, stored_folder)
        engine = create_database_engine(url)
        for number, stage in enumerate(STAGES):
            host, other = hosts[number % 2], hosts[1 - number % 2]
            process = start(settings, stage, host)
            if stage == "train_member":
                wait_for_a_saved_epoch(settings.models_directory)
                os.kill(process, signal.SIGKILL)
            status = fork_server.wait()
            if stage == "train_member":
                assert status == -signal.SIGKILL
                start(settings, stage, other)
                status = fork_server.wait()
                assert "resuming after epoch" in fork_log.read_text()
            assert status == 0, (stage, fork_log.read_text())

        with engine.connect() as connection:
            champion = find_champion(connection, "simulated")
            assert champion is not None
            assert connection.scalar(select(func.count()).select_from(model_versions)) == 1
            assert connection.scalar(select(func.count()).select_from(promotions)) == 1
            assert connection.scalar(select(func.count()).select_from(predictions)) > 0
        files = open_version(champion, settings.models_directory)
        assert str(files.directory) == f"{stored_folder}/models/{champion.path}"
        plots = find_plots(settings.models_directory, "simulated", champion.version_id)
        assert all(plots.read(name)[:4] == b"\x89PNG" for name in plots.files)
        assert plots.files
        (dataset,) = whole_folders(settings.datasets_directory)
        open_verified(dataset, DatasetError)
        logs = [name for name in files_below(stored_folder) if "/tensorboard/" in name]
        assert len(logs) >= 2
        left = [name for name in stored_folder.fs.find(stored_folder.path) if "partial" in name]
        # What the killed process was writing, if anything, is a mark that counts for nothing.
        assert len(left) <= 1
        assert not any("training_state" in name for name in files_below(stored_folder))
        # Between stages a host keeps copies that can be deleted, and nothing else.
        kept = {path.name for host in hosts for path in host.iterdir()}
        assert kept == {f"roi-cache-{os.getuid()}"}
        engine.dispose()
