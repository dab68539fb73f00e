from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr, ttest_1samp

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.backtest.next_day_skill import (
    NextDaySkill,
    daily_rank_correlations,
    next_day_skill,
)
from roi_forecast.backtest.walk_forward import WalkForward, walk_forward
from roi_forecast.evaluation.metrics import Scored

DATASET = synthetic_dataset(rows=400, assets=5)


@pytest.fixture(scope="module")
def result() -> WalkForward:
    return walk_forward(DATASET, DATASET.dates[250].item())


def skill_of(walk: WalkForward) -> NextDaySkill:
    return next_day_skill(walk.scored, walk.known_mean_pct)


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


def test_t_statistic_is_that_of_the_mean_over_days(result: WalkForward) -> None:
    skill = skill_of(result)
    correlations = daily_rank_correlations(result.actual_pct, result.implied)
    valid = correlations[np.isfinite(correlations)]
    assert skill.rank_correlation_t == pytest.approx(ttest_1samp(valid, 0).statistic)
    assert skill.rank_correlation == pytest.approx(valid.mean())
    assert skill.rank_correlation_days == len(valid)


def test_the_known_mean_as_forecast_has_no_skill_against_itself(result: WalkForward) -> None:
    mean = replace(result.scored, forecast=result.known_mean_pct)
    found = next_day_skill(mean, result.known_mean_pct)
    assert found.r2_against_mean == pytest.approx(0, abs=1e-12)
    nothing = replace(result.scored, forecast=np.zeros_like(result.published))
    assert next_day_skill(nothing, result.known_mean_pct).r2_against_zero == 0


def test_an_oracle_has_all_the_skill(result: WalkForward) -> None:
    truth = np.nan_to_num(result.actual_pct)
    oracle = Scored(result.actual_pct, truth)
    skill = next_day_skill(oracle, result.known_mean_pct)
    assert skill.r2_against_zero == pytest.approx(1)
    assert skill.r2_against_mean == pytest.approx(1)
    assert skill.rank_correlation == pytest.approx(1)
    assert skill.directional_accuracy.mean == 1


def test_unpredictable_returns_leave_the_direction_undecided(result: WalkForward) -> None:
    direction = skill_of(result).directional_accuracy
    assert direction.lower_95 < 0.5 < direction.upper_95


def test_correlations_that_are_the_same_every_day_have_no_t_statistic(result: WalkForward) -> None:
    generator = np.random.default_rng(3)
    ranks = np.stack([generator.permutation(5) for _ in result.dates]).astype(float)
    # The ranks 0 1 2 3 4 forecast as 1 0 2 3 4: a correlation of 0.9 but for rounding.
    forecast = np.choose(ranks.astype(int), [1.0, 0.0, 2.0, 3.0, 4.0])
    skill = next_day_skill(Scored(ranks + 1, forecast), result.known_mean_pct)
    assert skill.rank_correlation == pytest.approx(0.9)
    assert np.isnan(skill.rank_correlation_t)


def test_a_mean_that_is_always_right_leaves_its_asset_out(result: WalkForward) -> None:
    steady = np.full((len(result.dates), 1), 0.01)
    rounding = 1 + np.random.default_rng(1).integers(-9, 10, steady.shape) * 2.0**-52
    actual = np.hstack([steady * rounding, result.actual_pct[:, 1:]])
    mean = np.hstack([steady, result.known_mean_pct[:, 1:]])
    scored = result.scored
    found = next_day_skill(replace(scored, actual=actual), mean)
    others = Scored(scored.actual[:, 1:], scored.forecast[:, 1:])
    expected = next_day_skill(others, result.known_mean_pct[:, 1:])
    assert found.r2_against_mean == pytest.approx(expected.r2_against_mean)
