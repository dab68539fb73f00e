from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, column, delete, insert, select, table
from sqlalchemy.exc import IntegrityError

from daily_run import SMALL_RUN
from network.synthetic_dataset import with_wild_rows_from
from roi_forecast.backtest.files import networks_directory, plot_path
from roi_forecast.backtest.run import run_backtest, walk_through
from roi_forecast.database.tables import SCHEMA, evaluations, runs
from roi_forecast.errors import ConfigError, EvaluationError, PreflightError
from roi_forecast.evaluation import metrics
from roi_forecast.features.build import build_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.market.checks.price_checks import check_prices
from roi_forecast.market.extraction import extract_prices
from roi_forecast.market.sources.registry import open_source
from roi_forecast.planning.resolve import resolve_backtest, resolve_run
from roi_forecast.runs.resolved_run import ResolvedRun, load_run
from roi_forecast.settings import Settings

NOW = datetime(2025, 1, 15, 12, tzinfo=UTC)
LINEAR_ONLY: dict[str, Any] = {"predictors": ["linear"]}


def resolve(
    engine: Engine, settings: Settings, run_id: str = "backtest", **parameters: Any
) -> ResolvedRun:
    values = {**SMALL_RUN, **parameters}
    return resolve_backtest(engine, settings, run_id, values, now=NOW)


def prepare(engine: Engine, settings: Settings, **parameters: Any) -> tuple[ResolvedRun, Dataset]:
    run = resolve(engine, settings, **parameters)
    source = open_source(run.config, settings)
    for symbol in run.extraction_symbols:
        extract_prices(engine, run, symbol, source, now=NOW)
    check_prices(engine, run)
    return run, build_dataset(engine, run, settings.datasets_directory)


def folds(engine: Engine, run_id: str = "backtest") -> list[Any]:
    names = ("run_id", "fold", "predictor", "first_date", "last_date", "rows", "smoothed_r2")
    names += ("next_day_r2_against_zero", "rank_correlation_t", "coverage_80", "shrinkage")
    view = table("backtest_folds", *(column(name) for name in names), schema=SCHEMA)
    with engine.connect() as connection:
        return list(
            connection.execute(
                select(view).where(view.c.run_id == run_id).order_by(view.c.fold, view.c.predictor)
            )
        )


def test_network_and_linear_part_are_stored_fold_by_fold_with_their_peers(
    market_engine: Engine, settings: Settings
) -> None:
    run, dataset = prepare(market_engine, settings, max_network_folds=2, epochs=1)
    walks = run_backtest(market_engine, run, dataset, settings.backtests_directory)

    assert list(walks) == ["linear", "model", "zero", "persistence", "no_skill"]
    stored = folds(market_engine)
    assert {(row.fold, row.predictor) for row in stored} == {
        (fold, name) for fold in (0, 1, None) for name in walks
    }
    for row in stored:
        walk = walks[row.predictor]
        if row.fold is None:
            assert row.rows == np.isfinite(walk.actual_pct).sum()
            assert row.next_day_r2_against_zero == pytest.approx(
                metrics.r2_against_zero.together(walk.scored)
            )
            assert row.first_date == dataset.dates[dataset.split.test.start].item()
        else:
            assert row.first_date == walk.folds[row.fold].first_date
            assert row.last_date == walk.folds[row.fold].last_date
            assert row.shrinkage == walk.folds[row.fold].shrinkage
    networks = networks_directory(settings.backtests_directory)
    assert len(list(networks.iterdir())) == 2
    plot = plot_path(settings.backtests_directory, "backtest")
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert not list(plot.parent.glob("*.partial"))

    again = run.model_copy(update={"run_id": "again"})
    files = [path for path in networks.glob("*/*") if path.name != "last_use"]
    changed = {path: path.stat().st_mtime_ns for path in files}
    repeated = run_backtest(market_engine, again, dataset, settings.backtests_directory)
    np.testing.assert_array_equal(repeated["model"].smoothed, walks["model"].smoothed)
    assert {path: path.stat().st_mtime_ns for path in files} == changed


def test_second_call_replaces_the_figures_of_the_run(
    market_engine: Engine, settings: Settings
) -> None:
    run, dataset = prepare(market_engine, settings, **LINEAR_ONLY)
    run_backtest(market_engine, run, dataset, settings.backtests_directory)
    before = folds(market_engine)
    with market_engine.begin() as connection:
        connection.execute(delete(evaluations).where(evaluations.c.fold == 1))
    run_backtest(market_engine, run, dataset, settings.backtests_directory)
    assert folds(market_engine) == before


def test_no_figure_of_a_fold_depends_on_later_rows(
    market_engine: Engine, settings: Settings
) -> None:
    run, dataset = prepare(market_engine, settings, **LINEAR_ONLY)
    assert run.backtest is not None
    nowhere = settings.backtests_directory
    whole = walk_through(dataset, run.backtest, run.config, nowhere)
    end = whole["linear"].folds[1].targets.stop
    assert dataset.context_symbols
    wild = walk_through(with_wild_rows_from(dataset, end), run.backtest, run.config, nowhere)
    rows = slice(0, end - whole["linear"].targets.start)
    for name, walk in whole.items():
        np.testing.assert_array_equal(walk.published[rows], wild[name].published[rows])
        np.testing.assert_array_equal(walk.smoothed[rows], wild[name].smoothed[rows])
        for mine, other in zip(walk.intervals, wild[name].intervals, strict=True):
            np.testing.assert_array_equal(mine.lower[rows], other.lower[rows])


def test_rolling_window_and_refit_reach_the_walk(market_engine: Engine, settings: Settings) -> None:
    run, dataset = prepare(
        market_engine, settings, **LINEAR_ONLY, window_sessions=120, refit_every=10
    )
    assert run.backtest is not None
    rolling = walk_through(dataset, run.backtest, run.config, settings.backtests_directory)
    assert [len(fold.targets) for fold in rolling["linear"].folds[:2]] == [10, 10]
    expanding = run.backtest.model_copy(update={"window_sessions": None})
    other = walk_through(dataset, expanding, run.config, settings.backtests_directory)
    # The linear part goes through time; the mean that is known to a fold is that of its window.
    means = [walks["linear"].known_mean_pct for walks in (rolling, other)]
    assert not np.array_equal(*means)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"first_target_date": "2024-12-20"}, "leaves 5 sessions to forecast up to 2024-12-27"),
        ({"first_target_date": "2023-07-20"}, "leave no training or validation windows"),
        ({"window_sessions": 30}, "take a longer rolling window"),
    ],
)
def test_range_without_enough_rows_is_one_error_before_any_training(
    market_engine: Engine, settings: Settings, parameters: dict[str, Any], message: str
) -> None:
    run, dataset = prepare(market_engine, settings, predictors=["model"], **parameters)
    with pytest.raises(EvaluationError, match=message):
        run_backtest(market_engine, run, dataset, settings.backtests_directory)
    assert folds(market_engine) == []
    assert not settings.backtests_directory.exists()


@pytest.mark.parametrize("first", ["2023-07-03", "2025-01-03"])
def test_first_target_outside_the_prices_is_refused_before_any_work(
    market_engine: Engine, settings: Settings, first: str
) -> None:
    with pytest.raises(
        ConfigError, match=f"first_target_date: received {first}; it must (not )?lie"
    ):
        resolve(market_engine, settings, first_target_date=first)
    with market_engine.connect() as connection:
        assert connection.scalar(select(runs.c.run_id)) is None


def test_backtest_claims_no_model_name_and_keeps_its_parameters(
    market_engine: Engine, settings: Settings
) -> None:
    first = resolve(market_engine, settings, "first", refit_every=10)
    second = resolve(market_engine, settings, "second")
    assert load_run(market_engine, "first") == first
    assert first.backtest is not None
    assert first.backtest.refit_every == 10
    assert second.model_name == first.model_name
    daily = resolve_run(market_engine, settings, "daily", SMALL_RUN, lambda other: True, now=NOW)
    assert daily.backtest is None


def test_run_id_of_a_daily_run_is_refused(market_engine: Engine, settings: Settings) -> None:
    daily = resolve_run(market_engine, settings, "mine", SMALL_RUN, lambda other: True, now=NOW)
    with pytest.raises(PreflightError, match="'mine', which belongs to a daily run"):
        resolve(market_engine, settings, "mine")
    assert load_run(market_engine, "mine") == daily


def test_daily_run_cannot_be_walked_through(market_engine: Engine, settings: Settings) -> None:
    run, dataset = prepare(market_engine, settings, **LINEAR_ONLY)
    daily = run.model_copy(update={"backtest": None})
    with pytest.raises(EvaluationError, match="is a daily run"):
        run_backtest(market_engine, daily, dataset, settings.backtests_directory)


@pytest.mark.parametrize("split", ["test", "live"])
def test_only_a_backtest_may_have_figures_without_a_version(
    market_engine: Engine, settings: Settings, split: str
) -> None:
    run, dataset = prepare(market_engine, settings, **LINEAR_ONLY)
    day = dataset.dates[-1].item()
    row = {
        "run_id": run.run_id,
        "version_id": None,
        "dataset_id": dataset.dataset_id,
        "predictor": "linear",
        "target": "next_day_pct",
        "split": split,
        "first_date": day,
        "last_date": day,
        "rows": 1,
        "metric": "mae",
        "value": 1.0,
    }
    with pytest.raises(IntegrityError, match="version_or_backtest"), market_engine.begin() as wrong:
        wrong.execute(insert(evaluations), row)
    with market_engine.begin() as right:
        right.execute(insert(evaluations), {**row, "split": "backtest"})
    with pytest.raises(IntegrityError, match="one_value"), market_engine.begin() as again:
        again.execute(insert(evaluations), {**row, "split": "backtest"})
