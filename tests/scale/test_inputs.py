from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.scale.averages import HALF_LIVES, MAX_VOLUME, MEMORY, decayed_sums
from roi_forecast.scale.inputs import INPUTS
from roi_forecast.scale.inputs import scale_inputs as compact_inputs
from roi_forecast.scale.market_rows import MarketRows

DATASET = synthetic_dataset(rows=160)
DAYS = 10
BALANCE = 23
VOLUME = 27


def scale_inputs(rows: MarketRows, next_date: np.datetime64 | None = None) -> np.ndarray:
    """All inputs of every row and asset, shape (rows, assets, INPUTS)."""
    inputs = compact_inputs(rows, next_date)
    return inputs.at(np.arange(inputs.shape[0])[:, np.newaxis], np.arange(inputs.shape[1]))


def average(values: np.ndarray, row: int, asset: int, half_life: int) -> float:
    """The weighted average before a row, term by term."""
    total = weights = 0.0
    for back in range(1, MEMORY + 1):
        if row - back >= 0 and not np.isnan(values[row - back, asset]):
            weight = 2 ** (-(back - 1) / half_life)
            total += weight * values[row - back, asset]
            weights += weight
    return float(np.log(total / weights + 0.0005))


@pytest.mark.parametrize("row", [70, 159])
def test_inputs_are_averages_of_the_rows_before(row: int) -> None:
    inputs = scale_inputs(DATASET)
    moves = np.where(DATASET.filled, np.nan, np.abs(DATASET.log_roi))
    assets = range(len(DATASET.symbols))
    for number, values in enumerate((moves, DATASET.true_range)):
        own = np.array([[average(values, row, a, half) for half in HALF_LIVES] for a in assets])
        first = 5 * number
        np.testing.assert_allclose(inputs[row, :, first : first + 3], own)
        market = (own[:, :2] - own[:, 2:]).mean(axis=0)
        for asset in assets:
            np.testing.assert_allclose(inputs[row, asset, first + 3 : first + 5], market)
    assert inputs.shape == (160, len(DATASET.symbols), INPUTS)


def test_an_input_is_the_log_of_the_days_since_the_row_before() -> None:
    np.testing.assert_allclose(np.exp(_four_sessions()[1:, 0, DAYS]), [1, 3, 2])


def test_the_last_inputs_tell_mondays_to_thursdays_apart() -> None:
    friday, monday, wednesday = _four_sessions()[1:, 0, -4:]
    assert friday.tolist() == [0, 0, 0, 0]
    assert monday.tolist() == [1, 0, 0, 0]
    assert wednesday.tolist() == [0, 0, 1, 0]


def _four_sessions() -> np.ndarray:
    dates = np.array(["2024-01-04", "2024-01-05", "2024-01-08"], dtype="datetime64[D]")
    cut = {
        name: getattr(DATASET, name)[:3] for name in ("log_roi", "true_range", "volume", "filled")
    }
    return scale_inputs(replace(DATASET, dates=dates, **cut), np.datetime64("2024-01-10"))


def test_assets_that_are_no_stocks_have_the_common_inputs_once_more() -> None:
    inputs = scale_inputs(replace(DATASET, symbols=("TCS.NS", "GC=F", "AAPL")))[1:]
    common, again = inputs[..., : DAYS + 1], inputs[..., DAYS + 1 : 2 * (DAYS + 1)]
    np.testing.assert_array_equal(again[:, 1], common[:, 1])
    assert not again[:, [0, 2]].any()
    assert inputs[..., 2 * (DAYS + 1)].tolist() == [[0, 1, 0]] * len(inputs)


@pytest.mark.parametrize("row", [4, 120])
def test_the_balance_of_falls_and_rises_is_that_of_the_rows_before(row: int) -> None:
    inputs = scale_inputs(DATASET)
    moves = np.where(DATASET.filled, 0.0, DATASET.log_roi)
    own = np.empty((3, 2))
    for asset in range(3):
        for number, half_life in enumerate((1, 5)):
            weights = [2 ** (-(back - 1) / half_life) for back in range(1, min(row, MEMORY) + 1)]
            before = [moves[row - back, asset] for back in range(1, min(row, MEMORY) + 1)]
            falls = -sum(weight * move for weight, move in zip(weights, before, strict=True))
            size = sum(weight * abs(move) for weight, move in zip(weights, before, strict=True))
            own[asset, number] = falls / size
    np.testing.assert_allclose(inputs[row, :, BALANCE : BALANCE + 2], own)
    market = np.broadcast_to(own.mean(axis=0), (3, 2))
    np.testing.assert_allclose(inputs[row, :, BALANCE + 2 : BALANCE + 4], market)


def test_falls_alone_give_a_balance_of_one_and_no_moves_of_zero() -> None:
    log_roi = np.tile([-0.01, 0.02, 0.0], (len(DATASET.dates), 1))
    nothing_filled = np.zeros_like(DATASET.filled)
    inputs = scale_inputs(replace(DATASET, log_roi=log_roi, filled=nothing_filled))
    np.testing.assert_allclose(inputs[50, :, BALANCE : BALANCE + 2], [[1, 1], [-1, -1], [0, 0]])


def unusual_volume(volume: np.ndarray, row: int, asset: int) -> float:
    """The log of the last volume over the weighted geometric mean of those before, term by term."""
    logs = [
        (2 ** (-(back - 2) / 5), np.log(volume[row - back, asset]))
        for back in range(2, MEMORY + 1)
        if row - back >= 0 and volume[row - back, asset] > 0
    ]
    usual = sum(weight * log for weight, log in logs) / sum(weight for weight, _ in logs)
    return float(np.clip(np.log(volume[row - 1, asset]) - usual, -MAX_VOLUME, MAX_VOLUME))


VOLUMES = np.exp(np.random.default_rng(6).normal(12, 1, DATASET.log_roi.shape))
VOLUMES[[3, 60, 90], 1] = np.nan, 0.0, -5.0


@pytest.mark.parametrize("row", [2, 40, 159])
def test_the_volume_is_that_of_the_row_before_over_its_usual(row: int) -> None:
    inputs = scale_inputs(replace(DATASET, volume=VOLUMES))
    own = [unusual_volume(VOLUMES, row, asset) for asset in range(3)]
    np.testing.assert_allclose(inputs[row, :, VOLUME], own)
    np.testing.assert_allclose(inputs[row, :, VOLUME + 1], np.mean(own))


@pytest.mark.parametrize("row", [4, 61, 91])
def test_an_asset_without_a_volume_on_the_last_row_has_none_of_its_own(row: int) -> None:
    inputs = scale_inputs(replace(DATASET, volume=VOLUMES))
    own = [unusual_volume(VOLUMES, row, asset) for asset in (0, 2)]
    np.testing.assert_allclose(inputs[row, :, VOLUME], [own[0], 0, own[1]])
    np.testing.assert_allclose(inputs[row, :, VOLUME + 1], np.mean(own))


def test_assets_that_are_no_stocks_have_no_volume() -> None:
    rows = replace(DATASET, symbols=("TCS.NS", "GC=F", "AAPL"), volume=VOLUMES)
    inputs = scale_inputs(rows)[120, :, VOLUME : VOLUME + 2]
    stocks = [unusual_volume(VOLUMES, 120, asset) for asset in (0, 2)]
    np.testing.assert_allclose(inputs[:, 0], [stocks[0], 0, stocks[1]])
    np.testing.assert_allclose(inputs[:, 1], np.mean(stocks))


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_a_wild_volume_counts_as_the_farthest_that_counts(factor: float) -> None:
    volume = VOLUMES.copy()
    volume[119, 0] *= factor
    found = scale_inputs(replace(DATASET, volume=volume))[120, 0, VOLUME]
    assert found == np.sign(np.log(factor)) * MAX_VOLUME


def test_without_any_volume_the_other_inputs_are_the_same_and_the_volumes_zero() -> None:
    nothing = np.full(VOLUMES.shape, np.nan)
    found = scale_inputs(replace(DATASET, volume=nothing))
    expected = scale_inputs(replace(DATASET, volume=VOLUMES))
    volumes = slice(VOLUME, VOLUME + 2)
    assert not found[1:, :, volumes].any()
    assert expected[2:, :, volumes].any()
    for inputs in (found, expected):
        inputs[..., volumes] = 0.0
    np.testing.assert_array_equal(found[1:], expected[1:])


@pytest.mark.parametrize("row", [1, 30, 120])
def test_no_row_from_the_forecast_one_on_is_read(row: int) -> None:
    changed = {}
    for name in ("log_roi", "true_range", "volume"):
        values = getattr(DATASET, name).copy()
        values[row:] = 1e6
        changed[name] = values
    filled = DATASET.filled.copy()
    filled[row:] ^= True
    wild: Dataset = replace(DATASET, filled=filled, **changed)
    np.testing.assert_array_equal(scale_inputs(wild)[: row + 1], scale_inputs(DATASET)[: row + 1])
    assert not np.allclose(scale_inputs(wild)[row + 1], scale_inputs(DATASET)[row + 1])


def test_what_lies_further_back_than_the_memory_does_not_matter() -> None:
    log_roi = DATASET.log_roi.copy()
    log_roi[:40] = 1e6
    found = scale_inputs(replace(DATASET, log_roi=log_roi))
    expected = scale_inputs(DATASET)
    np.testing.assert_array_equal(found[40 + MEMORY :], expected[40 + MEMORY :])
    assert not np.allclose(found[40 + MEMORY - 1], expected[40 + MEMORY - 1])


def test_an_asset_without_any_bar_takes_the_mean_of_the_others() -> None:
    filled, true_range = DATASET.filled.copy(), DATASET.true_range.copy()
    filled[:, 0], true_range[:, 0] = True, np.nan
    inputs = scale_inputs(replace(DATASET, filled=filled, true_range=true_range))[100]
    np.testing.assert_allclose(inputs[0, :3], inputs[1:, :3].mean(axis=0))
    assert np.isfinite(inputs).all()


RANGES = slice(5, 8)


def test_an_asset_without_ranges_takes_its_own_moves_enlarged_as_the_others_ranges_are() -> None:
    true_range = DATASET.true_range.copy()
    true_range[:, 0] = np.nan
    inputs = scale_inputs(replace(DATASET, true_range=true_range))
    complete = scale_inputs(DATASET)
    excess = (complete[1:, 1:, RANGES] - complete[1:, 1:, :3]).mean(axis=1)
    np.testing.assert_allclose(inputs[1:, 0, RANGES], complete[1:, 0, :3] + excess)
    np.testing.assert_array_equal(inputs[1:, 1:, RANGES], complete[1:, 1:, RANGES])
    shorter = complete[1:, 1:, 5:7] - complete[1:, 1:, 7:8]
    np.testing.assert_allclose(inputs[1:, 1, 8:10], shorter.mean(axis=1))


@pytest.mark.parametrize("factor", [1e-2, 1e2])
def test_ranges_of_an_asset_without_them_follow_its_own_moves(factor: float) -> None:
    true_range, log_roi = DATASET.true_range.copy(), DATASET.log_roi.copy()
    true_range[:, 0] = np.nan
    log_roi[:, 0] *= factor
    inputs = scale_inputs(replace(DATASET, true_range=true_range, log_roi=log_roi))[100]
    excess = inputs[:, RANGES] - inputs[:, :3]
    np.testing.assert_allclose(excess[0], excess[1:].mean(axis=0))


def test_without_any_range_all_take_their_moves() -> None:
    inputs = scale_inputs(replace(DATASET, true_range=np.full(DATASET.true_range.shape, np.nan)))
    np.testing.assert_allclose(inputs[1:, :, 5:10], inputs[1:, :, :5])
    assert np.isfinite(inputs[1:]).all()


def test_the_sum_of_inputs_times_slopes_is_that_of_the_inputs_one_by_one() -> None:
    rows = replace(DATASET, symbols=("TCS.NS", "GC=F", "AAPL"))
    slopes = np.random.default_rng(8).normal(size=INPUTS)
    found = compact_inputs(rows).times(slopes, slice(1, 90))
    np.testing.assert_allclose(found, scale_inputs(rows)[1:90] @ slopes, rtol=1e-12)


def test_inputs_do_not_depend_on_how_many_assets_are_worked_on_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = scale_inputs(DATASET)
    monkeypatch.setattr("roi_forecast.scale.inputs._ASSETS_AT_ONCE", 2)
    np.testing.assert_array_equal(scale_inputs(DATASET), expected)


@pytest.mark.parametrize("columns", [1, 40])
def test_a_sum_is_that_of_the_rows_before_term_by_term(columns: int) -> None:
    values = np.random.default_rng(3).normal(size=(30, columns))
    found = decayed_sums(values, (1, 5), 31, 8)
    for number, half_life in enumerate((1, 5)):
        for row in range(31):
            terms = [
                2 ** (-(back - 1) / half_life) * values[row - back]
                for back in range(1, min(row, 8) + 1)
            ]
            np.testing.assert_allclose(found[number, row], sum(terms, np.zeros(columns)))


def test_no_row_from_its_own_on_counts_and_none_beyond_the_memory() -> None:
    values = np.random.default_rng(3).normal(size=(30, 3))
    expected = decayed_sums(values, (22,), 30, 8)
    values[20:], values[:10] = 1e6, 1e6
    np.testing.assert_array_equal(decayed_sums(values, (22,), 30, 8)[:, 18:21], expected[:, 18:21])
