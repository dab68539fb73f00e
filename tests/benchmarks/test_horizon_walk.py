from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset, with_wild_rows_from
from roi_forecast.forecaster.calibration import METHODS

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from horizon_accuracy import horizon_tables
from horizon_walk import HorizonWalk, walk_horizons

DATASET = synthetic_dataset(rows=330)
FIRST = 270
FIRST_DATE: date = DATASET.dates[FIRST].item()
HORIZONS = (1, 4, 6)


@pytest.fixture(scope="module")
def walk() -> HorizonWalk:
    return walk_horizons(DATASET, FIRST_DATE, HORIZONS)


@pytest.mark.parametrize("row", [FIRST + 12, FIRST + 21])
def test_no_forecast_reads_its_own_row_or_a_later_one(walk: HorizonWalk, row: int) -> None:
    wild = walk_horizons(with_wild_rows_from(DATASET, row), FIRST_DATE, HORIZONS)
    known = slice(0, row - FIRST + 1)
    for horizon in HORIZONS:
        for method in METHODS:
            np.testing.assert_array_equal(
                wild.log_roi(method, horizon)[known], walk.log_roi(method, horizon)[known]
            )
            pairs = zip(
                (*walk.intervals(method, horizon), *walk.garch[horizon]),
                (*wild.intervals(method, horizon), *wild.garch[horizon]),
                strict=True,
            )
            for one, other in pairs:
                np.testing.assert_array_equal(one.upper[known], other.upper[known])
    assert not np.array_equal(
        wild.intervals("direct", 6)[0].upper, walk.intervals("direct", 6)[0].upper
    )


def test_the_root_of_time_stands_around_the_direct_forecasts(walk: HorizonWalk) -> None:
    for horizon in HORIZONS:
        for each in walk.root_of_time[horizon]:
            logs = np.log1p(each.lower / 100) + np.log1p(each.upper / 100)
            np.testing.assert_allclose(logs / 2, walk.log_roi("direct", horizon), atol=1e-9)
    nearest, farther = walk.root_of_time[1][0], walk.root_of_time[4][0]
    half = [np.log1p(each.upper / 100) - np.log1p(each.lower / 100) for each in (nearest, farther)]
    np.testing.assert_allclose(half[1], 2 * half[0])


def test_the_tables_hold_every_horizon_and_both_ways(walk: HorizonWalk) -> None:
    lines = horizon_tables(walk)
    for horizon in HORIZONS:
        for method in METHODS:
            assert sum(line.startswith(f"| {horizon} | {method} |") for line in lines) == 3
