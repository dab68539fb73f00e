"""What is published stays as it is; what is not yet is replaced whole."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, delete, insert, select, update

from daily_run import NOW
from manifests import read_manifest
from roi_forecast.config import parse_run_config
from roi_forecast.database.tables import (
    datasets,
    evaluations,
    gate_decisions,
    model_versions,
    predictions,
    promotions,
)
from roi_forecast.errors import RegistryError
from roi_forecast.evaluation.evaluate import evaluate_model
from roi_forecast.evaluation.scores import Score
from roi_forecast.evaluation.stored_evaluation import COMMON, insert_scores
from roi_forecast.files.artifacts import checksum
from roi_forecast.gate.approval import record_approval
from roi_forecast.gate.decide import decide_promotion
from roi_forecast.registry.plots import plots_directory
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.serving import promotion
from roi_forecast.serving.forecast_store import store_forecasts
from roi_forecast.serving.promotion import promote_model
from serving_version import MODEL_NAME, Served

TABLES = (evaluations, gate_decisions, model_versions, promotions, predictions)


def content(served: Served, *tables: Table) -> dict[str, list[dict[str, Any]]]:
    with served.engine.connect() as connection:
        return {
            table.name: [
                dict(row)
                for row in connection.execute(
                    select(table).order_by(*table.primary_key.columns)
                ).mappings()
            ]
            for table in tables or TABLES
        }


def files(directory: Path) -> dict[str, tuple[str, int]]:
    """Return checksum and moment of writing of each file."""
    return {
        path.relative_to(directory).as_posix(): (checksum(path), path.stat().st_mtime_ns)
        for path in directory.rglob("*")
        if path.is_file()
    }


def run_of(served: Served, run_id: str = "run", **parameters: Any) -> ResolvedRun:
    run = served.outcome.run
    config = parse_run_config({**run.config.model_dump(mode="json"), **parameters})
    return run.model_copy(update={"run_id": run_id, "config": config})


def evaluate(served: Served, run: ResolvedRun, version_id: str) -> str | None:
    return evaluate_model(served.engine, run, served.outcome.dataset, version_id, served.models)


@pytest.fixture
def candidate(served: Served) -> str:
    return served.add_candidate("next")


def test_a_run_whose_version_serves_changes_nothing_when_its_tasks_are_repeated(
    served: Served,
) -> None:
    champion = served.champion.version_id
    before, on_disk = content(served), files(served.models)
    # Other horizons, so that another evaluation would have other figures.
    run = run_of(served, horizons=[1, 10])
    opponent = evaluate(served, run, champion)
    assert opponent is None
    verdict = decide_promotion(served.engine, run, champion, opponent)
    assert verdict.promoted
    assert len(verdict.rulings) == len(served.outcome.verdict.rulings)
    assert verdict.reason == served.outcome.verdict.reason
    promote_model(served.engine, served.models, champion, "run", "a repeated task")
    assert content(served) == before
    assert files(served.models) == on_disk


def test_another_run_adds_its_comparison_to_a_published_version_and_unknown_horizons_alone(
    served: Served,
) -> None:
    champion = served.champion.version_id
    before, on_disk = content(served), files(served.models)
    assert evaluate(served, run_of(served, "again", horizons=[1, 5, 10]), champion) == champion
    after = content(served)
    added = [row for row in after["evaluations"] if row["run_id"] == "again"]
    assert {row["target"] for row in added} == {COMMON, "horizon_10_pct"}
    kept = [row for row in after["evaluations"] if row["run_id"] != "again"]
    assert {**after, "evaluations": kept} == before
    assert files(served.models) == on_disk


@pytest.mark.parametrize("state", ["candidate", "rejected"])
def test_another_evaluation_of_what_nobody_published_leaves_nothing_of_the_one_before(
    served: Served, candidate: str, state: str
) -> None:
    run = run_of(served, candidate)
    directory = served.version(candidate).directory(served.models)
    version_files = files(directory)
    evaluate(served, run_of(served, candidate, horizons=[1, 7]), candidate)
    stale = {"r2": 0.99}
    with served.engine.begin() as connection:
        connection.execute(
            update(model_versions)
            .where(model_versions.c.version_id == candidate)
            .values(metrics=stale, state=state)
        )
        known = connection.execute(
            select(evaluations).where(evaluations.c.run_id == candidate).limit(1)
        ).one()
        gone = {**known._mapping, "symbol": "GONE.NS", "value": 0.5}
        del gone["id"]
        connection.execute(insert(evaluations), gone)
    plots = plots_directory(served.models, MODEL_NAME, candidate)
    (plots / "gone.png").write_bytes(b"of an earlier evaluation")
    evaluate(served, run, candidate)
    rows = [row for row in content(served)["evaluations"] if row["run_id"] == candidate]
    assert {row["horizon"] for row in rows} == {1, 5, 20}
    assert "GONE.NS" not in {row["symbol"] for row in rows}
    assert served.version(candidate).metrics["r2"] != stale["r2"]
    assert "gone.png" not in read_manifest(plots, RegistryError)["files"]
    assert not (plots / "gone.png").exists()
    assert files(directory) == version_files


def test_an_evaluation_that_was_cut_off_is_made_again(served: Served, candidate: str) -> None:
    evaluate(served, run_of(served, candidate), candidate)
    plots = plots_directory(served.models, MODEL_NAME, candidate)
    whole = sorted(path.name for path in plots.iterdir())
    (plots / "manifest.json").write_text('{"half of')
    (plots / "loss_curves.png").unlink()
    evaluate(served, run_of(served, candidate), candidate)
    read_manifest(plots, RegistryError)
    assert sorted(path.name for path in plots.iterdir()) == whole


@pytest.mark.parametrize("name", ["calibration.json", "sample.npz"])
def test_an_evaluation_refuses_files_that_are_not_those_of_the_training(
    served: Served, candidate: str, name: str
) -> None:
    directory = served.version(candidate).directory(served.models)
    (directory / name).write_text('{"half of')
    with pytest.raises(RegistryError, match=name):
        evaluate(served, run_of(served, candidate), candidate)


def test_an_evaluation_still_needs_the_files_of_the_training(
    served: Served, candidate: str
) -> None:
    (served.version(candidate).directory(served.models) / "scaler.json").write_text("{}")
    with pytest.raises(RegistryError, match=r"scaler\.json is damaged"):
        evaluate(served, run_of(served, candidate), candidate)


def test_a_version_that_forecast_without_ever_serving_keeps_its_files_and_figures(
    served: Served, candidate: str
) -> None:
    run = run_of(served, candidate)
    evaluate(served, run, candidate)
    with served.engine.begin() as connection:
        connection.execute(
            update(model_versions)
            .where(model_versions.c.version_id == served.champion.version_id)
            .values(last_date=NOW.date())
        )
        connection.execute(delete(predictions))
    store_forecasts(
        served.engine,
        run,
        served.outcome.dataset.dataset_id,
        served.models,
        candidate_id=candidate,
        now=NOW,
    )
    directory = served.version(candidate).directory(served.models)
    before, on_disk = content(served), files(directory)
    evaluate(served, run_of(served, candidate, horizons=[1, 5]), candidate)
    after = content(served)
    for tables in (before, after):
        tables["evaluations"] = [row for row in tables["evaluations"] if row["target"] != COMMON]
    assert after == before
    assert files(directory) == on_disk


@pytest.fixture
def replaced(served: Served, candidate: str, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Two promotions on; the version `next` served between the first and the last."""
    monkeypatch.setattr(promotion, "check_loads", lambda directory: None)
    promote_model(served.engine, served.models, candidate, candidate, "test")
    third = served.add_candidate("third")
    promote_model(served.engine, served.models, third, third, "test")
    return served


def test_the_run_of_a_version_that_was_replaced_since_does_not_bring_it_back(
    replaced: Served,
) -> None:
    before, on_disk = content(replaced), files(replaced.models)
    run = run_of(replaced, "next")
    opponent = evaluate(replaced, run, "next")
    assert decide_promotion(replaced.engine, run, "next", opponent).promoted
    promote_model(replaced.engine, replaced.models, "next", "next", "a repeated task")
    record_approval(replaced.engine, "next", "next", approved=False, answer="too late")
    assert content(replaced) == before
    assert files(replaced.models) == on_disk
    assert replaced.champion.version_id == "third"


def test_another_run_may_promote_a_version_that_was_replaced_again(replaced: Served) -> None:
    with replaced.engine.begin() as connection:
        known = connection.execute(
            select(gate_decisions).where(gate_decisions.c.run_id == "next")
        ).one()
        connection.execute(
            insert(gate_decisions).values(
                {
                    **{
                        name: known._mapping[name]
                        for name in known._mapping
                        if name != "decided_at"
                    },
                    "run_id": "later",
                    "opponent": "third",
                }
            )
        )
    promote_model(replaced.engine, replaced.models, "next", "later", "test")
    assert replaced.champion.version_id == "next"


def test_storing_figures_holds_none_of_them_in_memory(served: Served) -> None:
    day = date(2024, 12, 27)

    def figures(count: int) -> Iterator[tuple[None, Score]]:
        for number in range(count):
            yield (
                None,
                Score("zero", "x", f"SIM{number}", "backtest", day, day, 1, "mae", float("nan")),
            )

    def peak(count: int) -> int:
        with served.engine.connect() as connection:
            dataset_id = connection.scalars(select(datasets.c.dataset_id)).one()
            tracemalloc.start()
            insert_scores(connection, "stored", None, dataset_id, figures(count))
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            stored = connection.execute(
                select(evaluations.c.value).where(evaluations.c.run_id == "stored")
            ).all()
            assert len(stored) == count
            assert {row.value for row in stored} == {None}
        return found

    assert peak(6000) < 1.5 * peak(1000)
