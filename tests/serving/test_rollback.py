from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, update

from roi_forecast.database.tables import model_versions, promotions
from roi_forecast.errors import NoChampionError, RegistryError
from roi_forecast.registry.versions import ModelVersion
from roi_forecast.serving import promotion, rollback
from roi_forecast.serving.promotion import promote_model
from roi_forecast.serving.rollback import roll_back_champion
from roi_forecast.serving.serving_version import open_champion
from serving_version import MODEL_NAME, Served


def roll_back(served: Served, version_id: str | None, name: str = MODEL_NAME) -> ModelVersion:
    return roll_back_champion(
        served.engine,
        served.models,
        name,
        version_id,
        rolled_back_by="a person",
        reason="it forecasts nonsense",
    )


def promotion_rows(served: Served) -> list[tuple[str, str | None, str, str]]:
    columns = promotions.c
    with served.engine.connect() as connection:
        rows = connection.execute(
            select(
                columns.version_id, columns.from_version_id, columns.promoted_by, columns.reason
            ).order_by(columns.id)
        )
        return [tuple(row) for row in rows]  # type: ignore[misc]


@pytest.fixture
def no_load_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading in a fresh process takes seconds; the test that is about it does it for all."""
    monkeypatch.setattr(promotion, "check_loads", lambda directory: None)
    monkeypatch.setattr(rollback, "check_loads", lambda directory: None)


@pytest.fixture
def first(served: Served, monkeypatch: pytest.MonkeyPatch) -> str:
    """The version that served before the present champion, which is `next`."""
    first = served.champion.version_id
    with monkeypatch.context() as patched:
        patched.setattr(promotion, "check_loads", lambda directory: None)
        promote_model(served.engine, served.models, served.add_candidate("next"), "next", "test")
    return first


def test_version_before_serves_again_after_a_load_check(
    served: Served, first: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert roll_back(served, None).state == "champion"
    serving = open_champion(served.engine, served.models, MODEL_NAME)
    assert serving.version.version_id == first
    assert served.version("next").state == "retired"
    link = served.models / MODEL_NAME / "champion"
    assert link.readlink() == Path("versions", first)
    assert promotion_rows(served)[-1] == (first, "next", "a person", "it forecasts nonsense")
    assert "loads and forecasts the same in a fresh process" in caplog.text


@pytest.mark.usefixtures("no_load_check")
def test_named_version_serves_once_however_often_it_is_asked_for(
    served: Served, first: str
) -> None:
    roll_back(served, first)
    (served.models / MODEL_NAME / "champion").unlink()
    roll_back(served, first)
    assert served.champion.version_id == first
    assert len(promotion_rows(served)) == 3
    assert (served.models / MODEL_NAME / "champion").is_symlink()


@pytest.mark.usefixtures("no_load_check")
def test_rolling_back_a_rollback_returns_to_the_newer_version(served: Served, first: str) -> None:
    roll_back(served, None)
    roll_back(served, None)
    assert served.champion.version_id == "next"


def test_damaged_version_is_refused_and_the_champion_stays(served: Served, first: str) -> None:
    path = served.version(first).directory(served.models) / "model.keras"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RegistryError, match="is damaged"):
        roll_back(served, first)
    assert served.champion.version_id == "next"


def test_version_whose_files_were_deleted_is_refused_with_the_date(
    served: Served, first: str
) -> None:
    with served.engine.begin() as connection:
        connection.execute(
            update(model_versions)
            .where(model_versions.c.version_id == first)
            .values(files_deleted_at=datetime(2025, 2, 3, tzinfo=UTC))
        )
    with pytest.raises(RegistryError, match=f"{first} has no files .* deleted them on 2025-02-03"):
        roll_back(served, first)
    assert served.champion.version_id == "next"


@pytest.mark.usefixtures("no_load_check")
def test_version_that_never_served_is_refused(served: Served) -> None:
    served.add_candidate("untried")
    with pytest.raises(RegistryError, match="'untried' never served under the model name"):
        roll_back(served, "untried")
    with pytest.raises(RegistryError, match="there is none to go back to"):
        roll_back(served, None)


def test_model_name_without_a_champion_is_refused(served: Served) -> None:
    with pytest.raises(NoChampionError, match="no version serves under the model name 'nobody'"):
        roll_back(served, None, "nobody")


def test_promotion_during_the_load_check_is_not_undone(
    served: Served, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion, "check_loads", lambda directory: None)

    def promote_meanwhile(directory: Path) -> None:
        promote_model(served.engine, served.models, served.add_candidate("newer"), "newer", "test")

    monkeypatch.setattr(rollback, "check_loads", promote_meanwhile)
    with pytest.raises(RegistryError, match="newer became champion of 'simulated' meanwhile"):
        roll_back(served, first)
    assert served.champion.version_id == "newer"
