from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from roi_forecast.errors import DatasetError
from roi_forecast.features.scaling import Scaler, ScalerKind

VALUES = arrays(np.float64, (20, 3), elements=st.floats(-1, 1, width=32))


@pytest.mark.parametrize(
    ("kind", "oracle"), [("minmax", MinMaxScaler), ("standard", StandardScaler)]
)
def test_scaler_equals_that_of_scikit_learn(kind: ScalerKind, oracle: type) -> None:
    generator = np.random.default_rng(3)
    values, later = generator.normal(0, 0.02, (50, 4)), generator.normal(0, 0.02, (9, 4))
    expected = oracle().fit(values).transform(later)
    found = Scaler.fit(values, values, kind).transform(later)
    np.testing.assert_allclose(found, expected)
    low, high = values.min(axis=0), values.max(axis=0)
    by_definition = {
        "minmax": (later - low) / (high - low),
        "standard": (later - values.mean(axis=0)) / values.std(axis=0),
    }
    np.testing.assert_allclose(found, by_definition[kind])


@given(VALUES, st.sampled_from(["minmax", "standard"]))
def test_inverse_undoes_transform(values: np.ndarray, kind: ScalerKind) -> None:
    scaler = Scaler.fit(values, values, kind)
    np.testing.assert_allclose(scaler.inverse(scaler.transform(values)), values, atol=1e-9)


def test_a_price_that_never_moves_scales_to_finite_values() -> None:
    still = np.zeros((10, 1))
    scaler = Scaler.fit(still, still, "minmax")
    assert np.isfinite(scaler.transform(np.array([[0.3]]))).all()
    assert scaler.transform(still).tolist() == still.tolist()


@given(VALUES)
def test_json_keeps_every_digit(values: np.ndarray) -> None:
    scaler = Scaler.fit(values, values / 3, "minmax")
    read = Scaler.from_json(json.loads(json.dumps(scaler.to_json())))
    for name in ("offset", "slope", "center", "log_roi_mean"):
        np.testing.assert_array_equal(getattr(read, name), getattr(scaler, name))


def test_plain_log_rois_come_to_scaled_units_around_their_training_mean() -> None:
    generator = np.random.default_rng(4)
    smoothed, plain = generator.normal(0, 0.01, (30, 2)), generator.normal(0, 0.02, (30, 2))
    scaled = Scaler.fit(smoothed, plain, "minmax").transform_log_roi(plain)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    spread = smoothed.max(axis=0) - smoothed.min(axis=0)
    np.testing.assert_allclose(scaled, (plain - plain.mean(axis=0)) / spread)


@pytest.mark.parametrize(
    ("values", "message"),
    [(np.zeros((0, 2)), "at least one"), (np.full((3, 2), np.nan), "not finite")],
)
def test_scaler_refuses_rows_it_cannot_be_fitted_on(values: np.ndarray, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        Scaler.fit(values, values, "minmax")
