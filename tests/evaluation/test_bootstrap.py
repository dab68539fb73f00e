from __future__ import annotations

import numpy as np
import pytest
from arch.bootstrap import CircularBlockBootstrap
from scipy.stats import norm
from scipy.stats import t as student_t

from roi_forecast.errors import EvaluationError
from roi_forecast.evaluation.bootstrap import bootstrap_mean, few_blocks_factor


def persistent_days(days: int = 600) -> np.ndarray:
    generator = np.random.default_rng(12)
    common = np.zeros(days)
    for day in range(1, days):
        common[day] = 0.8 * common[day - 1] + generator.normal()
    return common[:, np.newaxis] + generator.normal(0, 0.5, (days, 3))


@pytest.mark.parametrize("days", [25, 600])
def test_bounds_are_those_of_another_implementation(days: int) -> None:
    entries = persistent_days(days)
    found = bootstrap_mean(entries, block_sessions=20, resamples=4000)
    oracle = CircularBlockBootstrap(20, entries.mean(axis=1), seed=5)
    means = oracle.apply(lambda days: np.array([days.mean()]), 4000)[:, 0]
    expected = np.quantile(means, [0.025, 0.95, 0.975])
    assert found.mean == pytest.approx(entries.mean())
    bounds = [found.lower_95, found.upper_one_sided_95, found.upper_95]
    np.testing.assert_allclose(bounds, expected, atol=0.15 * np.std(means))


def test_days_that_resemble_their_neighbours_are_worth_less() -> None:
    entries = persistent_days()
    blocks = bootstrap_mean(entries, block_sessions=20)
    alone = bootstrap_mean(entries, block_sessions=1)
    assert blocks.upper_95 - blocks.lower_95 > 1.5 * (alone.upper_95 - alone.lower_95)


def test_missing_entries_do_not_count() -> None:
    entries = persistent_days()
    entries[100:200, 1] = np.nan
    assert bootstrap_mean(entries).mean == pytest.approx(np.nanmean(entries))


def test_the_same_seed_gives_the_same_bounds() -> None:
    entries = persistent_days()
    assert bootstrap_mean(entries, seed=3) == bootstrap_mean(entries, seed=3)
    assert bootstrap_mean(entries, seed=3) != bootstrap_mean(entries, seed=4)


def test_widened_bounds_hold_the_mean_of_few_days_as_often_as_they_say() -> None:
    """Of 400 samples of 60 independent days, the plain bound misses too often, the widened not."""
    generator = np.random.default_rng(8)
    missed = {False: 0, True: 0}
    for _ in range(400):
        entries = generator.standard_t(5, (60, 1))
        for widened in missed:
            found = bootstrap_mean(entries, block_sessions=10, resamples=400, widened=widened)
            missed[widened] += found.upper_one_sided_95 < 0
    assert missed[True] / 400 == pytest.approx(0.05, abs=0.025)
    assert missed[False] / 400 > 0.075


def test_the_factor_for_few_blocks_is_the_one_of_batch_means() -> None:
    days, block = 60, 10
    variance = days / (days - block)
    expected = np.sqrt(variance) * student_t(days / block - 1).ppf(0.95) / norm.ppf(0.95)
    assert few_blocks_factor(days, block, 0.95) == pytest.approx(expected)
    assert few_blocks_factor(100_000, block, 0.95) == pytest.approx(1, abs=1e-3)


def test_widened_bounds_need_two_blocks() -> None:
    with pytest.raises(EvaluationError, match="39 days"):
        bootstrap_mean(np.ones((39, 2)), widened=True)


@pytest.mark.parametrize("entries", [np.ones((19, 2)), np.full((50, 2), np.nan)])
def test_too_little_to_resample_is_refused(entries: np.ndarray) -> None:
    with pytest.raises(EvaluationError, match="cannot be resampled in blocks of 20 sessions"):
        bootstrap_mean(entries)
