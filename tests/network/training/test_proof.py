from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from network.saved_network import network_bytes, random_network
from network.synthetic_dataset import SMALL
from roi_forecast.features.dataset import Dataset
from roi_forecast.linear.baseline import dataset_baseline
from roi_forecast.network.forward import Network
from roi_forecast.network.predictor import load_predictor
from roi_forecast.network.training.proof import MIN_BLOCKS, is_proven, paired_standard_errors
from roi_forecast.network.training.result import TrainingResult
from roi_forecast.network.training.train import train_model


def test_standard_errors_are_the_t_statistic_of_the_paired_differences() -> None:
    differences = np.random.default_rng(1).normal(0.2, 1.0, 17)
    expected = ttest_1samp(differences, 0).statistic
    assert paired_standard_errors(differences) == pytest.approx(expected)


def test_too_few_blocks_prove_nothing_against_the_best_epoch() -> None:
    assert paired_standard_errors(-np.ones(MIN_BLOCKS - 1)) == np.inf


def test_equal_losses_are_no_improvement() -> None:
    assert paired_standard_errors(np.zeros(10)) == 0.0
    assert paired_standard_errors(np.full(10, 0.5)) == np.inf


def test_network_that_is_not_better_beyond_chance_stays_at_the_baseline(
    dataset: Dataset, trained: TrainingResult, tmp_path: Path
) -> None:
    assert trained.best_epoch > 0
    strict = SMALL.model_copy(update={"improvement_standard_errors": 10.0})
    result = train_model(dataset, strict, tmp_path)
    assert result.best_epoch == 0
    assert [each.validation_loss for each in result.history] == [
        each.validation_loss for each in trained.history
    ]
    targets = dataset.split.test
    baseline = dataset_baseline(dataset, SMALL.half_life, targets)
    kept = load_predictor(tmp_path).predict(dataset.inputs, baseline, targets)
    np.testing.assert_allclose(kept, baseline, atol=1e-6)


def test_a_network_is_judged_by_what_it_adds_to_the_baseline(dataset: Dataset) -> None:
    """Where the baseline is the target but for a tenth, adding that tenth is an improvement."""
    targets = dataset.split.validation
    truth = dataset.scaled[targets.start : targets.stop].astype(np.float64)
    noise = np.random.default_rng(1).normal(0, 0.02, truth.shape)
    start = Network.from_bytes(network_bytes(random_network()))
    nothing = {**start.weights, "output/kernel": 0 * start.weights["output/kernel"]}
    before, after = (
        Network(8, {**nothing, "output/bias": np.full(3, added, np.float32)}, adds_baseline=True)
        for added in (0.0, 0.1)
    )
    strict = SMALL.model_copy(update={"improvement_standard_errors": 1.0})

    assert is_proven(before, after, dataset, truth - 0.1 + noise, strict)
    assert not is_proven(before, after, dataset, truth + noise, strict)
    assert not is_proven(after, before, dataset, truth - 0.1 + noise, strict)


def test_network_that_is_plainly_better_is_kept(dataset: Dataset, tmp_path: Path) -> None:
    config = SMALL.model_copy(
        update={"architecture": "hybrid", "epochs": 4, "improvement_standard_errors": 1.0}
    )
    assert train_model(dataset, config, tmp_path).best_epoch > 0


def test_differences_that_are_one_value_but_for_rounding_are_no_chance() -> None:
    steps = np.random.default_rng(1).integers(-9, 10, 10) * np.finfo(np.float64).eps
    assert paired_standard_errors(0.3 * (1 + steps)) == float("inf")
    assert paired_standard_errors(-0.3 * (1 + steps)) == 0.0
