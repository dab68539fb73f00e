from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from roi_forecast.forecaster.order_statistics import window_order_statistics


@given(st.integers(0, 2**32 - 1), st.integers(1, 70), st.integers(1, 12))
def test_a_place_of_a_window_is_that_of_the_window_sorted(
    seed: int, length: int, windows: int
) -> None:
    generator = np.random.default_rng(seed)
    # Few different values, so that many are equal, and some are missing.
    series = generator.integers(0, 9, (3, length)).astype(np.float64)
    series[generator.random(series.shape) < 0.2] = np.nan
    starts = generator.integers(0, length, windows)
    stops = np.array([generator.integers(start + 1, length + 1) for start in starts])
    places = generator.integers(0, (stops - starts)[:, np.newaxis], (3, windows, 2))
    found = window_order_statistics(series, starts, stops, places)
    for line in range(3):
        for number, (start, stop) in enumerate(zip(starts, stops, strict=True)):
            expected = np.sort(series[line, start:stop])[places[line, number]]
            np.testing.assert_array_equal(found[line, number], expected)


def test_an_empty_window_has_no_value() -> None:
    series = np.arange(8.0).reshape(2, 4)
    for starts in ([2], [2, 1]):
        at = np.array(starts)
        found = window_order_statistics(series, at, at, np.zeros((2, len(at), 1), np.intp))
        assert np.isnan(found).all()


def test_what_lies_outside_of_a_window_does_not_matter() -> None:
    generator = np.random.default_rng(5)
    series = generator.random((2, 40))
    windows = np.array([3, 5]), np.array([20, 25])
    places = generator.integers(0, 17, (2, 2, 3))
    expected = window_order_statistics(series, *windows, places)
    series[:, 25:], series[:, :3] = 1e9, -1e9
    np.testing.assert_array_equal(window_order_statistics(series, *windows, places), expected)
