from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi_forecast.forecaster.conformal import conformal_quantiles, trailing_half_widths
from roi_forecast.forecaster.online_factor import (
    FACTOR_MEMORY,
    factors_ahead,
    online_factors,
)

LEVELS = (0.8, 0.95)
ROWS, ASSETS = 400, 5
SCORES = np.random.default_rng(2).exponential(size=(ROWS, ASSETS))
SCORES[np.random.default_rng(3).random(SCORES.shape) < 0.1] = np.nan
SCORES[250] = np.nan


def factors(scores: np.ndarray, stops: np.ndarray) -> np.ndarray:
    return online_factors(scores, conformal_quantiles(scores, stops, LEVELS), stops, LEVELS)


def direct(scores: np.ndarray, quantiles: np.ndarray, stop: int, level: float) -> float:
    """The factor of one target, row by row and asset by asset."""
    log = 0.0
    for row in range(max(0, stop - 66), stop):
        assets = [a for a in range(ASSETS) if quantiles[a] > 0 and not np.isnan(scores[row, a])]
        missed = [scores[row, asset] > np.exp(log) * quantiles[asset] for asset in assets]
        surprise = sum(missed) - (1 - level) * len(assets)
        log = 0.5 ** (1 / 14) * log + 0.15 * surprise / (len(assets) + 20)
    return float(np.exp(log))


@pytest.mark.parametrize("stop", [30, 70, 251, 290, 400])
def test_a_factor_learns_from_the_misses_of_the_rows_before(stop: int) -> None:
    stops = np.array([stop])
    quantiles = conformal_quantiles(SCORES, stops, LEVELS)
    quantiles[:, :, 2] = 0.0
    found = online_factors(SCORES, quantiles, stops, LEVELS)
    for number, level in enumerate(LEVELS):
        expected = direct(SCORES, quantiles[number, 0], stop, level)
        assert found[number, 0] == pytest.approx(expected, rel=1e-12)
    assert (found != 1).all()


def test_factors_of_many_targets_are_those_of_each_by_itself_from_the_trailing_rows() -> None:
    scores = np.random.default_rng(4).exponential(size=(900, ASSETS))
    stops = np.arange(560, 900)
    together = factors(scores, stops)
    for place in (0, 100, 339):
        first = stops[place] - 500
        alone = factors(scores[first:], np.array([500]))
        np.testing.assert_array_equal(alone[:, 0], together[:, place])


@given(st.integers(100, 399), st.sampled_from([0.0, 1e9, np.nan]))
def test_a_planted_future_value_changes_no_factor_before_it(row: int, value: float) -> None:
    wild = SCORES.copy()
    wild[row:] = value
    stops = np.arange(90, 401)
    known = slice(0, row + 1 - 90)
    np.testing.assert_array_equal(factors(wild, stops)[:, known], factors(SCORES, stops)[:, known])


def test_a_planted_value_changes_the_next_factor() -> None:
    wild = SCORES.copy()
    wild[350] = 1e9
    stops = np.array([351])
    quantiles = conformal_quantiles(SCORES, stops, LEVELS)
    found, expected = (online_factors(each, quantiles, stops, LEVELS) for each in (wild, SCORES))
    assert (found > expected).all()


def test_what_lies_further_back_than_the_memory_does_not_matter() -> None:
    stops = np.array([400])
    quantiles = conformal_quantiles(SCORES, stops, LEVELS)
    wild = SCORES.copy()
    wild[: 400 - FACTOR_MEMORY] = 1e9
    expected = online_factors(SCORES, quantiles, stops, LEVELS)
    np.testing.assert_array_equal(online_factors(wild, quantiles, stops, LEVELS), expected)


@pytest.mark.parametrize("missing", [0.0, np.nan])
def test_assets_without_a_move_or_a_score_take_no_part(missing: float) -> None:
    more = np.column_stack([SCORES, np.full((ROWS, 4), missing)])
    stops = np.arange(100, 401)
    quantiles = conformal_quantiles(SCORES, stops, LEVELS)
    nothing = np.zeros((2, len(stops), 4)) if missing == 0 else np.ones((2, len(stops), 4))
    with_more = np.concatenate([quantiles, nothing], axis=-1)
    np.testing.assert_array_equal(
        online_factors(more, with_more, stops, LEVELS),
        online_factors(SCORES, quantiles, stops, LEVELS),
    )


def test_the_more_assets_miss_the_more_a_row_counts() -> None:
    def after_a_row(assets: int) -> float:
        scores = np.full((1, assets), 2.0)
        return float(online_factors(scores, np.ones((1, 1, assets)), np.array([1]), [0.8])[0, 0])

    one, twenty, many = (np.log(after_a_row(assets)) for assets in (1, 20, 100_000))
    np.testing.assert_allclose([one, twenty, many], [0.12 / 21, 0.06, 0.12], rtol=1e-3)


def test_without_a_row_before_the_factor_is_one() -> None:
    quantiles = np.ones((2, 1, ASSETS))
    assert online_factors(SCORES, quantiles, np.array([0]), LEVELS).tolist() == [[1.0], [1.0]]


def test_a_factor_fades_with_the_horizon_to_the_mean_of_its_sessions() -> None:
    kept = 0.5 ** (1 / 14)
    for horizon in (1, 2, 30):
        expected = 1.5 ** np.mean([kept**ahead for ahead in range(horizon)])
        assert factors_ahead(np.array([1.5]), horizon) == pytest.approx(expected)


def market(seed: int, shock: float) -> np.ndarray:
    """Log ROIs of assets that fall together; from row 600 on the common risk is higher."""
    generator = np.random.default_rng(seed)
    common = generator.standard_t(5, (700, 1))
    own = generator.standard_t(5, (700, 20))
    risk = np.where(np.arange(700) < 600, 1.0, shock)[:, np.newaxis]
    return 0.01 * risk * (0.5 * common + 0.8 * own)


def coverage(shock: float, first: int, with_factor: bool) -> np.ndarray:
    """Share of the values inside of each level's intervals, from a row on for 40 rows."""
    targets, stops = range(first, first + 40), np.arange(first, first + 40)
    shares = []
    for seed in range(5):
        errors = np.abs(market(seed, shock))
        scales = np.full((701, 20), 0.01)
        half = trailing_half_widths(errors / 0.01, scales, targets, LEVELS)
        if not with_factor:
            half = conformal_quantiles(errors / 0.01, stops, LEVELS) * 0.01
        shares.append((errors[first : first + 40] <= half).mean(axis=(1, 2)))
    return np.mean(shares, axis=0)


def test_coverage_recovers_faster_after_a_shock() -> None:
    without, adapted = coverage(2.5, 610, False), coverage(2.5, 610, True)
    np.testing.assert_array_less(without, [0.55, 0.75])
    assert (adapted - without > (0.1, 0.06)).all()


def test_coverage_without_a_shock_stays_that_of_the_level() -> None:
    without, adapted = coverage(1.0, 610, False), coverage(1.0, 610, True)
    np.testing.assert_allclose(adapted, without, atol=0.01)
    np.testing.assert_allclose(adapted, LEVELS, atol=0.02)
