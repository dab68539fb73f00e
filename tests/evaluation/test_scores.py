from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.config import MultiStep
from roi_forecast.evaluation.scores import score_forecasts
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.forecaster.calibration import METHODS
from roi_forecast.forecaster.forecaster import Forecaster
from roi_forecast.forecaster.recursive import WindowForecaster
from roi_forecast.network.ridge import fit_ridge

DATASET = synthetic_dataset(rows=260)
PREPROCESSING = Preprocessing.of_dataset(DATASET)
RIDGE = fit_ridge(DATASET, 1.0)
TEST = DATASET.split.test


@dataclass(frozen=True)
class Linear:
    """Ridge regression in the place of a network."""

    forecast_windows: WindowForecaster = RIDGE.forecast_windows
    networks: tuple[None] = (None,)


def fit(dataset: Dataset) -> Forecaster:
    return Forecaster.fit(dataset, Linear(), 1.0)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    return fit(DATASET)


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_those_of_the_published_move_to_the_target_date(
    forecaster: Forecaster, method: MultiStep
) -> None:
    forecasts = forecaster.forecast(DATASET, TEST, (1, 4, 9), method)
    scores = list(score_forecasts(forecasts, DATASET, "model", "test"))
    assert {score.target for score in scores} == {
        "next_day_pct",
        "horizon_4_pct",
        "horizon_9_pct",
    }
    found = {(score.horizon, score.symbol, score.metric): score for score in scores}
    assert len(found) == len(scores) == 3 * 4 * 9
    calibration = forecaster.calibration
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
                actual = 100 * (ratio - 1)
                factor = calibration.shrinkage[method][horizon - 1]
                forecast = 100 * np.expm1(factor * cumulated[horizon - 1, place, asset])
                errors[symbol].append(abs(actual - forecast))
                squares[symbol][0] += (actual - forecast) ** 2
                squares[symbol][1] += actual**2
                at_80 = intervals[horizon - 1][0]
                covered.append(at_80.lower[place, asset] <= actual <= at_80.upper[place, asset])
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
    forecaster: Forecaster,
) -> None:
    origins = range(TEST.stop - 12, TEST.stop)
    forecasts = forecaster.forecast(DATASET, origins, (1, 13, 20), "direct")
    scores = score_forecasts(forecasts, DATASET, "model", "test")
    assert {score.horizon for score in scores} == {1}


def test_no_score_looks_at_a_row_after_the_last_origin(forecaster: Forecaster) -> None:
    origins = range(TEST.start, TEST.stop - 20)
    forecasts = forecaster.forecast(DATASET, origins, (1, 5), "direct")
    wild = DATASET.log_roi.copy()
    wild[origins.stop :] = 0.5
    planted = replace(DATASET, log_roi=wild)
    assert list(score_forecasts(forecasts, planted, "model", "test")) == list(
        score_forecasts(forecasts, DATASET, "model", "test")
    )
