from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.errors import TrainingError
from roi_forecast.forecaster.expanding_scale import ExpandingScale, fit_expanding_scale
from roi_forecast.forecaster.scale import fit_scale
from roi_forecast.forecaster.scale_inputs import scale_inputs

DATASET = synthetic_dataset(rows=200)
INPUTS = scale_inputs(DATASET)
# All of them, by row and asset.
ALL = INPUTS.at(np.arange(200)[:, np.newaxis], np.arange(3))

PER_ROW = ("dates", "own", "market")


def test_each_row_is_forecast_by_the_newest_fit_before_it() -> None:
    scale = fit_expanding_scale(INPUTS, DATASET.log_roi, 150, refit_every=21)
    assert scale.dates.tolist() == DATASET.dates[[87, 108, 129, 150]].tolist()
    found = scale.predict(INPUTS)
    assert np.isnan(found[:87]).all()
    for row, fitted_before in ((87, 87), (107, 87), (108, 108), (149, 129), (150, 150), (199, 150)):
        own = fit_scale(ALL[22:fitted_before], DATASET.log_roi[22:fitted_before])
        np.testing.assert_allclose(found[row], own.predict(ALL[row]))


def test_rows_of_other_dates_are_forecast_by_the_same_fits() -> None:
    scale = fit_expanding_scale(INPUTS, DATASET.log_roi, 150)
    whole = scale.predict(INPUTS)
    later = replace(INPUTS, **{name: getattr(INPUTS, name)[100:] for name in PER_ROW})
    np.testing.assert_array_equal(scale.predict(later), whole[100:])


def test_a_rolling_fit_takes_the_newest_rows() -> None:
    scale = fit_expanding_scale(INPUTS, DATASET.log_roi, 150, longest=50)
    own = fit_scale(ALL[100:150], DATASET.log_roi[100:150])
    np.testing.assert_allclose(scale.fits[-1].slopes, own.slopes)


def fit_on_some(log_roi: np.ndarray, last_fit: int, max_pairs: int) -> ExpandingScale:
    return fit_expanding_scale(INPUTS, log_roi, last_fit, max_pairs=max_pairs)


def test_a_fit_on_fewer_pairs_takes_that_share_of_the_rows_before_it() -> None:
    some = fit_on_some(DATASET.log_roi, 150, 160)
    draws = np.random.default_rng(20_241_227).random((150, 3))
    for fit, stop in zip(some.fits, (87, 108, 129, 150), strict=True):
        is_drawn = draws[22:stop] < 160 / ((stop - 22) * 3)
        own = fit_scale(ALL[22:stop], np.where(is_drawn, DATASET.log_roi[22:stop], np.nan))
        np.testing.assert_allclose(fit.slopes, own.slopes, rtol=1e-6)
    assert not np.allclose(
        some.fits[0].slopes, fit_on_some(DATASET.log_roi, 150, 999).fits[0].slopes
    )


def test_as_many_pairs_as_there_are_change_nothing() -> None:
    some, whole = (fit_on_some(DATASET.log_roi, 150, pairs) for pairs in (128 * 3, 10**9))
    assert some.to_json() == whole.to_json()


@pytest.mark.parametrize("max_pairs", [160, 10**9])
def test_a_planted_future_value_changes_no_fit_before_it(max_pairs: int) -> None:
    wild = DATASET.log_roi.copy()
    wild[130:] = 1e3
    expected = fit_on_some(DATASET.log_roi, 150, max_pairs).to_json()
    found = fit_on_some(wild, 150, max_pairs).to_json()
    assert found[:3] == expected[:3]
    assert found[3] != expected[3]


def test_few_rows_give_a_single_fit() -> None:
    scale = fit_expanding_scale(INPUTS, DATASET.log_roi, 12)
    assert scale.dates.tolist() == [DATASET.dates[12].item()]
    assert np.isfinite(scale.predict(INPUTS)[12:]).all()


def test_no_rows_are_refused() -> None:
    with pytest.raises(TrainingError, match="1 rows before its first forecast"):
        fit_expanding_scale(INPUTS, DATASET.log_roi, 1)


def test_json_keeps_every_digit() -> None:
    scale = fit_expanding_scale(INPUTS, DATASET.log_roi, 150)
    read = ExpandingScale.from_json(json.loads(json.dumps(scale.to_json())))
    np.testing.assert_array_equal(read.predict(INPUTS), scale.predict(INPUTS))
