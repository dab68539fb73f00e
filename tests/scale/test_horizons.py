from __future__ import annotations

import json

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.features import refits
from roi_forecast.features.returns import log_roi_ahead
from roi_forecast.scale import through_time
from roi_forecast.scale.averages import MEMORY
from roi_forecast.scale.fit import PENALTY, fit_scale
from roi_forecast.scale.horizons import ANCHORS, HorizonScale, fit_horizon_scale
from roi_forecast.scale.inputs import scale_inputs
from roi_forecast.scale.market_rows import RowSlice

DATASET = synthetic_dataset(rows=300)
INPUTS = scale_inputs(DATASET)
# All of them, by row and asset.
ALL = INPUTS.at(np.arange(300)[:, np.newaxis], np.arange(3))


def fit(log_roi: np.ndarray = DATASET.log_roi, needed_from: int = 240) -> HorizonScale:
    return fit_horizon_scale(INPUTS, log_roi, DATASET.filled, needed_from=needed_from)


def predict(scale: HorizonScale, horizons: int = 30) -> np.ndarray:
    return np.stack(list(scale.predict(INPUTS, horizons)))


def test_an_anchor_is_fitted_on_moves_that_ended_before_the_rows_it_forecasts() -> None:
    scales = predict(fit())
    for anchor in ANCHORS:
        moves = log_roi_ahead(DATASET.log_roi, DATASET.filled, anchor)
        # The first row of a quarter, and so of a month.
        for start in (182, 274):
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
    short = fit(needed_from=60)
    assert tuple(short.by_anchor) == (1, 3, 10)
    scales = predict(short)
    np.testing.assert_allclose(scales[29, 100], np.sqrt(3) * scales[9, 100])


def test_extended_scales_are_those_made_of_all_rows() -> None:
    early = RowSlice.of(DATASET, 0, 185)
    stored = fit_horizon_scale(scale_inputs(early), early.log_roi, early.filled)
    whole = fit_horizon_scale(INPUTS, DATASET.log_roi, DATASET.filled)
    extended = stored.extended(INPUTS, DATASET.log_roi, DATASET.filled)
    assert extended.to_json() == whole.to_json()
    assert [len(scale.fits) for scale in whole.by_anchor.values()] == [8, 4, 3, 3]


def test_later_fits_from_just_the_rows_needed_are_those_of_all_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refits, "MIN_ROWS", 20)
    monkeypatch.setattr(refits, "MAX_PAIRS", 50)
    monkeypatch.setattr(through_time, "MAX_DRAWN", 50)
    early = RowSlice.of(DATASET, 0, 185)
    stored = fit_horizon_scale(scale_inputs(early), early.log_roi, early.filled)
    assert stored.complete_until == DATASET.dates[182]
    assert stored.rows_needed(3) == 20 + 29 + MEMORY
    start = 182 - stored.rows_needed(3)
    recent = RowSlice.of(DATASET, start, 300)
    found = stored.extended(scale_inputs(recent), recent.log_roi, recent.filled)
    expected = stored.extended(INPUTS, DATASET.log_roi, DATASET.filled)
    assert len(expected.by_anchor[1].fits) > len(stored.by_anchor[1].fits)
    assert len(expected.by_anchor[30].fits) > len(stored.by_anchor[30].fits)
    np.testing.assert_allclose(predict(found)[:, 182:], predict(expected)[:, 182:], rtol=1e-9)


def test_json_keeps_every_digit() -> None:
    scale = fit()
    content = json.loads(json.dumps(scale.to_json()))
    read = HorizonScale.from_json(content)
    np.testing.assert_array_equal(predict(read), predict(scale))
