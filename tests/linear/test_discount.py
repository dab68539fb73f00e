"""The factor of a forecast, discounted by its own t, against a regression by hand."""

from __future__ import annotations

import numpy as np
import pytest

from roi_forecast.array_types import FloatArray
from roi_forecast.linear.discount import discounted_factor


def _days(slope: float, noise: float, days: int = 400) -> tuple[FloatArray, FloatArray]:
    generator = np.random.default_rng(7)
    forecast = generator.standard_normal(days)
    actual = slope * forecast + noise * generator.standard_normal(days)
    return forecast * actual, forecast**2


def test_the_factor_is_the_slope_times_one_less_the_inverse_square_of_its_t() -> None:
    products, squares = _days(0.6, 2.0)

    found = discounted_factor(products, squares)

    slope = products.sum() / squares.sum()
    scores = products - slope * squares
    t = slope / (np.sqrt((scores**2).sum()) / squares.sum())
    assert found == pytest.approx(slope * (1 - 1 / t**2))
    assert discounted_factor(products, squares, 2.0) == pytest.approx(slope * (1 - 4 / t**2))


def test_a_forecast_that_is_too_small_is_not_made_larger() -> None:
    products, squares = _days(3.0, 0.1)
    assert discounted_factor(products, squares) == pytest.approx(1.0, abs=1e-3)


def test_a_forecast_that_errs_in_sign_is_not_believed() -> None:
    products, squares = _days(-0.5, 1.0)
    assert discounted_factor(products, squares) == 0.0


def test_noise_is_mostly_not_believed() -> None:
    generator = np.random.default_rng(8)
    factors = []
    for _ in range(400):
        forecast, actual = generator.standard_normal((2, 250))
        factors.append(discounted_factor(forecast * actual, forecast**2))
    # A t above 1 comes by chance in 16 of 100 cases.
    assert np.mean(np.array(factors) > 0) < 0.22
    assert np.mean(factors) < 0.02


@pytest.mark.parametrize("days", [0, 1])
def test_fewer_than_two_days_support_nothing(days: int) -> None:
    assert discounted_factor(np.ones(days), np.ones(days)) == 0.0


def test_a_forecast_of_zero_supports_nothing() -> None:
    assert discounted_factor(np.zeros(50), np.zeros(50)) == 0.0
