from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.backtest.fold_scores import fold_scores
from roi_forecast.backtest.walk_forward import WalkForward, walk_forward
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.skill import skill_figures

DATASET = synthetic_dataset(rows=400)
FIRST = 250
FIRST_DATE: date = DATASET.dates[FIRST].item()


@pytest.fixture(scope="module")
def result() -> WalkForward:
    return walk_forward(DATASET, FIRST_DATE)


def test_scores_of_the_folds_add_up_to_those_of_all(result: WalkForward) -> None:
    scores = list(fold_scores(result, "linear"))
    numbers = [fold.number for fold in result.folds]
    assert {number for number, _ in scores} == {*numbers, None}
    keys = [(number, score.target, score.symbol, score.metric) for number, score in scores]
    assert len(set(keys)) == len(keys)
    for metric in ("coverage_80", "interval_score_95"):
        for symbol in (None, DATASET.symbols[1]):
            chosen = [
                (number, score)
                for number, score in scores
                if (score.metric, score.symbol) == (metric, symbol)
            ]
            (whole,) = (score for number, score in chosen if number is None)
            parts = [score for number, score in chosen if number is not None]
            assert sum(part.rows for part in parts) == whole.rows
            total = sum(part.rows * part.value for part in parts)
            assert total / whole.rows == pytest.approx(whole.value)
    found = {
        (score.target, score.metric): score.value
        for number, score in scores
        if number is None and score.symbol is None
    }
    published = 100 * np.expm1(result.published)
    smoothed = 100 * np.expm1(result.smoothed)
    actual_pct = 100 * np.expm1(result.actual_smoothed)
    for key, metric, actual, forecast in (
        (("next_day_pct", "mae"), metrics.mean_absolute_error, result.actual_pct, published),
        (("smoothed_pct", "mae"), metrics.mean_absolute_error, actual_pct, smoothed),
        (("smoothed_pct", "r2"), metrics.r2, actual_pct, smoothed),
    ):
        assert found[key] == pytest.approx(metric.overall(actual, forecast)), key
    for name, value in skill_figures(result.scored):
        assert found["next_day_pct", name] == pytest.approx(value, nan_ok=True), name
    shrunk = [score.value for _, score in scores if score.metric == "shrinkage"]
    assert shrunk == [fold.shrinkage for fold in result.folds]


def test_parts_of_the_next_session_are_scored_where_an_asset_has_opens(result: WalkForward) -> None:
    forecasts = result.forecasts
    gap, rest = 0.3 * forecasts.log_roi[0], 0.7 * forecasts.log_roi[0]
    gap[:, 2] = rest[:, 2] = np.nan
    walk = replace(result, forecasts=replace(forecasts, gap=gap, open_to_close=rest))
    scores = {
        (score.target, score.symbol): score
        for number, score in fold_scores(walk, "linear")
        if number is None and score.metric == "mae"
    }
    actual = np.where(DATASET.filled, np.nan, DATASET.gap)[FIRST:]
    later = DATASET.log_roi[FIRST:] - actual
    for target, forecast, known in (
        ("gap_pct", gap, actual),
        ("open_to_close_pct", rest, later),
    ):
        for asset in (0, 1):
            errors = 100 * np.abs(np.expm1(forecast[:, asset]) - np.expm1(known[:, asset]))
            score = scores[target, DATASET.symbols[asset]]
            assert score.value == pytest.approx(np.nanmean(errors))
            assert score.rows == np.isfinite(known[:, asset]).sum()
        assert scores[target, DATASET.symbols[2]].rows == 0
        assert np.isfinite(scores[target, None].value)
