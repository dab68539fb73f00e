from __future__ import annotations

import errno
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import OperationalError

from object_store import IN_BOTH
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.tables import model_versions, promotions
from roi_forecast.errors import DamagedVersionError, NoChampionError, RegistryError
from roi_forecast.evaluation.evaluate import evaluate_model
from roi_forecast.files import verified
from roi_forecast.files.artifacts import checksum
from roi_forecast.files.verified import VerifiedDirectory
from roi_forecast.gate.decide import decide_promotion
from roi_forecast.serving import fallback, promotion, rollback
from roi_forecast.serving.fallback import open_whole_champion, replace_damaged_champion
from roi_forecast.serving.promotion import promote_model
from roi_forecast.serving.rollback import roll_back_champion
from roi_forecast.serving.serving_version import open_champion
from serving_version import MODEL_NAME, Served


@pytest.fixture(autouse=True)
def no_load_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading in a fresh process takes seconds; `tests/faults` and the forecasts' tests do it."""
    for module in (promotion, rollback, fallback):
        monkeypatch.setattr(module, "check_loads", lambda directory: None)


@pytest.fixture
def first(served: Served) -> str:
    """The version that served before the present champion, which is `next`."""
    first = served.champion.version_id
    promote(served, "next")
    return first


def promote(served: Served, *version_ids: str) -> None:
    for version_id in version_ids:
        served.add_candidate(version_id)
        promote_model(served.engine, served.models, version_id, version_id, "test")


def roll_back(served: Served, version_id: str | None) -> None:
    roll_back_champion(
        served.engine, served.models, MODEL_NAME, version_id, rolled_back_by="a", reason="b"
    )


def open_whole(served: Served) -> str:
    opened = open_whole_champion(served.engine, served.models, MODEL_NAME, "the-run")
    assert opened.files.directory == opened.version.directory(served.models)
    return opened.version.version_id


def truncate(served: Served, version_id: str, name: str = "model.keras") -> Any:
    path = served.version(version_id).directory(served.models) / name
    path.write_bytes(path.read_bytes()[:-1])
    return path


def newest_promotion(served: Served) -> Any:
    with served.engine.connect() as connection:
        return connection.execute(select(promotions).order_by(promotions.c.id.desc())).first()


def count_promotions(served: Served) -> int:
    with served.engine.connect() as connection:
        return len(connection.execute(select(promotions)).all())


def damaged(served: Served) -> set[str]:
    marked = select(model_versions.c.version_id).where(model_versions.c.damaged_at.is_not(None))
    with served.engine.connect() as connection:
        return set(connection.scalars(marked))


def test_a_whole_champion_is_opened_and_nothing_changes(served: Served, first: str) -> None:
    before = count_promotions(served)
    assert open_whole(served) == "next"
    assert (count_promotions(served), damaged(served)) == (before, set())


@pytest.mark.parametrize(
    "name", ["model.keras", "scaler.json", "calibration.json", "manifest.json"]
)
@pytest.mark.parametrize("damage", ["cut short", "deleted"])
@IN_BOTH
def test_version_before_serves_where_a_file_of_the_champion_is_damaged(
    served: Served, first: str, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = truncate(served, "next", name)
    if damage == "deleted":
        path.unlink()
    assert open_whole(served) == first
    assert (served.champion.version_id, served.version("next").state) == (first, "retired")
    if isinstance(served.models, Path):
        assert (served.models / MODEL_NAME / "champion").readlink() == Path("versions", first)
    row = newest_promotion(served)
    assert (row.version_id, row.from_version_id) == (first, "next")
    assert row.promoted_by == "fallback of run the-run"
    assert row.reason.startswith(f"champion next is damaged: {MODEL_NAME}/versions/next")
    assert name in row.reason
    # Both checksums: what the file has, and what it should have.
    assert row.reason.count("SHA-256") == (1 if damage == "cut short" else 0)
    assert damaged(served) == {"next"}
    (warning,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert f"{first} serves under {MODEL_NAME} in its place" in warning
    assert "restore its files from a backup and trigger roll_back_champion" in warning
    assert open_whole(served) == first
    assert newest_promotion(served) == row


def test_a_folder_that_is_gone_is_damage_too(served: Served, first: str) -> None:
    shutil.rmtree(served.champion_directory)
    assert open_whole(served) == first


def test_without_an_earlier_version_the_damage_is_reported_and_nothing_changes(
    served: Served,
) -> None:
    before = count_promotions(served)
    path = truncate(served, served.champion.version_id)
    with pytest.raises(DamagedVersionError) as error:
        open_whole(served)
    assert str(error.value).startswith(f"{path} is damaged: its SHA-256 is ")
    assert "No version can take the place of champion" in str(error.value)
    assert "gate_override_reason" in str(error.value)
    assert served.champion.state == "champion"
    assert (count_promotions(served), damaged(served)) == (before, set())


def test_an_older_one_serves_where_the_version_before_is_damaged_too(
    served: Served, first: str
) -> None:
    promote(served, "newest")
    truncate(served, "newest")
    truncate(served, "next", "scaler.json")
    assert open_whole(served) == first
    assert damaged(served) == {"newest", "next"}


def test_a_version_that_does_not_load_is_passed_over(
    served: Served, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(served, "newest")
    truncate(served, "newest")

    def refuse(files: VerifiedDirectory) -> None:
        if files.directory.name == "next":
            raise RegistryError("it does not load")

    monkeypatch.setattr(fallback, "check_loads", refuse)
    assert open_whole(served) == first
    # Its files are what was published: another revision of the code may load it.
    assert damaged(served) == {"newest"}


def test_a_version_that_a_person_went_back_from_never_returns_by_itself(
    served: Served, first: str
) -> None:
    promote(served, "distrusted")
    roll_back(served, "next")
    truncate(served, "next")
    assert open_whole(served) == first


def test_a_version_of_another_source_takes_nobodys_place(served: Served, first: str) -> None:
    with served.engine.begin() as connection:
        connection.execute(
            update(model_versions)
            .where(model_versions.c.version_id == "next")
            .values(source="csv:prices")
        )
    truncate(served, "next")
    with pytest.raises(DamagedVersionError, match="none before it served from the same source"):
        open_whole(served)


def test_damaged_version_is_not_gone_back_to_until_its_files_are_whole(
    served: Served, first: str
) -> None:
    promote(served, "newest")
    path = served.champion_directory / "model.keras"
    whole = path.read_bytes()
    truncate(served, "newest")
    assert open_whole(served) == "next"
    with pytest.raises(DamagedVersionError, match="is damaged"):
        roll_back(served, "newest")
    # By itself a rollback passes it over.
    roll_back(served, None)
    assert served.champion.version_id == first
    path.write_bytes(whole)
    roll_back(served, "newest")
    assert open_champion(served.engine, served.models, MODEL_NAME).version.version_id == "newest"
    assert damaged(served) == set()


def test_two_runs_at_once_fall_back_once(
    served: Served, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    truncate(served, "next")
    before = count_promotions(served)
    both = threading.Barrier(2, timeout=60)
    monkeypatch.setattr(fallback, "check_loads", lambda directory: both.wait())
    with ThreadPoolExecutor(2) as threads:
        opened = [threads.submit(open_whole, served) for _ in range(2)]
        assert [future.result() for future in opened] == [first, first]
    assert count_promotions(served) == before + 1


def test_a_promotion_meanwhile_is_kept(
    served: Served, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.add_candidate("newer")
    truncate(served, "next")

    def promote_meanwhile(directory: Path) -> None:
        promote_model(served.engine, served.models, "newer", "newer", "test")

    monkeypatch.setattr(fallback, "check_loads", promote_meanwhile)
    assert open_whole(served) == "newer"
    assert newest_promotion(served).version_id == "newer"
    assert damaged(served) == set()


def test_a_database_that_does_not_answer_is_no_damage(served: Served, first: str) -> None:
    before = count_promotions(served)
    truncate(served, "next")
    url = served.engine.url.set(host="127.0.0.1", port=1, query={})
    unreachable = create_database_engine(url.render_as_string(hide_password=False))
    with pytest.raises(OperationalError):
        open_whole_champion(unreachable, served.models, MODEL_NAME, "the-run")
    assert count_promotions(served) == before


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_a_file_that_cannot_be_read_is_no_damage(
    served: Served, first: str, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(path: Path, _error: object) -> None:
        raise OSError(code, "of the test", str(path))

    monkeypatch.setattr(verified, "open_regular", refuse)
    with pytest.raises(OSError, match="of the test"):
        open_whole(served)
    assert served.champion.version_id == "next"


def test_a_manifest_of_a_format_that_the_code_lacks_is_no_damage(
    served: Served, first: str
) -> None:
    manifest = served.champion_directory / "manifest.json"
    manifest.write_text('{"format": 2, "contents": []}\n')
    with served.engine.begin() as connection:
        connection.execute(
            update(model_versions)
            .where(model_versions.c.version_id == "next")
            .values(checksum=checksum(manifest))
        )
    with pytest.raises(RegistryError, match=r"has no readable manifest\.json: 'files'") as error:
        open_whole(served)
    assert not isinstance(error.value, DamagedVersionError)
    assert served.champion.version_id == "next"


def test_no_champion_is_no_damage(served: Served) -> None:
    with pytest.raises(NoChampionError):
        open_whole_champion(served.engine, served.models, "nobody", "the-run")
    replace_damaged_champion(served.engine, served.models, "nobody", "the-run")


def judge(served: Served) -> tuple[str | None, dict[str, Any]]:
    """Evaluate a candidate and decide, as the two tasks do."""
    run = served.outcome.run.model_copy(update={"run_id": "judged"})
    replace_damaged_champion(served.engine, served.models, MODEL_NAME, "judged")
    opponent = evaluate_model(
        served.engine, run, served.outcome.dataset, "candidate", served.models
    )
    verdict = decide_promotion(served.engine, run, "candidate", opponent)
    return opponent, {ruling.rule: ruling for ruling in verdict.rulings}


def test_a_candidate_is_judged_against_the_version_that_took_the_damaged_ones_place(
    served: Served, first: str
) -> None:
    served.add_candidate("candidate")
    truncate(served, "next")
    opponent, rulings = judge(served)
    assert opponent == first
    # The same model: neither is better.
    assert rulings["worst_asset"].observed == pytest.approx(0, abs=1e-9)


def test_a_candidate_is_rejected_where_the_damaged_champion_cannot_be_scored(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    served.add_candidate("candidate")
    truncate(served, served.champion.version_id)
    _, rulings = judge(served)
    assert not rulings["champion"].passed
    assert rulings["champion"].can_be_overridden
    assert "the champion of simulated cannot be opened: " in caplog.text


def test_views_and_reader_show_the_fallback(served: Served, first: str) -> None:
    truncate(served, "next")
    open_whole(served)
    with served.engine.begin() as connection:
        connection.execute(text("SET LOCAL ROLE roi_reader"))
        history = connection.execute(
            text("SELECT version_id, reason FROM roi.champion_history WHERE served_until IS NULL")
        ).one()
        marked = connection.scalar(
            text("SELECT damaged_at FROM roi.versions WHERE version_id = 'next'")
        )
    assert history.version_id == first
    assert "champion next is damaged" in history.reason
    assert marked is not None
