from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.forecaster.calibration import METHODS

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from horizon_accuracy import HORIZONS, horizon_tables
from horizon_walk import HorizonWalk, walk_horizons

DATASET = synthetic_dataset(rows=330)
FIRST = 270
FIRST_DATE: date = DATASET.dates[FIRST].item()


@pytest.fixture(scope="module")
def walk() -> HorizonWalk:
    return walk_horizons(DATASET, FIRST_DATE, horizons=6)


def with_wild_rows_from(row: int) -> Dataset:
    generator = np.random.default_rng(3)
    changed = {}
    for name in ("log_roi", "smoothed", "true_range", "scaled", "scaled_log_roi"):
        values = getattr(DATASET, name).copy()
        values[row:] = generator.uniform(0.1, 0.4, values[row:].shape)
        changed[name] = values
    return replace(DATASET, **changed)


@pytest.mark.parametrize("row", [FIRST + 12, FIRST + 21])
def test_no_forecast_reads_its_own_row_or_a_later_one(walk: HorizonWalk, row: int) -> None:
    wild = walk_horizons(with_wild_rows_from(row), FIRST_DATE, horizons=6)
    known = slice(0, row - FIRST + 1)
    for method in METHODS:
        np.testing.assert_array_equal(
            wild.published[method][:, known], walk.published[method][:, known]
        )
        for before, after in zip(walk.intervals[method], wild.intervals[method], strict=True):
            for one, other in zip(before, after, strict=True):
                np.testing.assert_array_equal(one.upper[known], other.upper[known])
    assert not np.array_equal(
        wild.intervals["direct"][5][0].upper, walk.intervals["direct"][5][0].upper
    )


def test_peers_stand_around_the_direct_forecasts(walk: HorizonWalk) -> None:
    middle = walk.published["direct"]
    for peer in (walk.constant, walk.root_of_time):
        for horizon, bounds in enumerate(peer):
            for each in bounds:
                logs = np.log1p(each.lower / 100) + np.log1p(each.upper / 100)
                np.testing.assert_allclose(logs / 2, middle[horizon], atol=1e-9)
    nearest, farthest = walk.root_of_time[0][0], walk.root_of_time[3][0]
    half = [np.log1p(each.upper / 100) - np.log1p(each.lower / 100) for each in (nearest, farthest)]
    np.testing.assert_allclose(half[1], 2 * half[0])


def test_the_tables_hold_every_horizon_and_both_ways() -> None:
    lines = horizon_tables(DATASET, FIRST_DATE)
    for horizon in HORIZONS:
        for method in METHODS:
            assert sum(line.startswith(f"| {horizon} | {method} |") for line in lines) == 3
