from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from roi_forecast.monitoring.drift import measure_drift, wasserstein_distances

TRAINING, NEWEST, ASSETS = 345, 60, 6


def market(seed: int, rows: int, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).standard_t(4, (rows, ASSETS))


@settings(max_examples=50)
@given(st.integers(2, 40), st.integers(1, 39), st.integers(0, 1000))
def test_distances_are_those_of_scipy(rows: int, inside: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = np.round(generator.normal(size=rows), 1)
    members = np.zeros(rows, dtype=bool)
    members[generator.choice(rows, min(inside, rows - 1), replace=False)] = True
    (found,) = wasserstein_distances(values, members[np.newaxis])
    assert found == pytest.approx(wasserstein_distance(values[members], values[~members]))


def test_the_newest_window_is_measured_in_deviations_of_the_training_rows() -> None:
    training, newest = market(0, TRAINING), market(1, NEWEST)
    for column, found in enumerate(measure_drift(training, newest, 0.99)):
        assert found is not None
        spread = training[:, column].std()
        expected = wasserstein_distance(training[:, column], newest[:, column]) / spread
        assert found.wasserstein == pytest.approx(expected)
        assert found.scale_ratio == pytest.approx(newest[:, column].std() / spread)


def test_an_unchanged_market_rarely_drifts() -> None:
    flags = [
        found is not None and found.drifting
        for seed in range(40)
        for found in measure_drift(market(seed, TRAINING), market(1000 + seed, NEWEST), 0.99)
    ]
    assert np.mean(flags) < 0.06


@pytest.mark.parametrize("change", ["shift", "wilder", "calmer"])
def test_only_the_asset_that_changes_drifts(change: str) -> None:
    training, newest = market(2, TRAINING), market(3, NEWEST)
    newest[:, 4] = {
        "shift": newest[:, 4] + 2.0,
        "wilder": newest[:, 4] * 3,
        "calmer": newest[:, 4] * 0.2,
    }[change]
    flags = [found is not None and found.drifting for found in measure_drift(training, newest, 1.0)]
    assert flags == [False] * 4 + [True, False]


def test_the_unit_of_an_asset_does_not_matter() -> None:
    training, newest = market(4, TRAINING), market(5, NEWEST)
    scale = np.array([1e-4, 1, 10, 1e3, 2, 3])
    plain = measure_drift(training, newest, 0.99)
    scaled = measure_drift(training * scale, newest * scale, 0.99)
    for first, second in zip(plain, scaled, strict=True):
        assert first is not None
        assert second is not None
        assert vars(first) == pytest.approx(vars(second))


def test_rows_without_a_bar_do_not_count() -> None:
    training, newest = market(6, TRAINING), market(7, NEWEST)
    holes = training.copy()
    holes[10:20, 0] = np.nan
    (found, *_) = measure_drift(holes, newest, 0.99)
    assert found is not None
    counted = np.delete(training[:, 0], slice(10, 20))
    expected = wasserstein_distance(counted, newest[:, 0]) / counted.std()
    assert found.wasserstein == pytest.approx(expected)


def test_incomparable_rows_give_none() -> None:
    training, newest = market(8, TRAINING), market(9, NEWEST)
    training[:, 0] = 0.0
    training[: TRAINING - 2 * NEWEST, 1] = np.nan
    newest[1:, 2] = np.nan
    found = measure_drift(training, newest, 0.99)
    assert [each is None for each in found] == [True, True, True, False, False, False]
    nothing = measure_drift(training[:, :1], newest[:, :1], 0.99)
    assert nothing == (None,)


@pytest.mark.parametrize("still", ["constant", "one blip", "steady"])
def test_a_still_asset_hides_no_drift_of_others(still: str) -> None:
    training, newest = market(2, TRAINING, 0.01), market(3, NEWEST, 0.01)
    newest[:, 4] *= 3
    rounding = np.random.default_rng(1).integers(-9, 10, TRAINING) * 1e-16
    training[:, 0] = 1e-4 + rounding if still == "steady" else 0.0
    if still == "one blip":
        training[100, 0] = 0.02
    newest[:, 0] = 1e-4 if still == "steady" else 0.0
    together, alone = (
        measure_drift(training, newest, 0.99),
        measure_drift(training[:, 1:], newest[:, 1:], 0.99),
    )
    assert together[0] is None
    assert together[1:] == alone
    assert alone[3] is not None
    assert alone[3].drifting
