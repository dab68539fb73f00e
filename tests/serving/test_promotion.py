from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select, update

from manifests import read_manifest
from object_store import IN_BOTH
from roi_forecast.database.tables import model_versions, promotions
from roi_forecast.errors import NoChampionError, RegistryError
from roi_forecast.files.artifacts import create_folder, files_below, write_file, write_manifest
from roi_forecast.serving import promotion
from roi_forecast.serving.promotion import promote_model, reject_model
from roi_forecast.serving.serving_version import open_champion
from serving_version import MODEL_NAME, Served


def promote(served: Served, version_id: str) -> None:
    promote_model(served.engine, served.models, version_id, version_id, "test")


def link(served: Served) -> Any:
    return served.models / MODEL_NAME / "champion"


def promotion_count(served: Served) -> int:
    with served.engine.connect() as connection:
        count = connection.scalar(select(func.count()).select_from(promotions))
    assert count is not None
    return count


@pytest.fixture
def no_load_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading in a fresh process takes seconds; the tests that are about it do it for all."""
    monkeypatch.setattr(promotion, "check_loads", lambda directory: None)


@IN_BOTH
def test_promote_publishes_serves_and_records_once_however_often_it_is_called(
    served: Served,
) -> None:
    before = served.champion.version_id
    version_id = served.add_candidate("next")
    promote(served, version_id)
    promote(served, version_id)
    serving = open_champion(served.engine, served.models, MODEL_NAME)
    assert serving.version.version_id == version_id
    assert serving.files.directory == served.models / MODEL_NAME / "versions" / version_id
    if isinstance(served.models, Path):
        assert link(served).resolve() == serving.files.directory.resolve()
    assert promotion_count(served) == 2
    assert served.version(before).state == "retired"


def test_promote_refuses_a_model_that_forecasts_something_else_in_a_fresh_process(
    served: Served,
) -> None:
    before = served.champion.version_id
    version_id = served.add_candidate("next")
    directory = served.version(version_id).directory(served.models)
    with np.load(directory / "sample.npz") as sample:
        changed = {**sample, "expected": sample["expected"] + 0.5}
    np.savez(directory / "sample.npz", **changed)
    manifest = json.loads((directory / "manifest.json").read_text())
    checksum = write_manifest(directory, manifest)
    with served.engine.begin() as connection:
        connection.execute(
            update(model_versions)
            .where(model_versions.c.version_id == version_id)
            .values(checksum=checksum)
        )
    with pytest.raises(RegistryError, match=r"fails in a fresh process: .*differs .* by 0\.5"):
        promote(served, version_id)
    assert served.version(version_id).state == "candidate"
    assert served.champion.version_id == before


@pytest.mark.usefixtures("no_load_check")
def test_promote_refuses_what_the_gate_rejected(served: Served) -> None:
    version_id = served.add_candidate("next", passed=False)
    with pytest.raises(RegistryError, match="was rejected"):
        promote(served, version_id)
    assert reject_model(served.engine, version_id).state == "rejected"


@pytest.mark.usefixtures("no_load_check")
def test_promote_refuses_a_version_that_this_run_never_judged(served: Served) -> None:
    version_id = served.add_candidate("next")
    with pytest.raises(RegistryError, match="was not judged in run another"):
        promote_model(served.engine, served.models, version_id, "another", "test")


@pytest.mark.usefixtures("no_load_check")
def test_promote_refuses_when_the_champion_changed_since_the_decision(served: Served) -> None:
    before = served.champion.version_id
    version_id = served.add_candidate("next", opponent=None)
    with pytest.raises(RegistryError, match=f"judged against None, but {before} serves"):
        promote(served, version_id)
    assert served.champion.version_id == before


@pytest.mark.usefixtures("no_load_check")
def test_promotions_name_the_version_before(served: Served) -> None:
    before = served.champion.version_id
    promote(served, served.add_candidate("next"))
    with served.engine.connect() as connection:
        newest = connection.execute(
            select(promotions.c.version_id, promotions.c.from_version_id).order_by(
                promotions.c.id.desc()
            )
        ).first()
    assert newest == ("next", before)


@pytest.mark.usefixtures("no_load_check")
@pytest.mark.parametrize("name", ["model.keras", "scaler.json", "manifest.json"])
@IN_BOTH
def test_promote_refuses_damaged_files_and_the_champion_before_serves(
    served: Served, name: str
) -> None:
    before = served.champion.version_id
    version_id = served.add_candidate("next")
    (served.version(version_id).directory(served.models) / name).write_bytes(b"half")
    with pytest.raises(RegistryError):
        promote(served, version_id)
    assert open_champion(served.engine, served.models, MODEL_NAME).version.version_id == before
    assert not (served.models / MODEL_NAME / "versions" / version_id).exists()


@pytest.mark.parametrize("target", ["versions/elsewhere", None])
def test_a_link_that_a_crash_left_behind_is_repaired_by_the_next_reader(
    served: Served, target: str | None
) -> None:
    link(served).unlink()
    if target:
        link(served).symlink_to(target)
    open_champion(served.engine, served.models, MODEL_NAME)
    assert link(served).readlink() == Path("versions", served.champion.version_id)


@pytest.mark.usefixtures("no_load_check")
@IN_BOTH
def test_a_crash_between_publishing_and_the_database_is_completed_by_a_retry(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = served.champion.version_id
    version_id = served.add_candidate("next")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(promotion, "set_champion", crash)
        with pytest.raises(KeyboardInterrupt):
            promote(served, version_id)
    assert served.champion.version_id == before
    if isinstance(served.models, Path):
        assert link(served).readlink() == Path("versions", before)
    promote(served, version_id)
    assert served.champion.version_id == version_id


def test_reject_leaves_a_champion_that_was_judged_again_in_its_place(served: Served) -> None:
    assert reject_model(served.engine, served.champion.version_id).state == "champion"


@pytest.mark.parametrize(
    "name", ["model.keras", "scaler.json", "calibration.json", "manifest.json"]
)
def test_open_champion_refuses_a_truncated_file(served: Served, name: str) -> None:
    path = served.champion_directory / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RegistryError):
        open_champion(served.engine, served.models, MODEL_NAME)


@IN_BOTH
def test_open_champion_refuses_files_that_were_exchanged_with_their_manifest(
    served: Served,
) -> None:
    manifest = read_manifest(served.champion_directory, RegistryError)
    (served.champion_directory / "model.keras").write_bytes(b"another model")
    write_manifest(served.champion_directory, manifest)
    with pytest.raises(RegistryError, match="is not the one that was registered"):
        open_champion(served.engine, served.models, MODEL_NAME)


def test_open_champion_says_that_none_serves(served: Served) -> None:
    with pytest.raises(NoChampionError, match="no version serves under the model name 'nobody'"):
        open_champion(served.engine, served.models, "nobody")


@pytest.mark.parametrize("name", ["member_0/model.keras", ".model.keras", "plots/more.png"])
def test_open_champion_refuses_a_folder_with_a_file_that_is_not_its_own(
    served: Served, name: str
) -> None:
    path = served.champion_directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"unlisted")
    named = name.partition("/")[0]
    with pytest.raises(RegistryError, match=f"holds '{named}', which its manifest"):
        open_champion(served.engine, served.models, MODEL_NAME)


@pytest.mark.usefixtures("no_load_check")
@IN_BOTH
def test_unlisted_files_of_a_candidate_are_not_published(served: Served) -> None:
    version_id = served.add_candidate("next")
    candidate = served.version(version_id).directory(served.models)
    create_folder(candidate / "member_0")
    write_file(candidate / "member_0" / "model.keras", b"unlisted")
    if isinstance(candidate, Path):
        (candidate / "tensorboard").mkdir()
        (candidate / "link").symlink_to("/etc/passwd")
    promote(served, version_id)
    serving = open_champion(served.engine, served.models, MODEL_NAME)
    assert serving.version.version_id == version_id
    found = {*files_below(serving.files.directory)}
    assert found == {*serving.files.files, "manifest.json"}
