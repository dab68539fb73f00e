"""An installation in which a version serves; trained once, cloned for every test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, delete, insert, select, update

from daily_run import NOW, Outcome, carry_out
from manifests import read_manifest
from roi_forecast.data_path import DataPath
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.tables import gate_decisions, model_versions
from roi_forecast.errors import RegistryError
from roi_forecast.files.arrays import read_arrays
from roi_forecast.files.artifacts import (
    create_folder,
    files_below,
    read_file,
    write_file,
    write_manifest,
)
from roi_forecast.files.manifest import MANIFEST
from roi_forecast.files.verified import open_verified
from roi_forecast.forecaster.forecaster import CALIBRATION_FILE, Forecaster
from roi_forecast.network.training.result import NETWORK_FILE
from roi_forecast.registry.carried_out import VERDICT
from roi_forecast.registry.versions import ModelVersion, find_champion, find_version
from roi_forecast.settings import Settings
from roi_local.postgres.server import EmbeddedPostgres

PARAMETERS = {"symbols": ["TCS.NS", "GC=F"], "epochs": 1}
MODEL_NAME = "simulated"

_DATABASE = "served_template"


def copy_files(source: DataPath, destination: DataPath) -> None:
    """Copy a folder, within or between a file system and an object store."""
    for name in files_below(source):
        create_folder((destination / name).parent)
        write_file(destination / name, read_file(source / name))


@dataclass(frozen=True)
class Served:
    """A market database and a registry with one champion, forecast once."""

    engine: Engine
    settings: Settings
    outcome: Outcome

    @property
    def models(self) -> Any:
        """Folder of the registry: a `Path`, or a `UPath` of an object store."""
        return self.settings.models_directory

    @property
    def champion(self) -> ModelVersion:
        """The version that serves."""
        with self.engine.connect() as connection:
            version = find_champion(connection, MODEL_NAME)
        assert version is not None
        return version

    @property
    def champion_directory(self) -> Any:
        """Files of the version that serves."""
        return self.champion.directory(self.models)

    def forecaster(self) -> Forecaster:
        """Load the version that serves."""
        return Forecaster.load(open_verified(self.champion_directory, RegistryError))

    def calibrate(self, **changes: Any) -> None:
        """Change the calibration of the version that serves, as if it had come out so."""
        path = self.champion_directory / CALIBRATION_FILE
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
        self.sign()

    def let_network_add(self) -> None:
        """Give the network that serves an output: so short a training leaves it where it began."""
        path = self.champion_directory / NETWORK_FILE
        arrays = read_arrays(path.read_bytes())
        kernel = arrays["output/kernel"]
        assert not kernel.any()
        arrays["output/kernel"] = (
            np.random.default_rng(1).normal(0, 0.05, kernel.shape).astype(np.float32)
        )
        np.savez(path, allow_pickle=False, **arrays)
        self.sign()

    def sign(self) -> None:
        """Take the files of the version that serves for its own."""
        champion, directory = self.champion, self.champion_directory
        digest = write_manifest(directory, json.loads((directory / MANIFEST).read_bytes()))
        own = model_versions.c.version_id == champion.version_id
        with self.engine.begin() as connection:
            connection.execute(update(model_versions).where(own).values(checksum=digest))

    def version(self, version_id: str) -> ModelVersion:
        """Read a version."""
        with self.engine.connect() as connection:
            return find_version(connection, version_id)

    def add_candidate(
        self, version_id: str, *, passed: bool = True, opponent: str | None = ""
    ) -> str:
        """Add a candidate with the champion's files, judged by run `version_id`.

        The opponent is the present champion unless another is named.
        """
        champion = self.champion
        path = f"{MODEL_NAME}/candidates/{version_id}"
        directory = self.models / path
        copy_files(self.champion_directory, directory)
        manifest = read_manifest(directory, RegistryError)
        checksum = write_manifest(directory, {**manifest, "version_id": version_id})
        with self.engine.begin() as connection:
            known = (
                connection.execute(
                    select(model_versions).where(model_versions.c.version_id == champion.version_id)
                )
                .mappings()
                .one()
            )
            changed = {
                "version_id": version_id,
                "state": "candidate",
                "fingerprint": version_id,
                "path": path,
                "checksum": checksum,
            }
            connection.execute(insert(model_versions).values({**known, **changed}))
        self.judge(version_id, passed, champion.version_id if opponent == "" else opponent)
        return version_id

    def judge(self, version_id: str, passed: bool, opponent: str | None) -> None:
        """Store a verdict of run `version_id`."""
        with self.engine.begin() as connection:
            connection.execute(
                delete(gate_decisions).where(gate_decisions.c.version_id == version_id)
            )
            connection.execute(
                insert(gate_decisions).values(
                    run_id=version_id,
                    version_id=version_id,
                    rule=VERDICT,
                    opponent=opponent,
                    decisive=True,
                    passed=passed,
                    reason="judged by the test",
                )
            )


@dataclass(frozen=True)
class ServedTemplate:
    """What every `Served` is cloned from."""

    postgres: EmbeddedPostgres
    directory: Path
    outcome: Outcome

    @contextmanager
    def clone(self, name: str, directory: DataPath) -> Iterator[Served]:
        """Give a copy of the database and of the data folder."""
        if isinstance(directory, Path):
            shutil.copytree(self.directory, directory, symlinks=True)
        else:
            copy_files(self.directory, directory)
        self.postgres.create_database(name, template=_DATABASE)
        settings = Settings(self.postgres.url(name), directory)
        engine = create_database_engine(settings.database_url)
        yield Served(engine, settings, self.outcome)
        engine.dispose()
        self.postgres.drop_database(name)


def build_template(
    postgres: EmbeddedPostgres, market_template: str, directory: Path
) -> ServedTemplate:
    """Carry out the one run that all clones share."""
    postgres.create_database(_DATABASE, template=market_template)
    settings = Settings(postgres.url(_DATABASE), directory)
    engine = create_database_engine(settings.database_url)
    outcome = carry_out(engine, settings, "run", PARAMETERS, NOW)
    engine.dispose()
    assert outcome.verdict.promoted
    assert (directory / "models" / MODEL_NAME / "champion" / MANIFEST).is_file()
    return ServedTemplate(postgres, directory, outcome)
