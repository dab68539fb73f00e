from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.features.dataset import Dataset

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from interval_peers import ewma_scale, har_scale

DATASET = synthetic_dataset(rows=160, assets=2)
REFITS = [100, 130]


@pytest.mark.parametrize("peer", [ewma_scale, lambda dataset: har_scale(dataset, REFITS)])
@pytest.mark.parametrize("row", [100, 120, 130])
def test_no_peer_reads_its_target_or_a_later_row(
    peer: Callable[[Dataset], np.ndarray], row: int
) -> None:
    generator = np.random.default_rng(3)
    log_roi, true_range = DATASET.log_roi.copy(), DATASET.true_range.copy()
    log_roi[row:] = generator.normal(0, 0.3, log_roi[row:].shape)
    true_range[row:] = 0.5
    wild = replace(DATASET, log_roi=log_roi, true_range=true_range)
    found, expected = peer(wild), peer(DATASET)
    np.testing.assert_array_equal(found[: row + 1], expected[: row + 1])
    assert not np.array_equal(found[row + 1 :], expected[row + 1 :])


def test_ewma_is_the_recursion_written_out() -> None:
    squares = np.where(DATASET.filled, np.nan, DATASET.log_roi) ** 2
    state = np.nanmean(squares[:22, 0])
    for row in range(22, 100):
        if not np.isnan(squares[row, 0]):
            state = 0.97 * state + 0.03 * squares[row, 0]
    assert ewma_scale(DATASET)[100, 0] == pytest.approx(np.sqrt(state))


def test_har_is_least_squares_on_three_means_of_each_measure() -> None:
    dataset = replace(DATASET, filled=np.zeros_like(DATASET.filled))
    dataset = replace(dataset, true_range=np.abs(DATASET.log_roi) + 0.01)
    measures = np.abs(dataset.log_roi), dataset.true_range

    def regressors(row: int, asset: int) -> list[float]:
        return [
            np.log(values[row - span : row, asset].mean() + 0.0005)
            for values in measures
            for span in (1, 5, 22)
        ]

    places = [(row, asset) for row in range(22, 100) for asset in range(2)]
    oracle = LinearRegression().fit(
        [regressors(*place) for place in places],
        [np.log(measures[0][place] + 0.0005) for place in places],
    )
    expected = np.exp(oracle.predict([regressors(110, 1)])[0])
    assert har_scale(dataset, REFITS)[110, 1] == pytest.approx(expected)
