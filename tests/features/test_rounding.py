from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roi_forecast.features.rounding import ROUNDING, beyond_rounding, ratio_where, varies
from roi_forecast.features.scaling import Scaler

FACTORS = st.floats(1e-12, 1e12).flatmap(lambda size: st.sampled_from([size, -size]))
ROWS = 200


def moving(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.3, 1.0, (ROWS, 3))


def constant_but_for_rounding(value: float, seed: int) -> np.ndarray:
    """What many roundings of one value look like, a few units in the last place around it."""
    steps = np.random.default_rng(seed).integers(-20, 21, (ROWS, 3))
    return value * (1.0 + steps * np.finfo(np.float64).eps)


@settings(max_examples=60)
@given(FACTORS, st.integers(0, 1000))
def test_the_unit_of_the_values_does_not_decide_whether_they_vary(factor: float, seed: int) -> None:
    assert varies(factor * moving(seed)).all()
    assert not varies(constant_but_for_rounding(factor, seed)).any()


@settings(max_examples=60)
@given(FACTORS, st.floats(-100, 100), st.integers(0, 1000))
def test_values_vary_as_well_around_another_mean_of_their_own_size(
    factor: float, shift: float, seed: int
) -> None:
    assert varies(factor * (moving(seed) + shift)).all()


def test_values_do_not_vary_where_a_far_larger_mean_rounds_them_away() -> None:
    assert not varies(moving() + 1e12).any()


def test_entries_that_do_not_count_neither_vary_nor_hide_that_others_do() -> None:
    values = np.column_stack([moving()[:, 0], np.full(ROWS, 0.1), np.full(ROWS, np.nan)])
    values[5:9] = np.nan
    assert varies(values).tolist() == [True, False, False]
    assert not varies(np.empty((0, 2))).any()


@pytest.mark.parametrize(("share", "beyond"), [(2.0, True), (0.5, False)])
def test_a_spread_counts_above_half_of_the_digits(share: float, beyond: bool) -> None:
    assert beyond_rounding(share * ROUNDING * 7.0, 7.0) == beyond


def test_nothing_is_beyond_rounding_where_all_is_zero_or_unknown() -> None:
    assert not beyond_rounding(0.0, 0.0)
    assert not beyond_rounding(np.nan, 1.0)


def test_a_ratio_that_is_not_defined_is_nan_and_not_infinite() -> None:
    found = ratio_where(np.array([True, False]), np.array([6.0, 1.0]), np.array([3.0, 0.0]))
    np.testing.assert_array_equal(found, [2.0, np.nan])


@pytest.mark.parametrize("kind", ["minmax", "standard"])
def test_a_scaler_does_not_blow_up_what_is_only_rounding(kind: str) -> None:
    steady = constant_but_for_rounding(1e-4, seed=1)
    scaler = Scaler.fit(steady, steady, kind)  # type: ignore[arg-type]
    np.testing.assert_array_equal(scaler.slope, 1.0)
    np.testing.assert_allclose(scaler.transform(steady), 0.0, atol=1e-12)
