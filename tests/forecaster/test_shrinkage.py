from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from network.synthetic_dataset import synthetic_dataset, with_wild_rows_from
from roi_forecast.features.returns import log_roi_ahead
from roi_forecast.forecaster.shrinkage import counted_log_roi, factors_ahead, supported_factor

DATASET = synthetic_dataset(rows=400)
TEST = DATASET.split.test


def by_hand(forecast: np.ndarray, actual: np.ndarray, least_t: float = 1.0) -> float:
    """The factor that a search finds, discounted by the t of a regression through the origin."""
    scale = np.sqrt(np.nanmean(actual**2, axis=0))
    counted = np.isfinite(actual)
    known, own = np.where(counted, forecast, 0) / scale, np.where(counted, actual, 0) / scale

    def loss(factor: float) -> float:
        return float(((own - factor * known) ** 2).sum())

    best = minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-10}).x
    scores = (known * (own - best * known)).sum(axis=1)
    error = np.sqrt((scores**2).sum()) / (known**2).sum()
    return min(max(best, 0.0), 1.0) * max(1 - (least_t * error / best) ** 2, 0.0)


@pytest.mark.parametrize("horizon", [1, 4])
def test_factor_is_the_one_that_a_search_finds_discounted_by_its_t(horizon: int) -> None:
    generator = np.random.default_rng(2)
    actual = generator.normal(0, [0.01, 0.05], (200, 2))
    implied = 0.8 * actual + generator.normal(0, [0.02, 0.1], (200, 2))
    actual[generator.random(actual.shape) < 0.1] = np.nan
    expected = by_hand(implied, actual, np.sqrt(horizon))
    assert supported_factor(implied, actual, horizon) == pytest.approx(expected, abs=1e-6)
    assert 0.05 < expected < 0.95


def test_a_longer_horizon_needs_more_support() -> None:
    generator = np.random.default_rng(2)
    actual = generator.normal(0, 0.01, (200, 2))
    implied = 0.3 * actual + generator.normal(0, 0.01, (200, 2))
    factors = [supported_factor(implied, actual, horizon) for horizon in (1, 5, 20)]
    assert factors == sorted(factors, reverse=True)
    assert factors[0] > factors[1] > factors[2]


def test_factor_is_zero_where_the_forecast_points_the_wrong_way() -> None:
    actual = np.random.default_rng(1).normal(0, 1, (50, 2))
    assert supported_factor(-actual, actual) == 0.0


@pytest.mark.parametrize("size", [0.0, 1e-17])
def test_an_asset_that_did_not_move_has_no_say_in_the_factor(size: float) -> None:
    generator = np.random.default_rng(2)
    actual = generator.normal(0, 0.01, (200, 2))
    implied = 0.5 * actual + generator.normal(0, 0.004, (200, 2))
    signs = generator.choice([-1.0, 1.0], (200, 1))
    together = supported_factor(
        np.hstack([implied, 0.01 * signs]), np.hstack([actual, size * generator.random((200, 1))])
    )
    assert together == pytest.approx(supported_factor(implied, actual))


def test_factor_never_exceeds_one() -> None:
    generator = np.random.default_rng(1)
    actual = generator.normal(0, 1, (50, 2))
    forecast = actual / 5 + generator.normal(0, 0.01, actual.shape)
    assert 0.99 < supported_factor(forecast, actual) <= 1.0
    assert supported_factor(actual / 5, actual) == 1.0


def test_factor_of_a_forecast_of_nothing_or_of_a_single_day_is_zero() -> None:
    assert supported_factor(np.zeros((5, 1)), np.ones((5, 1))) == 0.0
    assert supported_factor(np.ones((1, 3)), np.ones((1, 3))) == 0.0


def test_noise_is_rarely_believed() -> None:
    generator = np.random.default_rng(4)
    found = [
        supported_factor(*generator.normal(0, 0.01, (2, 200, 3)), horizon=4) for _ in range(200)
    ]
    # t above 2 by chance, one-sided: 2.3 %.
    assert np.mean(np.array(found) > 0) < 0.06


def test_factors_ahead_are_those_of_what_a_horizon_adds_where_its_move_ended_before_the_test() -> (
    None
):
    generator = np.random.default_rng(6)
    validation, stop = DATASET.split.validation, TEST.start
    moves = np.stack(
        [log_roi_ahead(DATASET.log_roi, DATASET.filled, horizon) for horizon in (1, 2, 3, 4)]
    )
    rows = slice(validation.start, validation.stop)
    own = DATASET.log_roi[rows]
    cumulated = np.nan_to_num(moves[:, rows]) + generator.normal(0, 0.015, (4, len(validation), 3))
    found = factors_ahead(cumulated, DATASET, validation, stop)
    assert found[0] == 0.0
    for horizon in (2, 3, 4):
        added = moves[horizon - 1, rows] - own
        for place, row in enumerate(validation):
            if row + horizon - 1 >= stop:
                added[place] = np.nan
        expected = by_hand(cumulated[horizon - 1] - cumulated[0], added, np.sqrt(horizon))
        assert found[horizon - 1] == pytest.approx(expected, abs=1e-6)
        assert 0.1 < found[horizon - 1] < 0.99


def test_no_row_of_the_test_takes_part_in_the_factors() -> None:
    generator = np.random.default_rng(6)
    validation = DATASET.split.validation
    rows = slice(validation.start, validation.stop)
    moves = [log_roi_ahead(DATASET.log_roi, DATASET.filled, horizon)[rows] for horizon in (1, 2, 3)]
    cumulated = np.nan_to_num(moves) + generator.normal(0, 0.01, (3, len(validation), 3))
    wild = with_wild_rows_from(DATASET, TEST.start)
    expected = factors_ahead(cumulated, DATASET, validation, TEST.start)
    np.testing.assert_array_equal(factors_ahead(cumulated, wild, validation, TEST.start), expected)
    assert expected[1:].all()


def test_a_horizon_longer_than_the_validation_is_shrunk_to_zero() -> None:
    validation = range(TEST.start - 5, TEST.start - 1)
    cumulated = np.arange(8.0)[:, np.newaxis, np.newaxis] + np.ones((8, 4, 3))
    found = factors_ahead(cumulated, DATASET, validation, TEST.start)
    np.testing.assert_array_equal(found[5:], 0.0)


def test_a_row_without_a_bar_does_not_count() -> None:
    counted = counted_log_roi(DATASET)
    np.testing.assert_array_equal(np.isnan(counted), DATASET.filled)
    np.testing.assert_array_equal(counted[~DATASET.filled], DATASET.log_roi[~DATASET.filled])
