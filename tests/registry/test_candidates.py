"""Single networks, ensembles and fine-tuning, from a run's parameters to its forecasts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sqlalchemy import Engine, Row, select
from threadpoolctl import threadpool_info, threadpool_limits

from daily_run import NOW, Outcome, carry_out, prepare
from databases import fresh_market
from manifests import read_manifest
from roi_forecast.config import RunConfig
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.tables import model_versions, predictions
from roi_forecast.errors import RegistryError, TrainingError
from roi_forecast.features.dataset import Dataset
from roi_forecast.linear.baseline import dataset_baseline
from roi_forecast.network.predictor import load_predictor
from roi_forecast.network.training.result import find_members
from roi_forecast.registry import training_plan
from roi_forecast.registry.candidates import combine_members, train_candidate, train_member
from roi_forecast.registry.training_plan import TrainingPlan, plan_training
from roi_forecast.registry.versions import ModelVersion, find_champion, find_version
from roi_forecast.runs.claims import release_run
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.scale import fit, through_time
from roi_forecast.settings import Settings
from roi_local.postgres.server import EmbeddedPostgres

SYMBOLS = ["TCS.NS", "GC=F"]
FIRST_DAY, LATER = "2024-12-26", "2025-01-06"
MEMBERS = 2
# Without the baseline no training ends at the weights it began with, so that every seed tells.
DAY: dict[str, Any] = {
    "symbols": SYMBOLS,
    "as_of_date": FIRST_DAY,
    "architecture": "hybrid",
    "learning_rate": 0.01,
    "gate_override_reason": "the tests need a champion",
}


@dataclass(frozen=True)
class Registry:
    """An installation with two champions: of one network and of an ensemble.

    Attributes:
        blas_threads: What numpy's products had while the runs fitted a scale.
    """

    engine: Engine
    settings: Settings
    single: Outcome
    ensemble: Outcome
    blas_threads: set[int]

    @property
    def models(self) -> Path:
        return self.settings.models_directory

    def version(self, version_id: str) -> ModelVersion:
        with self.engine.connect() as connection:
            return find_version(connection, version_id)

    def directory(self, version_id: str) -> Path:
        return self.version(version_id).directory(self.models)

    def row(self, version_id: str) -> Row[Any]:
        with self.engine.connect() as connection:
            return connection.execute(
                select(model_versions).where(model_versions.c.version_id == version_id)
            ).one()

    def prepare(self, run_id: str, **parameters: Any) -> tuple[ResolvedRun, Dataset]:
        """Resolve a run and build its dataset; its name is given free for the next test."""
        values = {**DAY, "as_of_date": LATER, **parameters}
        prepared = prepare(self.engine, self.settings, run_id, values)
        release_run(self.engine, run_id, now=NOW)
        return prepared

    def plan(self, run: ResolvedRun, dataset: Dataset) -> TrainingPlan:
        return plan_training(self.engine, run, dataset, self.models)

    def train(self, run: ResolvedRun, dataset: Dataset) -> ModelVersion:
        return train_candidate(self.engine, run, dataset, self.models, now=NOW)


@pytest.fixture(scope="module")
def registry(
    postgres: EmbeddedPostgres, market_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    threads = set()

    def fit_weights(*arguments: Any) -> Any:
        libraries = [found for found in threadpool_info() if found["user_api"] == "blas"]
        threads.update(found["num_threads"] for found in libraries)
        return fit.fit_weights(*arguments)

    with (
        fresh_market(postgres, market_template) as url,
        pytest.MonkeyPatch.context() as patch,
        threadpool_limits(2, user_api="blas"),
    ):
        patch.setattr(through_time, "fit_weights", fit_weights)
        settings = Settings(url, tmp_path_factory.mktemp("data"))
        engine = create_database_engine(url)
        yield Registry(
            engine,
            settings,
            carry_out(engine, settings, "single", {**DAY, "model_name": "single"}),
            carry_out(
                engine,
                settings,
                "ensemble",
                {**DAY, "model_name": "ensemble", "ensemble_size": MEMBERS},
            ),
            threads,
        )
        engine.dispose()


def weights(directory: Path, number: int = 0) -> dict[str, np.ndarray]:
    file = find_members(directory)[number] / "model.keras"
    network = keras.saving.load_model(file, compile=False)
    return {
        f"{layer.name}/{index}": weight
        for layer in network.layers
        for index, weight in enumerate(layer.get_weights())
    }


def assert_same(own: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert own.keys() == other.keys()
    for path, weight in own.items():
        np.testing.assert_array_equal(weight, other[path])


def baseline_of(dataset: Dataset, targets: range) -> np.ndarray:
    return dataset_baseline(dataset, RunConfig().half_life, targets)


def test_a_run_fits_in_products_on_one_thread(registry) -> None:
    assert registry.blas_threads == {1}


def test_an_ensemble_is_one_version_whose_forecast_is_the_mean_of_its_members(registry) -> None:
    directory = registry.directory(registry.ensemble.version_id)
    files = set(read_manifest(directory, RegistryError)["files"])
    assert {f"member_{number}/network.npz" for number in range(MEMBERS)} <= files
    assert {f"member_{number}/model.keras" for number in range(MEMBERS)} <= files
    assert not {"network.npz", "model.keras"} & files
    dataset, predictor = registry.ensemble.dataset, load_predictor(directory)
    targets = dataset.split.test
    members = [
        load_predictor(directory / f"member_{number}").predict(
            dataset.inputs, baseline_of(dataset, targets), targets
        )
        for number in range(MEMBERS)
    ]
    assert len(predictor.networks) == MEMBERS
    np.testing.assert_allclose(
        predictor.predict(dataset.inputs, baseline_of(dataset, targets), targets),
        np.mean(members, axis=0),
    )
    assert registry.version(registry.ensemble.version_id).state == "champion"


def test_members_differ_by_the_seeds_after_the_runs(registry) -> None:
    first = registry.directory(registry.ensemble.version_id) / "member_0"
    assert_same(weights(first), weights(registry.directory(registry.single.version_id)))
    second = weights(registry.directory(registry.ensemble.version_id), 1)
    assert any((weight != second[path]).any() for path, weight in weights(first).items())
    record = registry.row(registry.ensemble.version_id).training_record
    assert [member["seed"] for member in record["members"]] == list(range(MEMBERS))


def test_the_spread_across_members_is_stored_with_each_forecast_and_null_for_one(registry) -> None:
    with registry.engine.connect() as connection:
        rows = connection.execute(
            select(
                predictions.c.version_id, predictions.c.symbol, predictions.c.member_spread_pct
            ).where(predictions.c.horizon == 1)
        ).all()
    spread = {
        row.symbol: row.member_spread_pct
        for row in rows
        if row.version_id == (registry.ensemble.version_id)
    }
    single = [row for row in rows if row.version_id == registry.single.version_id]
    assert len(single) == 2
    assert {row.member_spread_pct for row in single} == {None}

    dataset = registry.ensemble.dataset
    next_row = len(dataset.scaled)
    # `hybrid` does not look at the baseline.
    members = load_predictor(registry.directory(registry.ensemble.version_id)).predict_members(
        dataset.inputs, np.zeros((1, len(SYMBOLS))), range(next_row, next_row + 1)
    )
    percent = 100 * np.expm1(dataset.scaler.inverse(members[:, 0]))
    for column, symbol in enumerate(dataset.symbols):
        members_pct = percent[:, column]
        expected = np.sqrt(((members_pct - members_pct.mean()) ** 2).sum() / (MEMBERS - 1))
        assert spread[symbol] == pytest.approx(expected, rel=1e-4)
        assert spread[symbol] > 0


def test_members_are_trained_in_any_order_and_a_finished_one_is_not_trained_again(
    registry,
) -> None:
    run, dataset = registry.prepare("members", model_name="members", ensemble_size=2, seed=5)
    arguments = (registry.engine, run, dataset, registry.models)
    train_member(*arguments, 1, None)
    folder = registry.models / "members" / "candidates" / "members"
    before = (folder / "member_1" / "network.npz").stat().st_mtime_ns
    with pytest.raises(TrainingError, match=r"network 1 of 2 in .* is not finished"):
        combine_members(*arguments, None, now=NOW)

    train_member(*arguments, 0, None)
    train_member(*arguments, 1, None)
    version = combine_members(*arguments, None, now=NOW)

    assert (folder / "member_1" / "network.npz").stat().st_mtime_ns == before
    assert version.directory(registry.models) == folder
    assert combine_members(*arguments, None, now=NOW + timedelta(days=1)) == version


def test_another_size_is_another_version(registry) -> None:
    run, dataset = registry.prepare("two", model_name="members", ensemble_size=2, seed=5)
    known = registry.train(run, dataset)
    one = run.model_copy(update={"config": run.config.model_copy(update={"ensemble_size": 1})})
    other = registry.train(one.model_copy(update={"run_id": "one"}), dataset)
    assert known.version_id != other.version_id


def test_the_record_holds_what_repeating_a_training_takes(registry) -> None:
    row = registry.row(registry.ensemble.version_id)
    record = row.training_record
    manifest = read_manifest(registry.directory(registry.ensemble.version_id), RegistryError)
    assert manifest["training_record"] == record
    assert RunConfig.model_validate(record["parameters"]) == registry.ensemble.run.config
    assert record["libraries"].keys() >= {"tensorflow", "keras", "numpy"}
    assert record["python"].count(".") == 2
    assert manifest["dataset_id"] == row.dataset_id == registry.ensemble.dataset.dataset_id
    assert manifest["code_revision"] == row.code_revision
    assert row.metrics["evaluation_seconds"] > 0
    for member in record["members"]:
        assert member["device"].startswith(("CPU", "GPU"))
        assert member["seconds"].keys() == {"prepare", "train", "save"}
        assert all(seconds >= 0 for seconds in member["seconds"].values())
        # The untrained network and two epochs.
        assert len(member["epoch_seconds"]) == 3
        assert member["seconds"]["train"] == pytest.approx(
            sum(member["epoch_seconds"][1:]), abs=0.01
        )


def test_the_same_parameters_on_the_same_dataset_give_the_same_metrics(registry) -> None:
    day = {**DAY, "model_name": "again"}
    again = carry_out(registry.engine, registry.settings, "again", day)
    assert again.dataset.dataset_id == registry.single.dataset.dataset_id
    assert again.version_id != registry.single.version_id
    first, second = (
        {**registry.version(outcome.version_id).metrics, "evaluation_seconds": None}
        for outcome in (registry.single, again)
    )
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert second[name] == pytest.approx(value, abs=1e-6), name


@pytest.fixture(scope="module")
def tuned(registry) -> tuple[ModelVersion, Dataset]:
    """A version that continues from the single champion."""
    run, dataset = registry.prepare(
        "tuned",
        model_name="single",
        training_mode="fine_tune",
        trainable_layers=2,
        epochs=3,
    )
    return registry.train(run, dataset), dataset


def test_fine_tuning_trains_only_the_last_layers_of_the_champion(registry, tuned) -> None:
    version, _ = tuned
    own, champion = (
        weights(registry.directory(version_id))
        for version_id in (version.version_id, registry.single.version_id)
    )
    changed = {
        path.split("/")[0] for path, weight in own.items() if (weight != champion[path]).any()
    }
    assert changed == {"dense", "output"}
    record = registry.row(version.version_id).training_record
    assert record["base_version_id"] == registry.single.version_id
    assert record["members"][0]["epochs"] <= 3


def test_fine_tuning_begins_at_the_champions_forecasts_in_its_own_units(registry, tuned) -> None:
    version, dataset = tuned
    champion = registry.directory(registry.single.version_id)
    assert (version.directory(registry.models) / "scaler.json").read_text() == (
        (champion / "scaler.json").read_text()
    )
    history = json.loads((version.directory(registry.models) / "history.json").read_text())
    scaler = registry.single.dataset.scaler
    targets = dataset.split.validation
    rows = slice(targets.start, targets.stop)
    predicted = load_predictor(champion).predict(
        dataset.rescaled(scaler).inputs, baseline_of(dataset.rescaled(scaler), targets), targets
    )
    error = np.abs(predicted - scaler.transform(dataset.smoothed)[rows])[~dataset.filled[rows]]
    assert history[0]["validation_mae"] == pytest.approx(error.mean(), rel=1e-4)


def test_a_tuned_version_is_judged_and_forecasts_like_any_other(registry) -> None:
    outcome = carry_out(
        registry.engine,
        registry.settings,
        "tuned_day",
        {
            **DAY,
            "symbols": SYMBOLS[::-1],
            "as_of_date": LATER,
            "model_name": "ensemble",
            "ensemble_size": MEMBERS,
            "training_mode": "if_due",
            "epochs": 20,
        },
    )
    record = registry.row(outcome.version_id).training_record
    assert record["base_version_id"] == registry.ensemble.version_id
    version = registry.version(outcome.version_id)
    # Another order of the symbols is no difference; the champion's is kept.
    assert version.symbols == tuple(SYMBOLS)
    assert -1 < version.metrics["r2"] <= 1
    rulings = {ruling.rule: ruling for ruling in outcome.verdict.rulings}
    assert rulings["compared_sessions"].passed
    manifest = read_manifest(version.directory(registry.models), RegistryError)
    assert manifest["from_scratch_until"] == FIRST_DAY
    assert outcome.forecasts.added == len(SYMBOLS) * len(outcome.run.config.horizons)


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        (
            {"symbols": ["TCS.NS", "INFY.NS"]},
            ["lacks assets of the run: INFY.NS", "assets that the run lacks: GC=F"],
        ),
        ({"seq_len": 15}, ["seq_len is 12, the run's is 15"]),
        ({"smoothing": 3}, ["smoothing is 5, the run's is 3"]),
        ({"scaler": "standard"}, ["scaler is minmax, the run's is standard"]),
        ({"dense_units": 16}, ["dense_units is 8, the run's is 16"]),
        ({"lstm_units": [8, 4]}, [r"lstm_units is [4, 4], the run's is [8, 4]"]),
        ({"ensemble_size": 2}, ["ensemble_size is 1, the run's is 2"]),
    ],
)
def test_fine_tuning_on_other_assets_or_features_is_refused_with_what_differs(
    registry, changes, messages
) -> None:
    name = "differs-" + next(iter(changes)).replace("_", "-")
    run, dataset = registry.prepare(name, model_name="single", training_mode="fine_tune", **changes)
    with pytest.raises(TrainingError) as refusal:
        registry.plan(run, dataset)
    for words in (*messages, "scratch or if_due", registry.single.version_id):
        assert words in str(refusal.value)
    due = run.config.model_copy(update={"training_mode": "if_due"})
    assert registry.plan(run.model_copy(update={"config": due}), dataset).base_version_id is None


def test_fine_tuning_without_a_champion_is_refused(registry) -> None:
    run, dataset = registry.prepare("lonely", model_name="nobody", training_mode="fine_tune")
    with pytest.raises(TrainingError, match="no version serves under 'nobody'"):
        registry.plan(run, dataset)


@pytest.mark.parametrize(
    ("shares", "part"), [({"test_share": 0.4}, "test"), ({"validation_share": 0.4}, "validation")]
)
def test_fine_tuning_is_refused_where_the_champion_saw_rows_that_are_to_judge_it(
    registry, shares, part
) -> None:
    run, dataset = registry.prepare(
        f"seen-{part}", model_name="single", training_mode="fine_tune", **shares
    )
    with pytest.raises(TrainingError, match=f"too close to this run's {part} rows"):
        registry.plan(run, dataset)


def test_fine_tuning_from_a_champion_that_knows_later_days_is_refused(registry) -> None:
    run, dataset = registry.prepare("of-the-past", model_name="single", training_mode="fine_tune")
    with registry.engine.connect() as connection:
        known = find_champion(connection, "single")
    assert registry.plan(run, dataset).base_version_id == known.version_id
    past = run.model_copy(update={"as_of_date": known.last_date - timedelta(days=1)})
    with pytest.raises(
        TrainingError, match=f"its data reach to {known.last_date}, past the as-of date"
    ):
        registry.plan(past, dataset)
    due = past.config.model_copy(update={"training_mode": "if_due"})
    assert registry.plan(past.model_copy(update={"config": due}), dataset).base_version_id is None


def test_the_gap_between_what_the_champion_saw_and_what_judges_is_exact(registry) -> None:
    run, dataset = registry.prepare(
        "same-day", model_name="single", training_mode="fine_tune", as_of_date=FIRST_DAY
    )
    assert dataset.dataset_id == registry.single.dataset.dataset_id
    assert registry.plan(run, dataset).base_version_id == registry.single.version_id
    test, validation = dataset.split.test, dataset.split.validation
    for closer in (
        replace(dataset.split, test=range(test.start - 1, test.stop)),
        replace(dataset.split, validation=range(validation.start - 1, validation.stop)),
    ):
        with pytest.raises(TrainingError, match="too close"):
            registry.plan(run, replace(dataset, split=closer))


def test_if_due_trains_from_nothing_once_enough_sessions_lie_after_the_last_time(
    registry, monkeypatch
) -> None:
    run, dataset = registry.prepare("due", model_name="single", training_mode="if_due")
    sessions = int((dataset.dates > np.datetime64(FIRST_DAY)).sum())
    assert sessions > 1
    for every, base in ((sessions + 1, registry.single.version_id), (sessions, None)):
        monkeypatch.setattr(training_plan, "RETRAIN_EVERY_SESSIONS", every)
        assert registry.plan(run, dataset) == TrainingPlan(1, base)


def test_if_due_trains_from_nothing_where_no_version_serves(registry) -> None:
    run, dataset = registry.prepare("first", model_name="newcomer", training_mode="if_due")
    assert registry.plan(run, dataset) == TrainingPlan(1, None)


def test_if_due_trains_from_nothing_where_the_champion_is_damaged(registry, caplog) -> None:
    run, dataset = registry.prepare("damaged", model_name="again", training_mode="if_due")
    path = registry.models / "again" / "champion" / "scaler.json"
    content = path.read_bytes()
    path.write_bytes(content[:50])
    try:
        assert registry.plan(run, dataset).base_version_id is None
        tune = run.config.model_copy(update={"training_mode": "fine_tune"})
        with pytest.raises(RegistryError, match="damaged"):
            registry.plan(run.model_copy(update={"config": tune}), dataset)
    finally:
        path.write_bytes(content)
