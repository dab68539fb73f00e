from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.errors import TrainingError
from roi_forecast.features import refits
from roi_forecast.features.returns import log_roi_ahead
from roi_forecast.scale import through_time
from roi_forecast.scale.averages import MEMORY
from roi_forecast.scale.fit import PENALTY, fit_scale
from roi_forecast.scale.inputs import scale_inputs
from roi_forecast.scale.market_rows import RowSlice
from roi_forecast.scale.through_time import (
    ExpandingScale,
    fit_expanding_scale,
    fitted_rows,
    rows_needed,
)

DATASET = synthetic_dataset(rows=200)
INPUTS = scale_inputs(DATASET)
# All of them, by row and asset.
ALL = INPUTS.at(np.arange(200)[:, np.newaxis], np.arange(3))

# Days in a row from 2024-01-01 on: the months begin at the rows 31, 60, 91, …
STARTS = [85, 91, 121, 152, 182]

PER_ROW = ("dates", "own", "market")


def test_each_row_is_forecast_by_the_newest_fit_before_it() -> None:
    scale = fit_expanding_scale(INPUTS, DATASET.log_roi)
    assert scale.dates.tolist() == DATASET.dates[STARTS].tolist()
    assert [day.day for day in scale.dates.tolist()[1:]] == [1, 1, 1, 1]
    found = scale.predict(INPUTS)
    assert np.isnan(found[:85]).all()
    for row, fitted_before in ((85, 85), (90, 85), (91, 91), (120, 91), (121, 121), (199, 182)):
        own = fit_scale(ALL[22:fitted_before], DATASET.log_roi[22:fitted_before])
        np.testing.assert_allclose(found[row], own.predict(ALL[row]))


def test_a_month_that_begins_after_the_last_row_has_its_fit() -> None:
    rows = RowSlice.of(DATASET, 0, 121)
    inputs = scale_inputs(rows, np.datetime64("2024-05-02"))
    scale = fit_expanding_scale(inputs, rows.log_roi)
    own = fit_scale(ALL[22:121], DATASET.log_roi[22:121])
    assert scale.dates[-1] == np.datetime64("2024-05-02")
    np.testing.assert_allclose(scale.fits[-1].slopes, own.slopes)


def test_beyond_the_next_session_a_quarter_has_a_fit_on_moves_that_ended_before_it() -> None:
    moves = log_roi_ahead(DATASET.log_roi, DATASET.filled, 3)
    scale = fit_expanding_scale(INPUTS, moves, horizon=3)
    assert scale.dates.tolist() == DATASET.dates[[87, 91, 182]].tolist()
    own = fit_scale(ALL[22:180], moves[22:180], 3 * PENALTY)
    np.testing.assert_allclose(scale.fits[-1].slopes, own.slopes)


def test_rows_of_other_dates_are_forecast_by_the_same_fits() -> None:
    scale = fit_expanding_scale(INPUTS, DATASET.log_roi)
    whole = scale.predict(INPUTS)
    later = replace(INPUTS, **{name: getattr(INPUTS, name)[100:] for name in PER_ROW})
    np.testing.assert_array_equal(scale.predict(later), whole[100:])


def test_a_fit_takes_the_newest_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    own = fit_scale(ALL[132:182], DATASET.log_roi[132:182])
    shorter = fit_expanding_scale(INPUTS, DATASET.log_roi, longest=50)
    np.testing.assert_allclose(shorter.fits[-1].slopes, own.slopes)
    monkeypatch.setattr(refits, "MIN_ROWS", 50)
    monkeypatch.setattr(refits, "MAX_PAIRS", 150)
    found = fit_expanding_scale(INPUTS, DATASET.log_roi)
    np.testing.assert_allclose(found.fits[-1].slopes, own.slopes)


def test_many_assets_are_fitted_on_fewer_rows() -> None:
    assert [fitted_rows(assets) for assets in (1, 23, 400, 401, 5000)] == [
        200_000, 8_695, 500, 500, 500
    ]  # fmt: skip
    assert rows_needed(5000) == 500 + MEMORY
    assert rows_needed(5000, 30) == 500 + 29 + MEMORY


def limit(patch: pytest.MonkeyPatch, rows: int, pairs: int) -> None:
    patch.setattr(refits, "MIN_ROWS", rows)
    patch.setattr(refits, "MAX_PAIRS", pairs)
    patch.setattr(through_time, "MAX_DRAWN", pairs)


@pytest.mark.parametrize("horizon", [1, 3])
# 40 rows of all pairs, or 30 rows and a random two thirds of their pairs.
@pytest.mark.parametrize("pairs", [120, 60])
def test_a_month_has_the_same_fit_from_just_the_rows_needed_as_from_all(
    monkeypatch: pytest.MonkeyPatch, horizon: int, pairs: int
) -> None:
    limit(monkeypatch, 30, pairs)
    moves = log_roi_ahead(DATASET.log_roi, DATASET.filled, horizon)
    expected = fit_expanding_scale(INPUTS, moves, horizon=horizon)
    needed = rows_needed(3, horizon)
    for rows in (needed, needed + 7, needed - 10):
        first = 182 - rows
        inputs = scale_inputs(RowSlice.of(DATASET, first, 200))
        found = fit_expanding_scale(inputs, moves[first:], horizon=horizon)
        assert found.dates[-1] == expected.dates[-1] == DATASET.dates[182]
        weights = [[fits.fits[-1].intercept, *fits.fits[-1].slopes] for fits in (found, expected)]
        is_same = np.allclose(*weights, rtol=1e-9, atol=1e-12)
        assert is_same == (rows >= needed)


def test_a_fit_on_fewer_pairs_takes_that_share_of_the_rows_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit(monkeypatch, 500, 160)
    some = fit_expanding_scale(INPUTS, DATASET.log_roi)
    days = DATASET.dates.astype(int)
    draws = np.stack([np.random.default_rng((20_241_227, day)).random(3) for day in days])
    for fit, stop in zip(some.fits, STARTS, strict=True):
        is_drawn = draws[22:stop] < 160 / ((stop - 22) * 3)
        own = fit_scale(ALL[22:stop], np.where(is_drawn, DATASET.log_roi[22:stop], np.nan))
        np.testing.assert_allclose(fit.slopes, own.slopes, rtol=1e-6)
    limit(monkeypatch, 500, 10**6)
    whole = fit_expanding_scale(INPUTS, DATASET.log_roi)
    assert not np.allclose(some.fits[0].slopes, whole.fits[0].slopes)


@pytest.mark.parametrize("pairs", [160, 200_000])
@pytest.mark.parametrize("row", [91, 92, 121, 150])
def test_a_planted_future_value_changes_no_fit_before_it(
    monkeypatch: pytest.MonkeyPatch, pairs: int, row: int
) -> None:
    limit(monkeypatch, 500, pairs)
    wild = DATASET.log_roi.copy()
    wild[row:] = 1e3
    expected = fit_expanding_scale(INPUTS, DATASET.log_roi).to_json()
    found = fit_expanding_scale(INPUTS, wild).to_json()
    for start, one, other in zip(STARTS, found, expected, strict=True):
        assert (one == other) == (start <= row)


def test_extended_fits_are_those_made_of_all_rows() -> None:
    whole = fit_expanding_scale(INPUTS, DATASET.log_roi)
    early = RowSlice.of(DATASET, 0, 130)
    stored = fit_expanding_scale(scale_inputs(early), early.log_roi)
    stored = ExpandingScale.from_json(json.loads(json.dumps(stored.to_json())))
    extended = stored.extended(INPUTS, DATASET.log_roi)
    assert extended.to_json() == whole.to_json()
    assert extended.extended(INPUTS, DATASET.log_roi).to_json() == whole.to_json()


def test_extending_keeps_the_stored_fits_when_older_prices_change() -> None:
    early = RowSlice.of(DATASET, 0, 130)
    stored = fit_expanding_scale(scale_inputs(early), early.log_roi)
    extended = stored.extended(INPUTS, DATASET.log_roi * 2)
    assert extended.to_json()[: len(stored.fits)] == stored.to_json()
    assert extended.dates.tolist() == DATASET.dates[STARTS].tolist()


def test_without_any_volume_the_fit_is_that_of_the_other_inputs() -> None:
    volume = [0, np.nan]
    rows = [replace(DATASET, volume=np.full(DATASET.log_roi.shape, each)) for each in volume]
    zero, none = (fit_expanding_scale(scale_inputs(each), each.log_roi) for each in rows)
    assert zero.to_json() == none.to_json()
    others = np.delete(ALL, [27, 28], axis=-1)
    own = fit_scale(others[22:182], DATASET.log_roi[22:182])
    slopes = none.fits[-1].slopes
    assert not slopes[[27, 28]].any()
    np.testing.assert_allclose(np.delete(slopes, [27, 28]), own.slopes, rtol=1e-6)


def test_few_rows_give_a_single_fit_for_the_first_row_needed() -> None:
    rows = RowSlice.of(DATASET, 0, 40)
    last = fit_expanding_scale(scale_inputs(rows, rows.dates[-1] + 1), rows.log_roi)
    assert last.dates.tolist() == [DATASET.dates[40].item()]
    scale = fit_expanding_scale(scale_inputs(rows), rows.log_roi, needed_from=12)
    assert scale.dates.tolist() == [DATASET.dates[12].item()]
    assert np.isfinite(scale.predict(INPUTS)[12:]).all()


def test_no_rows_are_refused() -> None:
    with pytest.raises(TrainingError, match="1 rows before its first forecast"):
        fit_expanding_scale(INPUTS, DATASET.log_roi, needed_from=1)


def test_json_keeps_every_digit() -> None:
    scale = fit_expanding_scale(INPUTS, DATASET.log_roi)
    read = ExpandingScale.from_json(json.loads(json.dumps(scale.to_json())))
    np.testing.assert_array_equal(read.predict(INPUTS), scale.predict(INPUTS))
