from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.errors import DatasetError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import smooth
from roi_forecast.forecaster import recursive
from roi_forecast.forecaster.recursive import forecast_recursively
from roi_forecast.network.ridge import fit_ridge

DATASET = synthetic_dataset(rows=200)


def forecast(dataset: Dataset, origins: range, horizons: int) -> np.ndarray:
    ridge = fit_ridge(DATASET, 1.0)
    return forecast_recursively(
        ridge.forecast_windows, Preprocessing.of_dataset(dataset), dataset, origins, horizons
    )


@pytest.mark.parametrize("span", [1, 3, 5])
def test_each_step_is_the_forecast_of_rows_to_which_the_steps_before_were_appended(
    span: int,
) -> None:
    dataset = synthetic_dataset(rows=200, smoothing=span)
    ridge = fit_ridge(dataset, 1.0)
    scaler = dataset.scaler
    origins = range(150, 153)
    found = forecast_recursively(
        ridge.forecast_windows, Preprocessing.of_dataset(dataset), dataset, origins, 8
    )
    for place, origin in enumerate(origins):
        log_roi = dataset.log_roi[:origin]
        for step in range(8):
            # The smoothed series again, from the plain one: both must stay one series.
            smoothed = np.concatenate(
                [dataset.smoothed[: span - 1], smooth(log_roi, span)] if span > 1 else [log_roi]
            )
            rows = len(log_roi)
            scaled = ridge.predict(
                scaler.transform(smoothed),
                scaler.transform_log_roi(log_roi),
                range(rows, rows + 1),
            )[0]
            known = log_roi[rows - span + 1 :].sum(axis=0)
            log_roi = np.vstack([log_roi, span * scaler.inverse(scaled) - known])
            expected = log_roi[origin:].sum(axis=0)
            np.testing.assert_allclose(found[step, place], expected, atol=1e-5)


def test_no_forecast_reads_its_own_row_or_a_later_one() -> None:
    origins = range(150, 161)
    expected = forecast(DATASET, origins, 6)
    changed = {}
    for name in ("log_roi", "scaled", "scaled_log_roi"):
        values = getattr(DATASET, name).copy()
        values[160:] = 0.4
        changed[name] = values
    np.testing.assert_array_equal(forecast(replace(DATASET, **changed), origins, 6), expected)
    values = DATASET.log_roi.copy()
    values[159] = 0.4
    other = forecast(replace(DATASET, log_roi=values), origins, 6)
    assert (other[:, -1] != expected[:, -1]).all()


def test_many_assets_are_forecast_in_parts_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    origins = range(150, 201)
    expected = forecast(DATASET, origins, 4)
    monkeypatch.setattr(recursive, "_CHUNK_BYTES", 8 * 3 * 4 * 7)
    np.testing.assert_allclose(forecast(DATASET, origins, 4), expected, rtol=1e-12)


def test_origins_out_of_range_are_refused() -> None:
    with pytest.raises(DatasetError, match="no windows of 8 rows"):
        forecast(DATASET, range(200, 202), 2)
