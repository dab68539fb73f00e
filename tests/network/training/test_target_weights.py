from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from roi_forecast.config import LossConfig
from roi_forecast.network.training.batches import target_weights

HALF_LIFE = LossConfig(loss="weighted_mse", loss_recency_half_life=20)


def test_other_losses_have_no_weights(dataset):
    assert target_weights(dataset, dataset.split.train, LossConfig(loss="mae")) is None


def test_a_named_asset_counts_by_its_weight_and_assets_mean_one(dataset):
    config = LossConfig(loss="weighted_mse", loss_asset_weights={"ASSET1.NS": 4.0})
    weights = target_weights(dataset, dataset.split.validation, config)
    np.testing.assert_allclose(weights, np.tile([0.5, 2.0, 0.5], (len(weights), 1)))


def test_the_weight_of_a_training_target_halves_with_its_age_and_they_mean_one(dataset):
    weights = target_weights(dataset, dataset.split.train, HALF_LIFE)
    assert weights[:, 0].mean() == pytest.approx(1.0)
    np.testing.assert_allclose(weights[:-20] * 2, weights[20:], rtol=1e-5)


def test_validation_targets_do_not_age(dataset):
    weights = target_weights(dataset, dataset.split.validation, HALF_LIFE)
    np.testing.assert_array_equal(weights, 1.0)


def test_weights_do_not_depend_on_any_value_of_the_dataset(dataset):
    wild = replace(dataset, scaled=dataset.scaled * np.float32(1e9))
    np.testing.assert_array_equal(
        target_weights(wild, wild.split.train, HALF_LIFE),
        target_weights(dataset, dataset.split.train, HALF_LIFE),
    )
