from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.features.returns import log_roi_ahead
from roi_forecast.forecaster.shrinkage import horizon_shrinkage, shrinkage_factor

DATASET = synthetic_dataset(rows=400)
TEST = DATASET.split.test


def test_shrinkage_is_the_factor_that_a_search_finds() -> None:
    generator = np.random.default_rng(2)
    actual = generator.normal(0, [0.01, 0.05], (200, 2))
    implied = 0.8 * actual + generator.normal(0, [0.02, 0.1], (200, 2))
    scale = np.sqrt((actual**2).mean(axis=0))

    def loss(factor: float) -> float:
        return float((((actual - factor * implied) / scale) ** 2).sum())

    expected = minimize_scalar(loss, bounds=(0, 1), method="bounded").x
    assert shrinkage_factor(implied, actual) == pytest.approx(expected, abs=1e-4)
    assert 0.05 < expected < 0.95


def test_shrinkage_is_zero_where_the_forecast_points_the_wrong_way() -> None:
    actual = np.random.default_rng(1).normal(0, 1, (50, 2))
    assert shrinkage_factor(-actual, actual) == 0.0


@pytest.mark.parametrize("size", [0.0, 1e-17])
def test_an_asset_that_did_not_move_has_no_say_in_the_shrinkage(size: float) -> None:
    generator = np.random.default_rng(2)
    actual = generator.normal(0, 0.01, (200, 2))
    implied = 0.5 * actual + generator.normal(0, 0.004, (200, 2))
    signs = generator.choice([-1.0, 1.0], (200, 1))
    together = shrinkage_factor(
        np.hstack([implied, 0.01 * signs]), np.hstack([actual, size * generator.random((200, 1))])
    )
    assert together == pytest.approx(shrinkage_factor(implied, actual))


def test_shrinkage_never_exceeds_one() -> None:
    actual = np.random.default_rng(1).normal(0, 1, (50, 2))
    assert shrinkage_factor(actual / 5, actual) == 1.0


def test_shrinkage_of_a_forecast_of_nothing_is_zero() -> None:
    assert shrinkage_factor(np.zeros((5, 1)), np.ones((5, 1))) == 0.0


def test_shrinkage_is_the_best_factor_of_moves_that_ended_before_the_test() -> None:
    generator = np.random.default_rng(6)
    validation, stop = DATASET.split.validation, TEST.start
    moves = np.stack(
        [log_roi_ahead(DATASET.log_roi, DATASET.filled, horizon) for horizon in (1, 2, 3, 4)]
    )
    rows = slice(validation.start, validation.stop)
    cumulated = np.nan_to_num(moves[:, rows]) + generator.normal(0, 0.02, (4, len(validation), 3))
    found = horizon_shrinkage(cumulated, DATASET, validation, stop)
    for horizon in (1, 2, 3, 4):
        actual = moves[horizon - 1, rows].copy()
        for place, row in enumerate(validation):
            if row + horizon - 1 >= stop:
                actual[place] = np.nan
        share = np.isfinite(actual).any(axis=1).sum() / horizon
        expected = shrinkage_factor(cumulated[horizon - 1], actual)
        if horizon > 1:
            expected *= share / (share + 1)
        assert found[horizon - 1] == pytest.approx(expected)
        assert 0.1 < found[horizon - 1] < 0.9


def test_a_horizon_longer_than_the_validation_is_shrunk_to_zero() -> None:
    validation = range(TEST.start - 5, TEST.start - 1)
    cumulated = np.ones((8, 4, 3))
    found = horizon_shrinkage(cumulated, DATASET, validation, TEST.start)
    np.testing.assert_array_equal(found[5:], 0.0)
