"""A search for hyperparameters: real PostgreSQL, real Optuna, a network that trains at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, select

from daily_run import NOW, SMALL_RUN
from roi_forecast.config import TuningConfig
from roi_forecast.database.tables import trials
from roi_forecast.errors import ConfigError, EvaluationError
from roi_forecast.features.build import build_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.market.checks.price_checks import check_prices
from roi_forecast.market.extraction import extract_prices
from roi_forecast.market.sources.registry import open_source
from roi_forecast.planning.resolve import resolve_tuning
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.settings import Settings
from roi_forecast.tuning.best_trials import best_trials, conclude_search
from roi_forecast.tuning.study import open_search, open_study
from roi_forecast.tuning.trial import run_trial, validation_r2

SEARCH: dict[str, Any] = {
    **{name: value for name, value in SMALL_RUN.items() if name != "seq_len"},
    "symbols": ["TCS.NS", "GC=F"],
    "study": "spring",
    "trials": 3,
    "tuned": ["learning_rate", "seq_len"],
    "seq_len_choices": [6, 12],
    "seq_len": 6,
}

Search = tuple[ResolvedRun, Dataset]


def begin(engine: Engine, settings: Settings, run_id: str, **changed: Any) -> Search:
    """Run the stages up to the dataset."""
    run = resolve_tuning(engine, settings, run_id, {**SEARCH, **changed}, now=NOW)
    source = open_source(run.config, settings)
    for symbol in run.extraction_symbols:
        extract_prices(engine, run, symbol, source, now=NOW)
    check_prices(engine, run)
    return run, build_dataset(engine, run, settings.datasets_directory)


def carry_out(engine: Engine, settings: Settings, search: Search) -> list[int]:
    """Run every missing trial; return their slots."""
    run, dataset = search
    slots = open_search(engine, run, dataset, lambda other: False)
    for slot in slots:
        run_trial(engine, run, dataset, slot, settings.tuning_directory)
    return slots


def stored(engine: Engine) -> dict[int, Any]:
    """Return the stored trials by number."""
    with engine.connect() as connection:
        return {row.trial: row for row in connection.execute(select(trials))}


def test_a_search_tries_the_runs_own_parameters_first_and_keeps_every_trial(
    market_engine: Engine, settings: Settings
) -> None:
    search = begin(market_engine, settings, "first")

    assert carry_out(market_engine, settings, search) == [0, 1, 2]

    found = stored(market_engine)
    assert sorted(found) == [0, 1, 2]
    assert found[0].parameters == {"learning_rate": 0.001, "seq_len": 6}
    assert len({json.dumps(row.parameters, sort_keys=True) for row in found.values()}) == 3
    best = best_trials(market_engine, "spring")
    assert [trial.validation_r2 for trial in best] == sorted(
        (row.validation_r2 for row in found.values() if row.state == "complete"), reverse=True
    )
    assert not any(settings.tuning_directory.rglob("*.keras"))

    # Again: nothing is missing. With more trials: only those.
    again = begin(market_engine, settings, "again")
    assert carry_out(market_engine, settings, again) == []
    more = begin(market_engine, settings, "more", trials=4)
    assert carry_out(market_engine, settings, more) == [3]
    assert stored(market_engine)[3].run_id == "more"


def test_no_test_row_is_read(market_engine: Engine, settings: Settings) -> None:
    run, dataset = begin(market_engine, settings, "run", trials=1)
    first = dataset.split.test.start
    wild = {}
    for name in ("scaled", "smoothed", "log_roi", "prices", "true_range", "gap", "volume"):
        values = getattr(dataset, name).copy()
        values[first:] = 1e6
        wild[name] = values
    assert dataset.context_symbols
    for name in ("context", "scaled_context"):
        values = getattr(dataset, name).copy()
        values[first:] = 1e6
        wild[name] = values
    open_search(market_engine, run, dataset, lambda other: False)
    with_future = run_trial(
        market_engine, run, replace(dataset, **wild), 0, settings.tuning_directory
    )
    other, same = begin(market_engine, settings, "other", trials=1, study="other")
    open_search(market_engine, other, same, lambda name: False)
    without = run_trial(market_engine, other, same, 0, settings.tuning_directory)
    assert with_future is not None
    assert without is not None
    assert with_future.validation_r2 == without.validation_r2


def test_a_trial_is_scored_by_its_best_epoch_even_if_a_run_would_not_keep_it(
    market_engine: Engine, settings: Settings
) -> None:
    def score(study: str, standard_errors: float, epochs: int) -> float:
        search = begin(
            market_engine,
            settings,
            study,
            study=study,
            trials=1,
            architecture="hybrid",
            epochs=epochs,
            learning_rate=0.01,
            improvement_standard_errors=standard_errors,
        )
        carry_out(market_engine, settings, search)
        (best,) = best_trials(market_engine, study)
        return best.validation_r2

    strict, lenient = score("strict", 10.0, 6), score("lenient", 0.0, 6)
    assert strict == lenient
    # It is not the score of the initial network, which 10 standard errors would keep.
    assert strict != score("short", 10.0, 1)


def test_a_study_of_other_data_or_other_parameters_is_refused(
    market_engine: Engine, settings: Settings
) -> None:
    run, dataset = begin(market_engine, settings, "first")
    open_search(market_engine, run, dataset, lambda other: False)
    for changed, named in (
        ({"as_of_date": "2024-12-20"}, "other dataset_id"),
        ({"dense_units": 16}, "other dense_units \\(dense_units was 8, is 16\\)"),
        ({"tuned": ["learning_rate"]}, "seq_len, .*tuned"),
    ):
        other, its_dataset = begin(market_engine, settings, "second", **changed)
        with pytest.raises(ConfigError, match=f"study: received 'spring'.*{named}"):
            open_search(market_engine, other, its_dataset, lambda name: False)


def test_a_trial_that_a_killed_worker_left_is_tried_again_with_its_parameters(
    market_engine: Engine, settings: Settings
) -> None:
    run, dataset = begin(market_engine, settings, "first", trials=2)
    assert open_search(market_engine, run, dataset, lambda other: False) == [0, 1]
    worker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            KILLED_WORKER,
            str(settings.datasets_directory / dataset.dataset_id),
        ],
        env={
            **os.environ,
            "ROI_DATABASE_URL": settings.database_url,
            "ROI_DATA_DIRECTORY": str(settings.data_directory),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )
    assert worker.wait() == -signal.SIGKILL
    assert stored(market_engine) == {}

    # Another run of the study takes over a dead run's trial, but not a living run's.
    second, same = begin(market_engine, settings, "second", trials=2)
    assert open_search(market_engine, second, same, lambda other: True) == [0, 1]
    assert open_search(market_engine, second, same, lambda other: False) == [0, 1]
    outcome = run_trial(market_engine, second, same, 0, settings.tuning_directory)

    assert outcome is not None
    assert outcome.parameters == {"learning_rate": 0.001, "seq_len": 6}
    assert stored(market_engine)[outcome.number].run_id == "second"


KILLED_WORKER = """
import os, signal, sys
from pathlib import Path
from roi_forecast.database.engine import create_database_engine
from roi_forecast.tuning.trial import run_trial
from roi_forecast.features.storage import load_dataset
from roi_forecast.network.training import progress as training_progress
from roi_forecast.runs.resolved_run import load_run
from roi_forecast.settings import Settings

saved = training_progress.save_state
def save_and_die(*arguments):
    saved(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
training_progress.save_state = save_and_die

settings = Settings.from_environment()
engine = create_database_engine(settings.database_url)
run = load_run(engine, "first")
run_trial(engine, run, load_dataset(Path(sys.argv[1])), 0, settings.tuning_directory)
"""


def test_a_trial_behind_the_median_is_pruned(market_engine: Engine, settings: Settings) -> None:
    run, dataset = begin(
        market_engine, settings, "run", trials=7, tuned=["learning_rate"], seq_len=6, epochs=5
    )
    open_search(market_engine, run, dataset, lambda other: False)
    assert run.tuning is not None
    study = open_study(market_engine, run.tuning, seed=0, slot=0)
    for number in range(6):
        trial = study.ask()
        trial.set_user_attr("owner", f"run/{number}")
        trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)
        for epoch in range(1, 6):
            trial.report(0.0, epoch)  # a validation loss of 0, which no training reaches
        study.tell(trial, 0.5)

    outcome = run_trial(market_engine, run, dataset, 6, settings.tuning_directory)

    assert outcome is not None
    assert outcome.validation_r2 is None
    row = stored(market_engine)[outcome.number]
    assert (row.state, row.epochs) == ("pruned", 3)


def test_a_trial_that_cannot_be_trained_counts_as_pruned_and_the_search_continues(
    market_engine: Engine, settings: Settings
) -> None:
    search = begin(market_engine, settings, "run", trials=1, outlier_limit=1.5)

    assert carry_out(market_engine, settings, search) == [0]

    assert stored(market_engine)[0].state == "pruned"
    with pytest.raises(EvaluationError, match="no trial of study 'spring' was scored"):
        conclude_search(market_engine, search[0])


def test_a_trial_whose_score_is_not_defined_counts_as_pruned(
    market_engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    run, dataset = begin(market_engine, settings, "first", trials=1)
    caplog.set_level("INFO")
    smoothed = dataset.smoothed.copy()
    smoothed[dataset.split.validation.start :] = 0.001
    assert carry_out(market_engine, settings, (run, replace(dataset, smoothed=smoothed))) == [0]
    assert stored(market_engine)[0].state == "pruned"
    assert "its validation R2 is undefined" in caplog.text


def test_the_score_is_the_mean_over_assets_of_their_r2_on_validation_rows(
    market_engine: Engine, settings: Settings
) -> None:
    _, dataset = begin(market_engine, settings, "run")
    part = dataset.split.validation
    generator = np.random.default_rng(0)
    actual = dataset.scaled[part.start : part.stop].astype(np.float64)
    forecast = actual + generator.normal(0, 0.05, actual.shape)
    by_hand = []
    for asset in range(actual.shape[1]):
        counted = ~dataset.filled[part.start : part.stop, asset]
        own, predicted = actual[counted, asset], forecast[counted, asset]
        by_hand.append(1 - ((predicted - own) ** 2).sum() / ((own - own.mean()) ** 2).sum())
    assert validation_r2(dataset, forecast) == pytest.approx(np.mean(by_hand), abs=1e-6)


def test_smoothing_cannot_be_searched() -> None:
    with pytest.raises(ValueError, match="smoothing"):
        TuningConfig(tuned=("smoothing",))  # type: ignore[arg-type]
