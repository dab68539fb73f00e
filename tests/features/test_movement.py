"""Prices that do not move: a price that is halted, and an asset that cannot be forecast at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, column, select, table

from daily_run import prepare
from roi_forecast.config import parse_run_config
from roi_forecast.errors import DatasetError
from roi_forecast.features.build import align_moving_rows, assemble_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.leakage import audit_dataset
from roi_forecast.features.movement import HALT_SESSIONS, halted_rows, measure_movement
from roi_forecast.features.rows import align_rows
from roi_forecast.settings import Settings

from .prices import AS_OF, ASSETS, START, simulated_bars

CONFIG = parse_run_config({"seq_len": 12})
PRICES = ["high", "low", "close", "adj_close"]
STILL, GOLD = "INFY.NS", "GC=F"
GENERATOR = np.random.default_rng(4)


def with_prices(symbol: str, prices: Callable[[int], np.ndarray]) -> pd.DataFrame:
    """All prices of an asset are replaced, open, high, low and close alike."""
    bars = simulated_bars()
    own = bars["symbol"] == symbol
    bars.loc[own, PRICES] = np.tile(prices(int(own.sum()))[:, np.newaxis], len(PRICES))
    return bars


def dataset_of(bars: pd.DataFrame, symbols: tuple[str, ...] | None = None) -> Dataset:
    assets = [asset for asset in ASSETS if symbols is None or asset.symbol in symbols]
    own = bars[bars["symbol"].isin([asset.symbol for asset in assets])]
    rows, _ = align_moving_rows(own, assets, START, AS_OF, CONFIG)
    return assemble_dataset(rows, CONFIG, "simulated", Path())


def require_same(found: Dataset, expected: Dataset) -> None:
    assert found.dataset_id == expected.dataset_id
    for field in fields(Dataset):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other)
    assert found.scaler.to_json() == expected.scaler.to_json()


def tick(rows: int) -> np.ndarray:
    walk = 0.0004 * np.exp(np.random.default_rng(1).normal(0, 0.03, rows).cumsum())
    return np.maximum(np.round(walk, 4), 0.0001)


def one_blip(rows: int) -> np.ndarray:
    return np.where(np.arange(rows) == 70, 1.02, 1.0)


def long_halt(rows: int) -> np.ndarray:
    walk = 50 * np.exp(np.random.default_rng(2).normal(0, 0.02, rows).cumsum())
    walk[20:160] = walk[20]
    return walk


STILL_PRICES = {
    "constant": lambda rows: np.full(rows, 1000.0),
    "ticks of 0.0001": tick,
    "long halt": long_halt,
    "one blip": one_blip,
    "steady growth": lambda rows: 1.0001 ** np.arange(rows),
    "steady growth, 4 decimals": lambda rows: np.round(1000 * 1.0001 ** np.arange(rows), 4),
    "fast steady growth": lambda rows: 1.01 ** np.arange(rows),
    "a money market fund": lambda rows: np.exp(
        np.random.default_rng(3).normal(1e-4, 3e-5, rows).cumsum()
    ),
}


@settings(max_examples=80)
@given(st.lists(st.sampled_from([1.0, 1.0, 1.0, 1.0 + 1e-9, 1.001]), max_size=40))
def test_a_price_is_halted_from_the_fifth_session_without_a_move(growth: list[float]) -> None:
    prices = np.cumprod([3.0, *growth])[:, np.newaxis]
    unmoved, expected = 0, [False]
    for step in growth:
        unmoved = 0 if step == 1.001 else unmoved + 1
        expected.append(unmoved >= HALT_SESSIONS)
    assert halted_rows(prices)[:, 0].tolist() == expected


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(0, 100))
def test_no_later_price_decides_whether_a_row_is_halted(known: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    moves = generator.random((60, 3)) < 0.2
    prices = 10 * np.exp(np.where(moves, 0.01, 0.0).cumsum(axis=0))
    np.testing.assert_array_equal(halted_rows(prices[:known]), halted_rows(prices)[:known])


def test_a_price_that_has_not_begun_is_not_halted() -> None:
    prices = np.full((20, 1), np.nan)
    prices[12:] = 5.0
    assert halted_rows(prices)[:, 0].tolist() == [False] * (13 + HALT_SESSIONS - 1) + [True] * 3


@pytest.mark.parametrize("zero_share", [0.0, 0.2, 0.4])
def test_an_asset_that_moves_on_most_rows_suffices(zero_share: float) -> None:
    moves = GENERATOR.normal(0, 0.01, (400, 1)) * (GENERATOR.random((400, 1)) >= zero_share)
    movement = measure_movement(moves)
    assert movement.suffices.all()
    assert movement.shares[0] == pytest.approx((np.abs(moves) > 0.0005).mean(), abs=0.1)


@pytest.mark.parametrize("prices", STILL_PRICES.values(), ids=STILL_PRICES)
def test_an_asset_that_does_not_move_is_named_and_the_rest_is_as_without_it(
    prices: Callable[[int], np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    bars = with_prices(STILL, prices)
    found = dataset_of(bars)
    assert STILL not in found.symbols
    require_same(found, dataset_of(bars, tuple({"RELIANCE.NS", "TCS.NS", GOLD})))
    assert f"{STILL}: its price moves by more than 0.05 %" in caplog.text


def test_a_still_asset_that_starts_late_costs_the_others_no_row() -> None:
    bars = with_prices(STILL, lambda rows: np.full(rows, 7.0))
    first = bars["trading_date"].min() + pd.Timedelta(days=20)
    bars = bars[(bars["symbol"] != STILL) | (bars["trading_date"] >= first)]
    require_same(dataset_of(bars), dataset_of(bars, ("RELIANCE.NS", "TCS.NS", GOLD)))


def test_all_assets_but_one_may_be_still() -> None:
    bars = simulated_bars()
    for symbol in ("RELIANCE.NS", STILL, GOLD):
        bars.loc[bars["symbol"] == symbol, PRICES] = 100.0
    require_same(dataset_of(bars), dataset_of(bars, ("TCS.NS",)))


def test_prices_that_are_all_still_are_refused_by_name() -> None:
    bars = simulated_bars()
    bars[PRICES] = 100.0
    with pytest.raises(DatasetError, match=r"no price moves enough.*RELIANCE\.NS.*GC=F"):
        dataset_of(bars)


def test_only_training_rows_decide_which_assets_move() -> None:
    bars = simulated_bars()
    last = dataset_of(bars)
    training_ends = pd.Timestamp(last.dates[last.split.train.stop - 1])
    later, is_gold = bars["trading_date"] > training_ends, bars["symbol"] == GOLD
    # On 60 % of the training rows, which is less than half of all rows.
    training = np.flatnonzero(is_gold & ~later)
    halts_early = (
        bars["trading_date"] > bars["trading_date"].iloc[training[int(0.6 * len(training))]]
    )
    moves_later = bars.copy()
    moves_later.loc[is_gold & ~later, PRICES] = 100.0
    halts_later = bars.copy()
    halts_later.loc[is_gold & halts_early, PRICES] = 100.0
    assert GOLD not in dataset_of(moves_later).symbols
    assert GOLD in dataset_of(halts_later).symbols


def test_rows_of_a_halt_say_as_little_as_rows_without_a_bar() -> None:
    bars = simulated_bars()
    dates = np.sort(bars.loc[bars["symbol"] == STILL, "trading_date"].unique())[40:70]
    own = (bars["symbol"] == STILL) & bars["trading_date"].isin(dates)
    price = bars.loc[own, "close"].iloc[0]
    halted = bars.copy()
    halted.loc[own, PRICES] = price
    unchanged = bars[~own | (bars["trading_date"] < dates[HALT_SESSIONS])].copy()
    unchanged.loc[own, PRICES] = price
    require_same(dataset_of(halted), dataset_of(unchanged))
    found = dataset_of(halted)
    column_of_still = found.symbols.index(STILL)
    assert found.filled[:, column_of_still].sum() == 30 - HALT_SESSIONS


def test_the_audit_finds_nothing_in_a_halt_and_a_row_marked_before_it_could_be_known() -> None:
    bars = with_prices(STILL, long_halt)
    rows = align_rows(bars, ASSETS, START, AS_OF, 0.1)
    dataset = assemble_dataset(rows, CONFIG, "simulated", Path())
    assert audit_dataset(dataset, bars, AS_OF).findings == ()
    halted = dataset.filled[:, dataset.symbols.index(STILL)]
    first = int(halted.argmax())
    halted[first - 1] = True
    named = [found.check_name for found in audit_dataset(dataset, bars, AS_OF).findings]
    assert "filling" in named


@pytest.mark.parametrize("scaler", ["minmax", "standard"])
@pytest.mark.parametrize("decimals", [2, 4, 6, 8, 10, 12, None])
@pytest.mark.parametrize("rate", [1e-5, 1e-4, 1e-2])
def test_steady_growth_however_rounded_raises_no_alarm_of_a_leak(
    scaler: str, decimals: int | None, rate: float
) -> None:
    bars = simulated_bars()
    own = bars["symbol"] == STILL
    growth = 100 * (1 + rate) ** np.arange(own.sum())
    growth = growth if decimals is None else np.round(growth, decimals)
    bars.loc[own, PRICES] = np.tile(growth[:, np.newaxis], len(PRICES))
    # Not by `align_moving_rows`, which would leave it out: a fold may hold such rows.
    rows = align_rows(bars, ASSETS, START, AS_OF, 0.1)
    config = parse_run_config({"seq_len": 12, "scaler": scaler})
    dataset = assemble_dataset(rows, config, "simulated", Path())
    assert audit_dataset(dataset, bars, AS_OF).findings == ()


def test_a_run_names_a_still_asset_among_its_failed_checks(
    market_engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    bars = with_prices(STILL, lambda rows: np.full(rows, 1000.0))
    bars["open"], bars["volume"] = bars["close"], 1
    bars = bars.rename(columns={"trading_date": "date"})
    bars.to_csv(tmp_path / "prices.csv", index=False)
    run, dataset = prepare(
        market_engine,
        settings,
        "run",
        {
            "source": "csv",
            "csv_path": str(tmp_path / "prices.csv"),
            "start_date": str(START),
            "as_of_date": str(AS_OF),
        },
    )
    assert STILL not in dataset.symbols
    view = table(
        "failed_price_checks",
        *(column(name) for name in ("run_id", "symbol", "check_name", "observed", "message")),
        schema="roi",
    )
    with market_engine.connect() as connection:
        found = connection.execute(
            select(view.c.symbol, view.c.observed, view.c.message).where(
                view.c.run_id == run.run_id, view.c.check_name == "movement"
            )
        ).one()
    assert (found.symbol, found.observed) == (STILL, 0.0)
    assert "has no forecast" in found.message
