from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roi_forecast.features.returns import (
    implied_log_roi,
    known_sum,
    log_roi,
    log_roi_ahead,
    roi,
    smooth,
    smoothed_ahead,
    to_percent,
)

PRICES = arrays(np.float64, (12, 2), elements=st.floats(0.01, 1e6))
SPANS = st.integers(1, 6)


@given(PRICES)
def test_log_roi_is_the_difference_of_log_prices(prices: np.ndarray) -> None:
    expected = [
        [math.log(prices[row + 1, column]) - math.log(prices[row, column]) for column in range(2)]
        for row in range(11)
    ]
    np.testing.assert_allclose(log_roi(prices), expected, atol=1e-9)


def test_roi_is_a_fraction_of_the_price_before() -> None:
    np.testing.assert_allclose(roi(np.array([[100.0], [72.0], [90.0]])), [[-0.28], [0.25]])


@given(PRICES, SPANS)
def test_smoothed_roi_is_the_mean_of_the_last_values(prices: np.ndarray, span: int) -> None:
    values = log_roi(prices)
    smoothed = smooth(values, span)
    assert smoothed.shape == (11 - span + 1, 2)
    for row in range(len(smoothed)):
        expected = sum(values[row + lag, 1] for lag in range(span)) / span
        assert smoothed[row, 1] == pytest.approx(expected, abs=1e-12)


@given(PRICES, SPANS)
def test_the_implied_log_roi_of_the_true_smoothed_value_is_the_true_log_roi(
    prices: np.ndarray, span: int
) -> None:
    values = log_roi(prices)
    targets = range(span, len(values))
    smoothed = smooth(values, span)[targets.start - span + 1 : targets.stop - span + 1]
    implied = implied_log_roi(smoothed, known_sum(values, targets, span), span)
    np.testing.assert_allclose(implied, values[targets.start :], atol=1e-9)


def test_known_sum_reaches_the_session_after_the_data_and_ignores_the_target() -> None:
    values = np.arange(10.0).reshape(-1, 1)
    np.testing.assert_array_equal(known_sum(values, range(9, 11), 3), [[7 + 8], [8 + 9]])
    changed = values.copy()
    changed[9] = 1e9
    np.testing.assert_array_equal(known_sum(changed, range(9, 10), 3), [[7 + 8]])


def test_to_percent_inverts_the_logarithm() -> None:
    np.testing.assert_allclose(to_percent(np.log1p([-0.28, 0.05])), [-28.0, 5.0])


@given(PRICES, st.integers(1, 14))
def test_log_roi_ahead_leads_from_the_row_before_to_the_target_row(
    prices: np.ndarray, horizon: int
) -> None:
    filled = np.random.default_rng(1).random((11, 2)) < 0.3
    ahead = log_roi_ahead(log_roi(prices), filled, horizon)
    for row in range(11):
        for column in range(2):
            # Row t of the log ROIs leads from price t to price t + 1.
            target = row + horizon
            if target > 11 or filled[target - 1, column]:
                assert np.isnan(ahead[row, column])
            else:
                expected = math.log(prices[target, column] / prices[row, column])
                assert ahead[row, column] == pytest.approx(expected, abs=1e-6)


@given(PRICES, SPANS)
def test_smoothed_ahead_is_the_smoothing_of_known_and_forecast_values_together(
    prices: np.ndarray, span: int
) -> None:
    log_rois = log_roi(prices)
    known, forecast = log_rois[:6], log_rois[6:]
    found = smoothed_ahead(forecast.cumsum(axis=0), known[6 - span + 1 :], span)
    np.testing.assert_allclose(found, smooth(log_rois, span)[-5:], atol=1e-9)
    some = smoothed_ahead(forecast.cumsum(axis=0), known[6 - span + 1 :], span, (1, 4))
    np.testing.assert_array_equal(some, found[[0, 3]])
