from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.metrics import Scored
from roi_forecast.evaluation.skill import daily_rank_correlations, estimate, r2_gain, skill_figures
from roi_forecast.forecaster.intervals import Intervals

SESSIONS, ASSETS = 400, 6
GENERATOR = np.random.default_rng(4)
SIGNAL = GENERATOR.normal(0, 0.3, (SESSIONS, ASSETS))
ACTUAL = SIGNAL + GENERATOR.normal(0, 1.5, SIGNAL.shape)
KNOWING = Scored(ACTUAL, SIGNAL)


def block_standard_error(means: np.ndarray, block: int) -> float:
    """The standard error by every block of the circle, as resampling tends to it."""
    sessions = len(means)
    circle = np.concatenate([means, means[: block - 1]])
    blocks = np.lib.stride_tricks.sliding_window_view(circle, block).mean(axis=1)
    return float(np.sqrt(blocks.var() / (sessions / block) * sessions / (sessions - block)))


def test_t_is_the_gain_over_its_block_standard_error() -> None:
    found = estimate(metrics.r2_against_zero, KNOWING, 20)
    gains = (ACTUAL**2 - (ACTUAL - SIGNAL) ** 2) / (ACTUAL**2).mean(axis=0)
    assert found.value == pytest.approx(gains.mean())
    assert found.t == pytest.approx(
        gains.mean() / block_standard_error(gains.mean(axis=1), 20), rel=0.06
    )
    assert found.t > 2
    wrong = estimate(metrics.r2_against_zero, Scored(ACTUAL, -SIGNAL), 20)
    assert wrong.t < -2
    assert wrong.upper_95 < 0


def test_gain_is_the_difference_of_r2_with_bounds_of_the_paired_days() -> None:
    other = -0.5 * SIGNAL
    found = r2_gain(KNOWING, other)
    r2 = metrics.r2_against_zero
    assert found.value == pytest.approx(r2.overall(ACTUAL, SIGNAL) - r2.overall(ACTUAL, other))
    assert 0 < found.lower_95 < found.value < found.upper_95
    worse = r2_gain(Scored(ACTUAL, other), SIGNAL)
    assert worse.upper_95 < 0
    same = r2_gain(KNOWING, SIGNAL)
    assert (same.value, same.lower_95, same.upper_95) == (0, 0, 0)


def test_gain_by_noise_cannot_be_told_from_chance() -> None:
    found = r2_gain(Scored(ACTUAL, SIGNAL + GENERATOR.normal(0, 0.01, SIGNAL.shape)), SIGNAL)
    assert found.lower_95 < 0 < found.upper_95


def test_gain_over_few_sessions_has_no_bounds() -> None:
    found = r2_gain(Scored(ACTUAL[:30], SIGNAL[:30]), 0 * SIGNAL[:30])
    assert np.isfinite(found.value)
    assert np.isnan([found.lower_95, found.upper_95]).all()


def test_rank_correlation_is_spearmans() -> None:
    generator = np.random.default_rng(1)
    actual = generator.integers(-3, 4, (60, 8)).astype(float)
    forecast = generator.integers(-3, 4, (60, 8)).astype(float)
    actual[generator.random(actual.shape) < 0.1] = np.nan
    found = daily_rank_correlations(actual, forecast)
    for day in range(60):
        counted = np.isfinite(actual[day])
        expected = spearmanr(actual[day, counted], forecast[day, counted]).statistic
        assert found[day] == pytest.approx(expected)


def test_days_without_a_ranking_have_no_correlation() -> None:
    actual = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, np.nan], [1.0, 2.0, 3.0]])
    forecast = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [5.0, 5.0, 5.0]])
    np.testing.assert_allclose(daily_rank_correlations(actual, forecast), [1.0, np.nan, np.nan])


def test_rank_correlation_is_the_mean_over_days_with_its_block_t() -> None:
    found = dict(skill_figures(KNOWING))
    daily = np.array([spearmanr(*pair).statistic for pair in zip(ACTUAL, SIGNAL, strict=True)])
    assert found["rank_correlation"] == pytest.approx(daily.mean())
    expected = daily.mean() / block_standard_error(daily, 20)
    assert found["rank_correlation_t"] == pytest.approx(expected, rel=0.06)


def test_correlations_that_are_the_same_every_day_have_no_t() -> None:
    ranks = np.stack([GENERATOR.permutation(5) for _ in range(SESSIONS)]).astype(float)
    # The ranks 0 1 2 3 4 forecast as 1 0 2 3 4: a correlation of 0.9 but for rounding.
    forecast = np.choose(ranks.astype(int), [1.0, 0.0, 2.0, 3.0, 4.0])
    found = dict(skill_figures(Scored(ranks + 1, forecast)))
    assert found["rank_correlation"] == pytest.approx(0.9)
    assert np.isnan(found["rank_correlation_t"])


def test_a_forecast_of_zero_has_bounds_at_zero_and_neither_direction_nor_rank() -> None:
    found = dict(skill_figures(Scored(ACTUAL, np.zeros(ACTUAL.shape))))
    assert found["r2_against_zero_lower_95"] == found["r2_against_zero_upper_95"] == 0
    for name in (
        "r2_against_zero_t",
        "rank_correlation",
        "rank_correlation_t",
        "directional_accuracy_lower_95",
        "directional_accuracy_upper_95",
    ):
        assert np.isnan(found[name]), name


def test_bounds_hold_the_coverage_of_each_level() -> None:
    bounds = tuple(
        Intervals(level, np.full(ACTUAL.shape, -half), np.full(ACTUAL.shape, half))
        for level, half in ((0.8, 1.96), (0.95, 3.0))
    )
    found = dict(skill_figures(Scored(ACTUAL, SIGNAL, bounds)))
    for each in bounds:
        name = f"coverage_{round(100 * each.level)}"
        covered = (np.abs(ACTUAL) <= each.upper).mean()
        assert found[f"{name}_lower_95"] < covered < found[f"{name}_upper_95"]


@pytest.mark.parametrize(("sessions", "horizon"), [(39, 1), (79, 20)])
def test_fewer_than_two_blocks_of_sessions_leave_figures_without_bounds(
    sessions: int, horizon: int
) -> None:
    few = Scored(ACTUAL[:sessions], SIGNAL[:sessions])
    found = dict(skill_figures(few, horizon))
    bounded = [name for name in found if name not in ("rank_correlation", "directions_share")]
    assert np.isnan([found[name] for name in bounded]).all()
    assert np.isfinite(found["rank_correlation"])
    one_more = Scored(ACTUAL[: sessions + 1], SIGNAL[: sessions + 1])
    assert np.isfinite(list(dict(skill_figures(one_more, horizon)).values())).all()


def test_the_share_with_a_direction_leaves_out_zeros_on_either_side() -> None:
    actual = np.array([[1.0, 0.0], [-1.0, 2.0], [np.nan, 3.0]])
    forecast = np.array([[0.5, 0.5], [0.0, -0.5], [0.5, 0.0]])
    found = dict(skill_figures(Scored(actual, forecast)))
    assert found["directions_share"] == pytest.approx(2 / 5)
    nothing = dict(skill_figures(Scored(np.full((2, 1), np.nan), np.zeros((2, 1)))))
    assert np.isnan(nothing["directions_share"])
