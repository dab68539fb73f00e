from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from network.synthetic_dataset import SMALL
from roi_forecast.features.dataset import Dataset
from roi_forecast.network.predictor import load_predictor
from roi_forecast.network.ridge import fit_ridge
from roi_forecast.network.training.proof import MIN_BLOCKS, paired_standard_errors
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


def test_network_that_is_not_better_beyond_chance_stays_at_ridge(
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
    kept = load_predictor(tmp_path).predict(dataset.scaled, dataset.scaled_log_roi, targets)
    ridge = fit_ridge(dataset, SMALL.ridge_penalty).predict(
        dataset.scaled, dataset.scaled_log_roi, targets
    )
    np.testing.assert_allclose(kept, ridge, atol=1e-5)


def test_network_that_is_plainly_better_is_kept(dataset: Dataset, tmp_path: Path) -> None:
    config = SMALL.model_copy(
        update={"architecture": "hybrid", "epochs": 4, "improvement_standard_errors": 1.0}
    )
    assert train_model(dataset, config, tmp_path).best_epoch > 0


def test_differences_that_are_one_value_but_for_rounding_are_no_chance() -> None:
    steps = np.random.default_rng(1).integers(-9, 10, 10) * np.finfo(np.float64).eps
    assert paired_standard_errors(0.3 * (1 + steps)) == float("inf")
    assert paired_standard_errors(-0.3 * (1 + steps)) == 0.0
