from __future__ import annotations

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.config import MultiStep
from roi_forecast.evaluation.horizon_scores import score_horizons
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.forecaster.horizons import METHODS, HorizonCalibration
from roi_forecast.forecaster.next_day import NextDayCalibration
from roi_forecast.forecaster.recursive import forecast_recursively
from roi_forecast.network.ridge import fit_ridge

DATASET = synthetic_dataset(rows=260)
PREPROCESSING = Preprocessing.of_dataset(DATASET)
RIDGE = fit_ridge(DATASET, 1.0)
TEST = DATASET.split.test


@pytest.fixture(scope="module")
def calibration() -> HorizonCalibration:
    implied = forecast_recursively(
        RIDGE.forecast_windows, PREPROCESSING, DATASET, DATASET.split.validation, 1
    )[0]
    return HorizonCalibration.fit(
        DATASET, NextDayCalibration.fit(DATASET, implied), RIDGE.forecast_windows, 1.0
    )


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_those_of_the_published_move_to_the_target_date(
    calibration: HorizonCalibration, method: MultiStep
) -> None:
    scores = list(score_horizons(DATASET, calibration, method, RIDGE.forecast_windows, (1, 4, 9)))
    assert {score.target for score in scores} == {"horizon_4_pct", "horizon_9_pct"}
    found = {(score.horizon, score.symbol, score.metric): score for score in scores}
    assert len(found) == len(scores) == 2 * 6 * 4
    cumulated = calibration.forecast(
        method, RIDGE.forecast_windows, PREPROCESSING, DATASET, TEST, 9
    )
    intervals = calibration.intervals(method, DATASET, cumulated, TEST)
    for horizon in (4, 9):
        errors: dict[str, list[float]] = {symbol: [] for symbol in DATASET.symbols}
        covered, squares = [], {symbol: [0.0, 0.0] for symbol in DATASET.symbols}
        for place, row in enumerate(TEST):
            for asset, symbol in enumerate(DATASET.symbols):
                target = row + horizon - 1
                if target >= len(DATASET.dates) or DATASET.filled[target, asset]:
                    continue
                ratio = DATASET.prices[target, asset] / DATASET.prices[row - 1, asset]
                came = 100 * (ratio - 1)
                factor = calibration.shrinkage[method][horizon - 1]
                said = 100 * np.expm1(factor * cumulated[horizon - 1, place, asset])
                errors[symbol].append(abs(came - said))
                squares[symbol][0] += (came - said) ** 2
                squares[symbol][1] += came**2
                at_80 = intervals[horizon - 1][0]
                covered.append(at_80.lower[place, asset] <= came <= at_80.upper[place, asset])
        for symbol in DATASET.symbols:
            score = found[horizon, symbol, "mae"]
            assert score.value == pytest.approx(np.mean(errors[symbol]))
            assert score.rows == len(errors[symbol])
            gain = 1 - squares[symbol][0] / squares[symbol][1]
            assert found[horizon, symbol, "r2_against_zero"].value == pytest.approx(gain)
        assert found[horizon, None, "coverage_80"].value == pytest.approx(np.mean(covered))
        overall = found[horizon, None, "mae"]
        assert overall.rows == len(covered)
        assert overall.first_date == DATASET.dates[TEST.start + horizon - 1].item()
        assert overall.last_date == DATASET.dates[-1].item()


def test_a_horizon_that_no_session_of_the_test_is_the_end_of_has_no_score(
    calibration: HorizonCalibration,
) -> None:
    short = synthetic_dataset(rows=60)
    assert len(short.split.test) == 12
    scores = score_horizons(short, calibration, "direct", RIDGE.forecast_windows, (1, 13, 20))
    assert list(scores) == []
