"""One asset whose price stands still must not change the bounds of the others by one hundredth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, select

from daily_run import Outcome, carry_out
from databases import REAL_PRICES
from roi_forecast.backtest.walk_forward import walk_forward
from roi_forecast.config import FeatureConfig, MultiStep
from roi_forecast.database.tables import evaluations, gate_decisions, model_versions, predictions
from roi_forecast.features.build import align_moving_rows, assemble_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.rows import align_rows
from roi_forecast.forecaster.calibration import METHODS
from roi_forecast.forecaster.forecaster import Forecaster
from roi_forecast.forecaster.through_time import ThroughTime
from roi_forecast.market.sources.csv_files import CsvSource
from roi_forecast.settings import Settings
from roi_forecast.tuning.trial import validation_r2
from roi_forecast.universe import load_universe

CASES = REAL_PRICES.parents[1] / "cases"
CONSTANT, SUSPENDED = CASES / "constant_asset_2.5y.csv", CASES / "suspended_asset_2.5y.csv"
OTHERS = ("AAA", "BBB", "CCC", "DDD")
START, LAST = date(2022, 1, 3), date(2024, 6, 28)
PRICES = ["open", "high", "low", "close", "adj_close"]
HORIZONS = 30


def read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        pytest.skip(f"the case is not at {path}")
    source = CsvSource("csv:case", path)
    assets = load_universe().select((*OTHERS, "EEE"))
    return pd.concat(
        [source.fetch(asset, START, LAST).bars.assign(symbol=asset.symbol) for asset in assets],
        ignore_index=True,
    )


def dataset_of(bars: pd.DataFrame, *, leave_out_still: bool = True) -> Dataset:
    assets = load_universe().select(tuple(bars["symbol"].unique()))
    config = FeatureConfig()
    if leave_out_still:
        rows, _ = align_moving_rows(bars, assets, START, LAST, config)
    else:
        rows = align_rows(bars, assets, START, LAST, 0.1)
    return assemble_dataset(rows, config, "csv:case", Path())


def bounds(dataset: Dataset, method: MultiStep) -> np.ndarray:
    """Published bounds of every horizon, shape (horizons, levels, 2, test rows, assets)."""
    forecaster = Forecaster.fit(dataset, None, ThroughTime.fit(dataset, 250))
    horizons = range(1, HORIZONS + 1)
    found = forecaster.forecast(dataset, dataset.split.test, horizons, method).intervals
    return np.array([[[each.lower, each.upper] for each in levels] for levels in found])


def with_prices(bars: pd.DataFrame, prices: dict[str, Callable[[int], np.ndarray]]) -> pd.DataFrame:
    changed = bars.copy()
    for symbol, of_rows in prices.items():
        own = changed["symbol"] == symbol
        changed.loc[own, PRICES] = np.tile(of_rows(int(own.sum()))[:, np.newaxis], len(PRICES))
    return changed


def constant(rows: int) -> np.ndarray:
    return np.full(rows, 1000.0)


def tick(rows: int) -> np.ndarray:
    walk = 0.0004 * np.exp(np.random.default_rng(1).normal(0, 0.03, rows).cumsum())
    return np.maximum(np.round(walk, 4), 0.0001)


def halted(rows: int) -> np.ndarray:
    walk = 50 * np.exp(np.random.default_rng(2).normal(0, 0.02, rows).cumsum())
    walk[100:400] = walk[100]
    return walk


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "still",
    [
        {},
        {"EEE": tick},
        {"EEE": halted},
        {"DDD": halted, "EEE": tick},
        {"BBB": constant, "CCC": tick, "DDD": halted},
    ],
    ids=["constant", "ticks of 0.0001", "long halt", "several", "all but one"],
)
def test_bounds_of_all_horizons_are_those_without_the_still_assets(
    still: dict[str, Callable[[int], np.ndarray]], method: MultiStep
) -> None:
    bars = with_prices(read(CONSTANT), still)
    others = [symbol for symbol in OTHERS if symbol not in still]
    together, alone = dataset_of(bars), dataset_of(bars[bars["symbol"].isin(others)])
    assert together.symbols == tuple(others)
    found, expected = bounds(together, method), bounds(alone, method)
    widths, expected_widths = (each[:, :, 1] - each[:, :, 0] for each in (found, expected))
    np.testing.assert_allclose(widths, expected_widths, rtol=0.01)
    np.testing.assert_allclose(found, expected, atol=0.01 * expected_widths.min())
    # Not wide by some other fault: the case was spoiled to twice these widths and more.
    assert 3.0 < widths[0, 0].mean() < 5.0


def test_a_walk_forward_is_that_without_the_still_asset() -> None:
    bars = read(CONSTANT)
    first = date(2024, 1, 2)
    found = walk_forward(dataset_of(bars), first)
    expected = walk_forward(dataset_of(bars[bars["symbol"] != "EEE"]), first)
    assert [fold.shrinkage for fold in found.folds] == [fold.shrinkage for fold in expected.folds]
    for one, other in zip(found.intervals, expected.intervals, strict=True):
        np.testing.assert_allclose(one.upper - one.lower, other.upper - other.lower, rtol=0.01)


def test_a_fold_before_an_asset_first_moved_is_as_without_it() -> None:
    bars = read(CONSTANT)
    # It stands still until all folds are done, so each fold alone has to see to it.
    dataset = dataset_of(bars, leave_out_still=False)
    first = dataset.dates[-60].item()
    found = walk_forward(dataset, first)
    expected = walk_forward(dataset.of_columns(range(len(OTHERS))), first)
    np.testing.assert_allclose(
        [fold.shrinkage for fold in found.folds], [fold.shrinkage for fold in expected.folds]
    )
    for one, other in zip(found.intervals, expected.intervals, strict=True):
        widths = (one.upper - one.lower)[:, : len(OTHERS)]
        np.testing.assert_allclose(widths, other.upper - other.lower, rtol=0.01)


def test_an_asset_that_halts_keeps_the_bounds_of_its_own_history() -> None:
    found = bounds(dataset_of(read(SUSPENDED)), "direct")
    widths = (found[:, 0, 1] - found[:, 0, 0]).mean(axis=1)
    # Its sessions before the halt were like those of the others.
    own, others = widths[:, -1], widths[:, : len(OTHERS)]
    assert (own > 0.8 * others.min(axis=1)).all()
    assert (own < 1.25 * others.max(axis=1)).all()


def test_a_trial_is_scored_without_the_asset_that_did_not_move() -> None:
    dataset = dataset_of(read(SUSPENDED))
    validation = dataset.split.validation
    filled = dataset.filled.copy()
    log_roi, smoothed = dataset.log_roi.copy(), dataset.smoothed.copy()
    log_roi[:, -1] = smoothed[:, -1] = 0.1
    still = replace(dataset, filled=filled & False, log_roi=log_roi, smoothed=smoothed)
    forecast = np.random.default_rng(0).normal(0.5, 0.1, (len(validation), 5))
    others = still.of_columns(range(len(OTHERS)))
    assert validation_r2(still, forecast) == pytest.approx(
        validation_r2(others, forecast[:, : len(OTHERS)])
    )


def parameters(path: Path, symbols: tuple[str, ...]) -> dict[str, Any]:
    return {
        "source": "csv",
        "csv_path": str(path),
        "symbols": symbols,
        "start_date": str(START),
        "as_of_date": str(LAST),
        "horizons": (1, 5),
        "gate_override_reason": "an asset that stands still",
    }


def run_case(engine: Engine, settings: Settings, path: Path, symbols: tuple[str, ...]) -> Outcome:
    if not path.is_file():
        pytest.skip(f"the case is not at {path}")
    chosen = {**parameters(path, symbols), "model_name": f"with-{len(symbols)}"}
    return carry_out(engine, settings, f"run-{len(symbols)}", chosen)


def test_a_run_publishes_what_it_would_without_the_constant_asset(
    market_engine: Engine, settings: Settings
) -> None:
    runs = [
        run_case(market_engine, settings, CONSTANT, symbols)
        for symbols in ((*OTHERS, "EEE"), OTHERS)
    ]
    assert all(run.verdict.promoted for run in runs)
    bound = predictions.c
    published = [
        [
            tuple(row)
            for row in connection.execute(
                select(
                    bound.symbol,
                    bound.horizon,
                    bound.predicted_roi_pct,
                    bound.lower_80_pct,
                    bound.upper_80_pct,
                    bound.lower_95_pct,
                    bound.upper_95_pct,
                )
                .where(bound.version_id == run.version_id)
                .order_by(bound.symbol, bound.horizon)
            )
        ]
        for run in runs
        for connection in [market_engine.connect()]
    ]
    assert published[0] == published[1]
    assert [row[0] for row in published[0][::2]] == list(OTHERS)


def test_a_run_leaves_the_suspended_asset_out_of_overall_figures_by_name(
    market_engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    run = run_case(market_engine, settings, SUSPENDED, (*OTHERS, "EEE"))
    assert run.verdict.promoted, run.verdict.reason
    with market_engine.connect() as connection:
        figures = connection.scalar(
            select(model_versions.c.metrics).where(model_versions.c.version_id == run.version_id)
        )
        by_asset = dict(
            connection.execute(
                select(evaluations.c.symbol, evaluations.c.value).where(
                    evaluations.c.version_id == run.version_id,
                    evaluations.c.predictor == "model",
                    evaluations.c.target == "smoothed_scaled",
                    evaluations.c.split == "test",
                    evaluations.c.metric == "r2",
                )
            ).all()
        )
        reasons = connection.scalars(
            select(gate_decisions.c.reason).where(gate_decisions.c.run_id == run.run.run_id)
        ).all()
    assert figures is not None
    assert by_asset["EEE"] is None
    assert figures["r2"] == pytest.approx(np.mean([by_asset[symbol] for symbol in OTHERS]))
    assert set(figures["left_out"]["r2"]) == {"EEE"}
    assert "without EEE (none of its rows counts: no bar or open, or halted)" in caplog.text
    assert sum("; without EEE (" in reason for reason in reasons) >= 2
    assert not any("nan" in reason for reason in reasons)
