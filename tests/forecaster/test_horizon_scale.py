from __future__ import annotations

import json

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.features.returns import log_roi_ahead
from roi_forecast.forecaster.expanding_scale import fit_expanding_scale
from roi_forecast.forecaster.horizon_scale import ANCHORS, HorizonScale, fit_horizon_scale
from roi_forecast.forecaster.scale import PENALTY, fit_scale
from roi_forecast.forecaster.scale_inputs import scale_inputs

DATASET = synthetic_dataset(rows=300)
INPUTS = scale_inputs(DATASET)
# All of them, by row and asset.
ALL = INPUTS.at(np.arange(300)[:, np.newaxis], np.arange(3))


def fit(log_roi: np.ndarray = DATASET.log_roi, last_fit: int = 240) -> HorizonScale:
    counted = np.where(DATASET.filled, np.nan, log_roi)
    nearest = fit_expanding_scale(INPUTS, counted, last_fit)
    return fit_horizon_scale(nearest, INPUTS, log_roi, DATASET.filled, last_fit, refit_every=21)


def predict(scale: HorizonScale, horizons: int = 30) -> np.ndarray:
    return np.stack(list(scale.predict(INPUTS, horizons)))


def test_an_anchor_is_fitted_on_moves_that_ended_before_the_rows_it_forecasts() -> None:
    scales = predict(fit())
    for anchor in ANCHORS:
        moves = log_roi_ahead(DATASET.log_roi, DATASET.filled, anchor)
        for start in (198, 219, 240):
            own = fit_scale(
                ALL[22 : start - anchor + 1],
                moves[22 : start - anchor + 1],
                PENALTY * anchor,
            )
            np.testing.assert_allclose(scales[anchor - 1, start], own.predict(ALL[start]))


@pytest.mark.parametrize("row", [150, 200, 239])
def test_no_scale_reads_a_row_that_comes_after_the_one_it_forecasts(row: int) -> None:
    changed = DATASET.log_roi.copy()
    changed[row:] = np.random.default_rng(4).normal(0, 0.3, changed[row:].shape)
    expected = predict(fit())
    found = predict(fit(changed))
    np.testing.assert_array_equal(found[:, : row + 1], expected[:, : row + 1])
    assert not np.array_equal(found[:, row + 1 :], expected[:, row + 1 :])


def test_log_scales_between_two_anchors_are_linear_in_the_log_horizon() -> None:
    logs = np.log(predict(fit())[:, 250])
    share = (np.log(5) - np.log(3)) / (np.log(10) - np.log(3))
    np.testing.assert_allclose(logs[4], (1 - share) * logs[2] + share * logs[9])


def test_fewer_horizons_have_the_same_scales() -> None:
    scale = fit()
    whole = predict(scale)
    for horizons in (1, 2, 3, 5, 20):
        found = predict(scale, horizons)
        np.testing.assert_array_equal(found, whole[:horizons])


def test_beyond_the_last_anchor_scales_grow_with_the_square_root_of_time() -> None:
    short = fit(last_fit=60)
    assert tuple(short.by_anchor) == (1, 3, 10)
    scales = predict(short)
    np.testing.assert_allclose(scales[29, 100], np.sqrt(3) * scales[9, 100])


def test_json_keeps_every_digit() -> None:
    scale = fit()
    content = json.loads(json.dumps(scale.to_json()))
    read = HorizonScale.from_json(content)
    np.testing.assert_array_equal(predict(read), predict(scale))
