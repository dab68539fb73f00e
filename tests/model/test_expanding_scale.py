from __future__ import annotations

import json

import numpy as np
import pytest

from roi_forecast.errors import TrainingError
from roi_forecast.model.expanding_scale import ExpandingScale, fit_expanding_scale
from roi_forecast.model.scale import fit_scale
from roi_forecast.model.scale_inputs import scale_inputs

from .synthetic_dataset import synthetic_dataset

DATASET = synthetic_dataset(rows=200)
INPUTS = scale_inputs(DATASET)


def test_each_row_is_forecast_by_the_newest_fit_before_it() -> None:
    scale = fit_expanding_scale(INPUTS, DATASET.log_roi, DATASET.dates, 150, refit_every=21)
    assert scale.dates.tolist() == DATASET.dates[[87, 108, 129, 150]].tolist()
    found = scale.predict(INPUTS, DATASET.dates)
    assert np.isnan(found[:87]).all()
    for row, fitted_before in ((87, 87), (107, 87), (108, 108), (149, 129), (150, 150), (199, 150)):
        own = fit_scale(INPUTS[22:fitted_before], DATASET.log_roi[22:fitted_before])
        np.testing.assert_allclose(found[row], own.predict(INPUTS[row]))


def test_rows_of_other_dates_are_forecast_by_the_same_fits() -> None:
    scale = fit_expanding_scale(INPUTS, DATASET.log_roi, DATASET.dates, 150)
    whole = scale.predict(INPUTS, DATASET.dates)
    np.testing.assert_array_equal(scale.predict(INPUTS[100:], DATASET.dates[100:]), whole[100:])


def test_a_rolling_fit_takes_the_newest_rows() -> None:
    scale = fit_expanding_scale(INPUTS, DATASET.log_roi, DATASET.dates, 150, longest=50)
    own = fit_scale(INPUTS[100:150], DATASET.log_roi[100:150])
    np.testing.assert_allclose(scale.fits[-1].slopes, own.slopes)


def test_few_rows_give_a_single_fit() -> None:
    scale = fit_expanding_scale(INPUTS, DATASET.log_roi, DATASET.dates, 12)
    assert scale.dates.tolist() == [DATASET.dates[12].item()]
    assert np.isfinite(scale.predict(INPUTS, DATASET.dates)[12:]).all()


def test_no_rows_are_refused() -> None:
    with pytest.raises(TrainingError, match="1 rows before its first forecast"):
        fit_expanding_scale(INPUTS, DATASET.log_roi, DATASET.dates, 1)


def test_json_keeps_every_digit() -> None:
    scale = fit_expanding_scale(INPUTS, DATASET.log_roi, DATASET.dates, 150)
    read = ExpandingScale.from_json(json.loads(json.dumps(scale.to_json())))
    np.testing.assert_array_equal(
        read.predict(INPUTS, DATASET.dates), scale.predict(INPUTS, DATASET.dates)
    )
