from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forecaster.untrained import Formula, correcting
from network.synthetic_dataset import synthetic_dataset, with_wild_rows_from
from roi_forecast.errors import DatasetError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import smooth
from roi_forecast.forecaster import recursive
from roi_forecast.forecaster.recursive import forecast_recursively

DATASET = synthetic_dataset(rows=200, context=2)


def linear(origins: range) -> np.ndarray:
    """What the linear part publishes, the same for a row whatever the origins."""
    return np.random.default_rng(7).normal(0, 0.01, (201, 3))[origins.start : origins.stop]


def forecast(dataset: Dataset, origins: range, horizons: int) -> np.ndarray:
    return forecast_recursively(
        correcting,
        Preprocessing.of_dataset(dataset),
        dataset,
        linear(origins),
        origins,
        horizons,
    )


@pytest.mark.parametrize("span", [1, 3, 5])
@pytest.mark.parametrize("context", [0, 2])
def test_each_step_is_the_forecast_of_rows_to_which_the_steps_before_were_appended(
    span: int, context: int
) -> None:
    dataset = synthetic_dataset(rows=200, smoothing=span, context=context)
    scaler = dataset.scaler
    origins = range(150, 153)
    found = forecast(dataset, origins, 8)
    for place, origin in enumerate(origins):
        log_roi, moves = dataset.log_roi[:origin], dataset.context[:origin]
        for step in range(8):
            # The smoothed series again, from the plain one: both must stay one series.
            smoothed = np.concatenate(
                [dataset.smoothed[: span - 1], smooth(log_roi, span)] if span > 1 else [log_roi]
            )
            scaled_rows = [scaler.transform(smoothed), scaler.transform_context(moves)]
            window = np.concatenate(scaled_rows, axis=1)[np.newaxis, -dataset.seq_len :]
            known = log_roi[len(log_roi) - span + 1 :].sum(axis=0)
            # Beyond the next session the linear part expects nothing.
            expected_next = linear(range(origin, origin + 1))[0] if step == 0 else 0.0
            baseline = scaler.transform((known + expected_next) / span)
            scaled = correcting.forecast_windows(window, baseline[np.newaxis])[0]
            log_roi = np.vstack([log_roi, span * scaler.inverse(scaled) - known])
            # No further context move.
            moves = np.vstack([moves, np.zeros(context)])
            expected = log_roi[origin:].sum(axis=0)
            np.testing.assert_allclose(found[step, place], expected, atol=1e-5)


def test_a_network_that_adds_nothing_forecasts_the_linear_part_and_no_move_after_it() -> None:
    origins = range(150, 160)
    found = forecast_recursively(
        Formula(lambda windows, baseline: baseline),
        Preprocessing.of_dataset(DATASET),
        DATASET,
        linear(origins),
        origins,
        6,
    )
    np.testing.assert_allclose(found, np.tile(linear(origins), (6, 1, 1)), atol=1e-12)


@pytest.mark.parametrize("row", [151, 155, 160])
def test_no_forecast_reads_its_own_row_or_a_later_one(row: int) -> None:
    origins = range(150, 161)
    expected = forecast(DATASET, origins, 6)
    found = forecast(with_wild_rows_from(DATASET, row), origins, 6)
    known = slice(0, row - origins.start + 1)
    np.testing.assert_array_equal(found[:, known], expected[:, known])
    assert (found[:, known.stop :] != expected[:, known.stop :]).all()


@pytest.mark.parametrize("name", ["log_roi", "scaled", "scaled_context"])
def test_the_row_before_the_origin_takes_part(name: str) -> None:
    origins = range(150, 161)
    values = getattr(DATASET, name).copy()
    values[159] = 0.4
    found = forecast(replace(DATASET, **{name: values}), origins, 6)
    expected = forecast(DATASET, origins, 6)
    assert (found[:, -1] != expected[:, -1]).any()
    np.testing.assert_array_equal(found[:, :-1], expected[:, :-1])


def test_many_assets_are_forecast_in_parts_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    origins = range(150, 201)
    expected = forecast(DATASET, origins, 4)
    monkeypatch.setattr(recursive, "_CHUNK_BYTES", 8 * 5 * 4 * 7)
    np.testing.assert_allclose(forecast(DATASET, origins, 4), expected, rtol=1e-12)


def test_origins_out_of_range_are_refused() -> None:
    with pytest.raises(DatasetError, match="no windows of 8 rows"):
        forecast(DATASET, range(200, 202), 2)
