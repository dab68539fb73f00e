from __future__ import annotations

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.backtest.naive_walks import naive_walks
from roi_forecast.backtest.walk_forward import WalkForward, walk_forward
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.skill import skill_figures

DATASET = synthetic_dataset(rows=400)
FIRST = 250


@pytest.fixture(scope="module")
def walks() -> dict[str, WalkForward]:
    walk = walk_forward(DATASET, DATASET.dates[FIRST].item())
    return naive_walks(DATASET, walk)


def test_zero_forecasts_no_move_and_smooths_what_is_known(walks: dict[str, WalkForward]) -> None:
    walk = walks["zero"]
    assert not walk.published.any()
    for row in (FIRST, FIRST + 30, 399):
        known = DATASET.log_roi[row - DATASET.smoothing + 1 : row].sum(axis=0)
        np.testing.assert_allclose(walk.smoothed[row - FIRST], known / DATASET.smoothing)


def test_zero_has_no_skill_and_names_no_direction(walks: dict[str, WalkForward]) -> None:
    scored = walks["zero"].scored
    assert metrics.r2_against_zero.together(scored) == 0
    assert np.isnan(metrics.directional_accuracy.together(scored))
    assert np.isnan(dict(skill_figures(scored))["rank_correlation"])


def test_persistence_is_the_row_before(walks: dict[str, WalkForward]) -> None:
    walk = walks["persistence"]
    np.testing.assert_array_equal(walk.smoothed, DATASET.smoothed[FIRST - 1 : -1])
    np.testing.assert_array_equal(walk.published, DATASET.log_roi[FIRST - 1 : -1])


def test_no_skill_guesses_the_training_mean_for_what_it_cannot_know(
    walks: dict[str, WalkForward],
) -> None:
    walk = walks["no_skill"]
    fold = walk.folds[3]
    row = fold.targets.start + 2
    known = DATASET.log_roi[row - DATASET.smoothing + 1 : row].sum(axis=0)
    expected = (known + fold.known_mean) / DATASET.smoothing
    np.testing.assert_allclose(walk.smoothed[row - FIRST], expected)
    np.testing.assert_allclose(walk.published[row - FIRST], fold.known_mean)


def test_no_naive_forecast_is_shrunk(walks: dict[str, WalkForward]) -> None:
    assert {fold.shrinkage for walk in walks.values() for fold in walk.folds} == {1.0}


def test_each_predictors_intervals_cover_at_their_level(walks: dict[str, WalkForward]) -> None:
    for walk in walks.values():
        for intervals in walk.intervals:
            covered = metrics.mean_of_counted(intervals.covers(walk.actual_pct).reshape(-1, 1))
            assert covered[0] == pytest.approx(intervals.level, abs=0.06)
    narrow, wide = (walks[name].intervals[0] for name in ("zero", "persistence"))
    assert (wide.upper - wide.lower).mean() > (narrow.upper - narrow.lower).mean()
