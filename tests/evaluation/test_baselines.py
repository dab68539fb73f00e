from __future__ import annotations

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.baselines import no_skill, persistence, zero
from roi_forecast.forecaster.forecasts import Forecasts

DATASET = synthetic_dataset()
TARGETS = DATASET.split.test


def scaled(forecasts: Forecasts) -> np.ndarray:
    return DATASET.scaler.transform(forecasts.smoothed[0])


def test_persistence_is_the_value_of_the_row_before() -> None:
    np.testing.assert_allclose(
        scaled(persistence(DATASET, TARGETS)),
        DATASET.scaled[TARGETS.start - 1 : TARGETS.stop - 1],
        atol=1e-6,
    )


def test_zero_knows_the_past_days_and_forecasts_no_move() -> None:
    found = zero(DATASET, TARGETS)
    assert not found.log_roi.any()
    for number, target in enumerate(TARGETS):
        known = DATASET.log_roi[target - DATASET.smoothing + 1 : target].sum(axis=0)
        np.testing.assert_allclose(found.smoothed[0, number], known / DATASET.smoothing)


def test_no_skill_replaces_only_the_newest_log_roi_by_its_training_mean() -> None:
    found = scaled(no_skill(DATASET, TARGETS))
    for number, target in enumerate(TARGETS):
        for asset in range(len(DATASET.symbols)):
            values = list(DATASET.log_roi[target - DATASET.smoothing + 1 : target, asset])
            values.append(DATASET.log_roi[: DATASET.split.train.stop, asset].mean())
            smoothed = sum(values) / DATASET.smoothing
            scaler = DATASET.scaler
            expected = (smoothed - scaler.offset[asset]) * scaler.slope[asset]
            assert found[number, asset] == pytest.approx(expected, abs=1e-9)


def test_no_skill_of_unpredictable_returns_is_near_the_known_share() -> None:
    dataset = synthetic_dataset(rows=4000, smoothing=5)
    targets = dataset.split.test
    actual = dataset.scaler.transform(dataset.smoothed)[targets.start : targets.stop]
    limit = metrics.r2.overall(
        actual, dataset.scaler.transform(no_skill(dataset, targets).smoothed[0])
    )
    assert limit == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("baseline", [persistence, zero, no_skill])
def test_no_baseline_looks_at_its_target_or_later(baseline: object) -> None:
    first = TARGETS.start
    expected = baseline(DATASET, range(first, first + 1))  # type: ignore[operator]
    changed = synthetic_dataset()
    changed.log_roi[first:] = 1e6
    changed.smoothed[first:] = 1e6
    found = baseline(changed, range(first, first + 1))  # type: ignore[operator]
    for name in ("smoothed", "log_roi"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
