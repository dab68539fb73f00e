from __future__ import annotations

import os
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update

from object_store import IN_BOTH
from roi_forecast.backtest.files import networks_directory, plot_path
from roi_forecast.database.tables import (
    datasets,
    evaluations,
    model_versions,
    predictions,
    runs,
)
from roi_forecast.errors import ConfigError, RegistryError
from roi_forecast.files.leftovers import is_partial, partial_path
from roi_forecast.serving import promotion, rollback
from roi_forecast.serving.promotion import promote_model
from roi_forecast.serving.retention import Pruned, prune_registry
from roi_forecast.serving.rollback import roll_back_champion
from roi_forecast.serving.serving_version import open_champion
from serving_version import MODEL_NAME, Served

NOW = datetime(2025, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_load_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading in a fresh process takes seconds and is not what is required here."""
    monkeypatch.setattr(promotion, "check_loads", lambda directory: None)
    monkeypatch.setattr(rollback, "check_loads", lambda directory: None)


def prune(
    served: Served,
    versions: int = 2,
    candidates: int = 0,
    backtests: int = 1,
    active: Collection[str] = (),
) -> Pruned:
    return prune_registry(
        served.engine,
        served.settings,
        keep_versions=versions,
        keep_candidates=candidates,
        keep_backtests=backtests,
        is_active=lambda run_id: run_id in active,
        now=NOW,
    )


def promote(served: Served, *version_ids: str) -> None:
    for version_id in version_ids:
        served.add_candidate(version_id)
        promote_model(served.engine, served.models, version_id, version_id, "test")


def roll_back(served: Served, version_id: str) -> None:
    roll_back_champion(
        served.engine, served.models, MODEL_NAME, version_id, rolled_back_by="a", reason="b"
    )


def folders(served: Served, kind: str) -> set[str]:
    found = (served.models / MODEL_NAME / kind).iterdir()
    return {path.name for path in found}


def add_run(served: Served, run_id: str, kind: str, days_ago: float) -> None:
    """Add a backtest or a search of the daily run's as-of date."""
    with served.engine.begin() as connection:
        daily = connection.execute(select(runs).where(runs.c.run_id == "run")).mappings().one()
        claimed = NOW - timedelta(days=days_ago)
        changed = {
            "run_id": run_id,
            "resolved": {**daily["resolved"], kind: {}},
            "claimed_at": claimed,
            "released_at": claimed,
        }
        connection.execute(insert(runs).values({**daily, **changed}))


def add_network(directory: Path, name: str, days_ago: float) -> None:
    """Add a network that was trained long ago and used last so many days ago."""
    folder = directory / name
    folder.mkdir(parents=True)
    (folder / "model.keras").write_bytes(b"12345")
    os.utime(folder / "model.keras", (0, 0))
    moment = (NOW - timedelta(days=days_ago)).timestamp()
    os.utime(folder, (moment, moment))


def add_scores(served: Served, version_id: str, *symbols: str | None) -> None:
    """Add one figure of a version for each symbol; None for all assets together."""
    with served.engine.begin() as connection:
        trained = connection.execute(
            select(model_versions.c.run_id, model_versions.c.dataset_id).where(
                model_versions.c.version_id == version_id
            )
        ).one()
        for symbol in symbols:
            connection.execute(
                insert(evaluations).values(
                    run_id=trained.run_id,
                    version_id=version_id,
                    dataset_id=trained.dataset_id,
                    predictor="model",
                    target="next_day_pct",
                    symbol=symbol,
                    split="test",
                    first_date=NOW.date(),
                    last_date=NOW.date(),
                    rows=1,
                    metric="retention",
                    value=0.5,
                )
            )


def scored(served: Served) -> set[tuple[str, str | None]]:
    """Return versions and symbols of the figures that `add_scores` added."""
    rows = select(evaluations.c.version_id, evaluations.c.symbol).where(
        evaluations.c.metric == "retention"
    )
    with served.engine.connect() as connection:
        return {(row.version_id, row.symbol) for row in connection.execute(rows)}


def age(served: Served, *names: str) -> None:
    """Date the candidates' folders one hour apart, the first one oldest."""
    for hour, name in enumerate(names):
        moment = NOW.timestamp() + 3600 * hour
        folder = served.models / MODEL_NAME / "candidates" / name
        for path in (folder, *folder.rglob("*")):
            os.utime(path, (moment, moment))


@IN_BOTH
def test_newest_versions_stay_with_champion_and_the_one_before(served: Served) -> None:
    first = served.champion.version_id
    promote(served, "second", "third", "fourth")
    pruned = prune(served, versions=3)
    assert folders(served, "versions") == {"second", "third", "fourth"}
    assert pruned.versions == 1
    assert pruned.freed_bytes > 1000
    assert served.version(first).files_deleted_at == NOW
    assert open_champion(served.engine, served.models, MODEL_NAME).version.version_id == "fourth"


def test_after_a_rollback_the_old_champion_and_the_one_it_replaced_stay(served: Served) -> None:
    first = served.champion.version_id
    promote(served, "second", "third", "fourth")
    roll_back(served, first)
    prune(served, versions=2)
    assert folders(served, "versions") == {first, "fourth"}


def test_after_a_rollback_the_version_that_a_run_would_fall_back_to_stays(served: Served) -> None:
    promote(served, "second", "third", "fourth")
    roll_back(served, "third")
    prune(served, versions=2)
    assert folders(served, "versions") == {"second", "third", "fourth"}


@IN_BOTH
def test_forecasts_of_pruned_versions_stay_and_rolling_back_is_refused(
    served: Served,
) -> None:
    first = served.champion.version_id
    with served.engine.connect() as connection:
        forecasts = connection.scalar(select(func.count()).select_from(predictions))
    promote(served, "second", "third")
    prune(served)
    with served.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(predictions)) == forecasts
    with pytest.raises(RegistryError, match=f"{first} has no files any more: .* on 2025-03-04"):
        roll_back(served, first)
    assert served.champion.version_id == "third"


def test_scores_by_asset_go_with_the_files_and_those_over_all_assets_stay(served: Served) -> None:
    first = served.champion.version_id
    promote(served, "second", "third")
    for version_id in (first, "third"):
        add_scores(served, version_id, "TCS.NS", None)
    prune(served)
    assert scored(served) == {(first, None), ("third", "TCS.NS"), ("third", None)}


def test_newest_candidates_stay_and_those_of_versions_that_served_may_go(served: Served) -> None:
    promote(served, "served")
    for name in ("old", "middle", "new"):
        served.add_candidate(name)
    (served.models / MODEL_NAME / "candidates" / "killed").mkdir()
    age(served, "run", "served", "killed", "old", "middle", "new")
    pruned = prune(served, candidates=2)
    assert folders(served, "candidates") == {"middle", "new"}
    assert pruned.candidates == 4
    assert served.version("old").files_deleted_at == NOW
    assert served.version("served").files_deleted_at is None
    assert served.version("new").files_deleted_at is None


def test_candidate_and_dataset_of_a_run_that_is_going_stay(served: Served) -> None:
    served.add_candidate("reused")
    unfinished = served.models / MODEL_NAME / "candidates" / "scheduled__2025-03-04T22_15_00_00_00"
    unfinished.mkdir()
    with served.engine.begin() as connection:
        connection.execute(
            update(runs).values(run_id="scheduled__2025-03-04T22:15:00+00:00", released_at=None)
        )
        connection.execute(update(model_versions).values(files_deleted_at=NOW))
    prune(served)
    assert folders(served, "candidates") >= {unfinished.name, "reused"}
    assert len(list(served.settings.datasets_directory.iterdir())) == 1
    with served.engine.begin() as connection:
        connection.execute(update(runs).values(released_at=NOW))
    prune(served)
    assert unfinished.name not in folders(served, "candidates")


def test_dataset_goes_with_the_last_version_that_was_trained_on_it(served: Served) -> None:
    directory = served.settings.datasets_directory
    unregistered = directory / "just_written"
    unregistered.mkdir()
    with served.engine.begin() as connection:
        known = connection.scalars(select(datasets.c.dataset_id)).one()
    assert prune(served).datasets == 0
    with served.engine.begin() as connection:
        connection.execute(update(model_versions).values(files_deleted_at=NOW))
    # A backtest of the same as-of date may have been resolved a moment ago.
    assert prune(served).datasets == 0
    with served.engine.begin() as connection:
        connection.execute(update(runs).values(claimed_at=NOW - timedelta(days=8)))
    assert prune(served).datasets == 1
    assert not (directory / known).exists()
    assert unregistered.is_dir()


@pytest.mark.parametrize("kind", ["backtest", "tuning"])
def test_dataset_of_a_backtest_or_search_that_runs_for_weeks_stays(
    served: Served, kind: str
) -> None:
    add_run(served, "long", kind, days_ago=30)
    with served.engine.begin() as connection:
        connection.execute(update(model_versions).values(files_deleted_at=NOW))
        connection.execute(
            update(runs).where(runs.c.run_id == "run").values(claimed_at=NOW - timedelta(days=30))
        )
    assert prune(served, active={"long"}).datasets == 0
    # A daily run claims its name: whether Airflow counts one of the same id as active is not asked.
    assert prune(served, active={"run"}).datasets == 1


def test_networks_go_that_only_older_backtests_used(served: Served) -> None:
    networks = networks_directory(served.settings.backtests_directory)
    for name, days_ago in (("first", 31), ("second", 20.5), ("third", 10.02)):
        add_network(networks, name, days_ago)
    plot = plot_path(served.settings.backtests_directory, "oldest")
    plot.parent.mkdir()
    plot.write_bytes(b"png")
    for run_id, days_ago in (("oldest", 32), ("older", 21), ("newest", 10)):
        add_run(served, run_id, "backtest", days_ago)
    add_run(served, "search", "tuning", days_ago=1)

    # The third one's backtest began 10 days ago: the file server's clock is slow.
    def kept() -> set[str]:
        return {path.name for path in networks.iterdir()}

    assert prune(served, backtests=4).networks == 0
    assert prune(served, backtests=3).networks == 0
    # It was started before the two that are kept, and is still active.
    assert prune(served, backtests=2, active={"oldest"}).networks == 0
    assert kept() == {"first", "second", "third"}
    pruned = prune(served, backtests=2)
    assert (pruned.networks, pruned.freed_bytes) == (1, 5)
    assert kept() == {"second", "third"}
    prune(served, backtests=1)
    assert kept() == {"third"}
    assert plot.is_file()


def test_leftovers_of_killed_processes_go_after_a_day(served: Served) -> None:
    settings = served.settings
    places = [
        settings.datasets_directory,
        served.models / MODEL_NAME / "versions",
        settings.backtests_directory / "networks" / "2024-01-02-abc",
        settings.tuning_directory / "study" / "0",
    ]
    old, young = [], []
    for place in places:
        for leftovers, hours in ((old, 25), (young, 23)):
            leftover = partial_path(place / "one")
            leftover.mkdir(parents=True)
            moment = time.time() - hours * 3600
            os.utime(leftover, (moment, moment))
            leftovers.append(leftover)
    assert prune(served).leftovers == len(places)
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in young)


def test_pruning_again_deletes_nothing_more(served: Served) -> None:
    promote(served, "second", "third")
    prune(served)
    assert prune(served) == Pruned(0, 0, 0, 0, 0, 0)


def test_crash_while_deleting_leaves_no_version_and_a_leftover_that_goes_after_a_day(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = served.champion.version_id
    promote(served, "second", "third")

    def crash(path: Path, ignore_errors: bool) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", crash)
        with pytest.raises(KeyboardInterrupt):
            prune(served)
    assert served.version(first).files_deleted_at == NOW
    (leftover,) = folders(served, "versions") - {"second", "third"}
    assert is_partial(leftover)
    for path in (served.models / MODEL_NAME / "versions" / leftover).rglob("*"):
        os.utime(path, (0, 0))
    os.utime(served.models / MODEL_NAME / "versions" / leftover, (0, 0))
    assert prune(served).leftovers == 1
    assert folders(served, "versions") == {"second", "third"}


def test_version_published_by_a_promotion_that_never_ended_goes(served: Served) -> None:
    (served.models / MODEL_NAME / "versions" / "half").mkdir()
    (served.models / MODEL_NAME / "versions" / ".being-written.partial").mkdir()
    prune(served)
    assert folders(served, "versions") == {
        served.champion.version_id,
        ".being-written.partial",
    }


def test_fewer_than_champion_and_predecessor_are_refused(served: Served) -> None:
    with pytest.raises(ConfigError, match="keep_versions: received 1"):
        prune(served, versions=1)
    with pytest.raises(ConfigError, match="keep_backtests: received 0"):
        prune(served, backtests=0)
