from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge as SklearnRidge

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.errors import DatasetError, TrainingError
from roi_forecast.features.dataset import Dataset
from roi_forecast.network.ridge import fit_ridge

SHORT, LONG = 6, 14


def explicit_rows(dataset: Dataset, targets: range) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lags, centred target and center of each target row and asset, written out one by one."""
    lags, values, centers = [], [], []
    for target in targets:
        for asset in range(len(dataset.symbols)):
            if dataset.filled[target, asset]:
                continue
            center = dataset.scaler.center[asset]
            plain = min(10, dataset.seq_len)
            own = [
                dataset.scaled[target - lag, asset] - center
                for lag in range(1, dataset.seq_len + 1)
            ]
            own += [dataset.scaled_log_roi[target - lag, asset] for lag in range(1, plain + 1)]
            lags.append(own)
            values.append(dataset.scaled[target, asset] - center)
            centers.append(center)
    return np.array(lags, dtype=float), np.array(values, dtype=float), np.array(centers)


@pytest.mark.parametrize("seq_len", [SHORT, LONG])
@pytest.mark.parametrize("penalty", [1e-3, 1.0, 50.0])
def test_ridge_equals_sklearn_on_rows_written_out(seq_len, penalty):
    dataset = synthetic_dataset(seq_len=seq_len)
    lags, values, _ = explicit_rows(dataset, dataset.split.train)
    oracle = SklearnRidge(alpha=penalty, fit_intercept=False).fit(lags, values)

    ridge = fit_ridge(dataset, penalty)

    newest_first = np.concatenate([ridge.smoothed_weights[::-1], ridge.plain_weights[::-1]])
    np.testing.assert_allclose(newest_first, oracle.coef_, rtol=1e-6, atol=1e-9)

    test_lags, _, centers = explicit_rows(dataset, dataset.split.test)
    predicted = ridge.predict(dataset.scaled, dataset.scaled_log_roi, dataset.split.test)
    unfilled = ~dataset.filled[dataset.split.test.start : dataset.split.test.stop]
    np.testing.assert_allclose(
        predicted[unfilled], centers + oracle.predict(test_lags), rtol=1e-6, atol=1e-9
    )


def test_ridge_does_not_change_with_rows_after_the_last_training_target(dataset):
    after = dataset.split.train.stop
    scaled, plain = dataset.scaled.copy(), dataset.scaled_log_roi.copy()
    scaled[after:], plain[after:] = 1e6, -1e6

    ridge = fit_ridge(replace(dataset, scaled=scaled, scaled_log_roi=plain), 1.0)

    undisturbed = fit_ridge(dataset, 1.0)
    np.testing.assert_array_equal(ridge.smoothed_weights, undisturbed.smoothed_weights)
    np.testing.assert_array_equal(ridge.plain_weights, undisturbed.plain_weights)


def test_ridge_does_not_change_with_the_values_of_filled_targets(dataset):
    # Only as targets: as lags they count, so the planted row is the last one that training reads.
    last = dataset.split.train.stop - 1
    filled, scaled = dataset.filled.copy(), dataset.scaled.copy()
    filled[last, 1] = True
    masked = fit_ridge(replace(dataset, filled=filled), 1.0)
    scaled[last, 1] = 1e6

    planted = fit_ridge(replace(dataset, filled=filled, scaled=scaled), 1.0)

    np.testing.assert_array_equal(planted.smoothed_weights, masked.smoothed_weights)


def test_ridge_prediction_does_not_change_with_its_target_or_later_rows(dataset):
    target = 150
    ridge = fit_ridge(dataset, 1.0)
    scaled, plain = dataset.scaled.copy(), dataset.scaled_log_roi.copy()
    scaled[target:], plain[target:] = 1e6, -1e6
    np.testing.assert_array_equal(
        ridge.predict(scaled, plain, range(140, target + 1)),
        ridge.predict(dataset.scaled, dataset.scaled_log_roi, range(140, target + 1)),
    )


def test_ridge_predicts_the_session_after_the_last_row(dataset):
    rows = len(dataset.scaled)
    ridge = fit_ridge(dataset, 1.0)
    next_session = ridge.predict(dataset.scaled, dataset.scaled_log_roi, range(rows, rows + 1))
    shorter = ridge.predict(
        dataset.scaled[: rows - 1], dataset.scaled_log_roi[: rows - 1], range(rows - 1, rows)
    )
    np.testing.assert_array_equal(
        shorter, ridge.predict(dataset.scaled, dataset.scaled_log_roi, range(rows - 1, rows))
    )
    assert next_session.shape == (1, 3)
    assert not np.array_equal(next_session, shorter)


@pytest.mark.parametrize("targets", [range(7, 20), range(8, 202), range(20, 20), range(8, 20, 2)])
def test_ridge_refuses_targets_out_of_range(dataset, targets):
    ridge = fit_ridge(dataset, 1.0)
    with pytest.raises(DatasetError, match="from 8 to 200"):
        ridge.predict(dataset.scaled, dataset.scaled_log_roi, targets)


def test_ridge_refuses_other_assets_than_it_was_fitted_on(dataset):
    ridge = fit_ridge(dataset, 1.0)
    with pytest.raises(DatasetError, match=r"fitted on 3 assets; received .*200, 2"):
        ridge.predict(dataset.scaled[:, :2], dataset.scaled_log_roi[:, :2], range(8, 20))


def test_ridge_refuses_a_dataset_whose_training_targets_are_all_filled(dataset):
    with pytest.raises(TrainingError, match="no training target is left"):
        fit_ridge(replace(dataset, filled=np.ones_like(dataset.filled)), 1.0)


@pytest.mark.parametrize("penalty", [0.0, -1.0, float("nan")])
def test_ridge_refuses_a_penalty_that_is_not_above_zero(dataset, penalty):
    with pytest.raises(TrainingError, match="ridge_penalty: received"):
        fit_ridge(dataset, penalty)
