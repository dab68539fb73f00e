from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge as SklearnRidge

from network.synthetic_dataset import synthetic_dataset, with_wild_rows_from
from roi_forecast.errors import DatasetError
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.forecaster.direct import fit_direct

DATASET = synthetic_dataset(rows=300)
PREPROCESSING = Preprocessing.of_dataset(DATASET)


def lags(row: int, asset: int) -> np.ndarray:
    """What a forecast from a row sees: the log ROIs of the window, oldest first."""
    own = DATASET.log_roi[row - 8 : row, asset] - DATASET.scaler.log_roi_mean[asset]
    return own * DATASET.scaler.slope[asset]


@pytest.mark.parametrize("horizon", [2, 7, 30])
def test_direct_forecast_is_the_ridge_regression_of_the_move_after_the_next_session(
    horizon: int,
) -> None:
    scaler, train = DATASET.scaler, DATASET.split.train
    design, target = [], []
    for asset in range(3):
        for row in range(train.start, train.stop - horizon + 1):
            if DATASET.filled[row + horizon - 1, asset]:
                continue
            move = DATASET.log_roi[row + 1 : row + horizon, asset].sum()
            design.append(lags(row, asset))
            target.append((move - (horizon - 1) * scaler.log_roi_mean[asset]) * scaler.slope[asset])
    oracle = SklearnRidge(alpha=2.0, fit_intercept=False).fit(design, target)
    origins = range(250, 301)
    found = fit_direct(DATASET, 2.0).predict(PREPROCESSING, DATASET, origins, horizon)
    assert found.shape == (horizon - 1, 51, 3)
    for asset in range(3):
        scaled = oracle.predict([lags(row, asset) for row in origins])
        expected = scaled / scaler.slope[asset] + (horizon - 1) * scaler.log_roi_mean[asset]
        np.testing.assert_allclose(found[-1, :, asset], expected, rtol=1e-4, atol=1e-6)


def test_no_row_after_the_last_training_target_takes_part_in_the_fit() -> None:
    expected = fit_direct(DATASET, 1.0).weights
    stop = DATASET.split.train.stop
    after, before = (
        fit_direct(with_wild_rows_from(DATASET, row), 1.0).weights for row in (stop, stop - 1)
    )
    np.testing.assert_array_equal(after, expected)
    assert (before != expected).any(axis=1).all()


def test_no_forecast_reads_its_own_row_or_a_later_one() -> None:
    direct = fit_direct(DATASET, 1.0)
    origins = range(250, 261)
    expected = direct.predict(PREPROCESSING, DATASET, origins, 10)
    changed = with_wild_rows_from(DATASET, 260)
    np.testing.assert_array_equal(direct.predict(PREPROCESSING, changed, origins, 10), expected)
    earlier = direct.predict(PREPROCESSING, with_wild_rows_from(DATASET, 259), origins, 10)
    assert (earlier[:, -1] != expected[:, -1]).all()


def test_a_forecast_of_fewer_horizons_is_the_same() -> None:
    direct, origins = fit_direct(DATASET), range(250, 261)
    np.testing.assert_array_equal(
        direct.predict(PREPROCESSING, DATASET, origins, 4),
        direct.predict(PREPROCESSING, DATASET, origins, 30)[:3],
    )


def test_a_horizon_that_no_training_row_reaches_forecasts_the_mean() -> None:
    short = synthetic_dataset(rows=50)
    train = range(8, 20)
    few = replace(short, split=replace(short.split, train=train))
    found = fit_direct(few, 1.0).predict(Preprocessing.of_dataset(few), few, range(30, 31), 30)
    np.testing.assert_allclose(found[-1, 0], 29 * few.scaler.log_roi_mean)
    assert not np.allclose(found[3, 0], 4 * few.scaler.log_roi_mean)


def test_horizons_and_origins_out_of_range_are_refused() -> None:
    direct = fit_direct(DATASET, 1.0)
    with pytest.raises(DatasetError, match="up to 30 sessions ahead; received the horizon 31"):
        direct.predict(PREPROCESSING, DATASET, range(250, 251), 31)
    with pytest.raises(DatasetError, match="no windows of 8 rows"):
        direct.predict(PREPROCESSING, DATASET, range(7, 9), 5)
