from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select
from upath import UPath

from databases import new_name
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.tables import metadata
from roi_forecast.errors import RegistryError
from roi_forecast.files.artifacts import files_below
from roi_forecast.serving.serving_version import open_champion
from roi_forecast.settings import Settings
from roi_local.backup.market import open_backup, restore_backup, save_backup
from roi_local.errors import LocalError
from roi_local.postgres.server import EmbeddedPostgres
from serving_version import MODEL_NAME, Served, copy_files


def counts(url: str) -> dict[str, int]:
    engine = create_database_engine(url)
    with engine.connect() as connection:
        found = {
            name: connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in metadata.tables.items()
        }
    engine.dispose()
    return found


@pytest.mark.parametrize("from_store", [False, True])
def test_a_restored_backup_has_every_row_and_a_champion_that_serves(
    served: Served,
    postgres: EmbeddedPostgres,
    tmp_path: Path,
    from_store: bool,
    request: pytest.FixtureRequest,
) -> None:
    source, destination = served.settings, tmp_path / "restored"
    if from_store:
        # What lies in an object store is restored into another part of it.
        stored: UPath = request.getfixturevalue("stored_folder")
        copy_files(served.settings.data_directory, stored / "saved")
        source = replace(source, data_directory=stored / "saved")
        destination = stored / "restored"
    save_backup(source, tmp_path / "backup")
    name = new_name("restored")
    postgres.create_database(name)
    restored = Settings(postgres.url(name), destination)
    restore_backup(restored, open_backup(tmp_path / "backup"))
    assert counts(restored.database_url) == counts(served.settings.database_url)
    engine = create_database_engine(restored.database_url)
    champion = open_champion(engine, restored.models_directory, MODEL_NAME)
    assert champion.version == served.champion
    assert files_below(restored.data_directory) == [
        name
        for name in files_below(source.data_directory)
        if not name.startswith(("cache/", "tuning/")) and "/tensorboard/" not in name
    ]
    engine.dispose()
    with pytest.raises(LocalError, match="holds 1 runs"):
        restore_backup(restored, open_backup(tmp_path / "backup"))
    postgres.drop_database(name)


def test_a_damaged_backup_is_refused_before_anything_is_restored(
    served: Served, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    save_backup(served.settings, tmp_path / "backup")
    (dump,) = (tmp_path / "backup").glob("*.dump")
    dump.write_bytes(dump.read_bytes()[:-1])
    restored = Settings(postgres.url("nowhere"), tmp_path / "restored")
    with pytest.raises(RegistryError, match="damaged"):
        restore_backup(restored, open_backup(tmp_path / "backup"))
    assert not restored.data_directory.exists()


def test_a_failed_backup_leaves_nothing_and_an_existing_one_stays(
    served: Served, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    wrong = Settings(postgres.url("nowhere"), served.settings.data_directory)
    with pytest.raises(LocalError, match=r'pg_dump failed: .*"nowhere" does not exist'):
        save_backup(wrong, tmp_path / "backup")
    assert list(tmp_path.glob("*backup*")) == []
    (tmp_path / "backup").mkdir()
    with pytest.raises(LocalError, match="exists"):
        save_backup(served.settings, tmp_path / "backup")
