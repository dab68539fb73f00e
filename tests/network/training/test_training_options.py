"""What each option of training changes in what is trained."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from network.synthetic_dataset import SMALL, synthetic_dataset
from roi_forecast.config import RunConfig
from roi_forecast.errors import TrainingError
from roi_forecast.features.dataset import Dataset
from roi_forecast.linear.baseline import dataset_baseline
from roi_forecast.network.predictor import load_predictor
from roi_forecast.network.training import train as training
from roi_forecast.network.training.result import EpochRecord, TrainingResult
from roi_forecast.network.training.train import train_model
from roi_forecast.registry.training_inputs import training_fingerprint

# The reference network alone: it begins far from any good forecast, so that training moves it.
BASE = SMALL.model_copy(
    update={"architecture": "hybrid", "epochs": 10, "lstm_dropout": 0.0, "dense_dropout": 0.0}
)

Train = Callable[..., TrainingResult]


def stored(result: TrainingResult) -> keras.Model:
    return keras.saving.load_model(result.directory / "model.keras", compile=False)


@pytest.fixture(scope="module")
def train(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Trains with some parameters changed; the same ones only once."""
    known: dict[str, TrainingResult] = {}

    def trained(**changes: Any) -> TrainingResult:
        key = repr(sorted(changes.items()))
        if key not in known:
            config = BASE.model_copy(update=changes)
            known[key] = train_model(dataset, config, tmp_path_factory.mktemp("options"))
        return known[key]

    return trained


def errors(dataset: Dataset, result: TrainingResult) -> np.ndarray:
    """Forecast less target of the training rows, NaN where masked."""
    targets = dataset.split.train
    rows = slice(targets.start, targets.stop)
    baseline = dataset_baseline(dataset, BASE.half_life, targets)
    predicted = load_predictor(result.directory).predict(dataset.inputs, baseline, targets)
    return np.where(dataset.filled[rows], np.nan, predicted - dataset.scaled[rows])


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "mae"},
        {"huber_delta": 0.2},
        {"pinball_level": 0.6},
        {"loss_asset_weights": {"ASSET0.NS": 2.0}},
        {"loss_recency_half_life": 30},
        {"kernel_l2": 0.1},
        {"batch_normalization": True},
        {"noise_share": 0.1},
        {"time_shift_sessions": 1},
        {"outlier_limit": 20.0},
        {"precision": "mixed_float16"},
        {"seed": 9},
        {"half_life": 60},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_training_with_another_value_is_another_training(dataset, changes):
    changed = BASE.model_copy(update=changes)
    assert training._identity(dataset, changed) != training._identity(dataset, BASE)
    run = RunConfig()
    other = run.model_copy(update=changes)
    assert training_fingerprint("name", dataset, other, None) != training_fingerprint(
        "name", dataset, run, None
    )


# By the quantile of a pinball loss, the patience of the training that serves both tests.
PATIENCE = {0.1: 1, 0.9: 3}


def with_pinball(train: Train, level: float) -> TrainingResult:
    return train(
        loss="pinball", pinball_level=level, epochs=30, early_stopping_patience=PATIENCE[level]
    )


def test_pinball_forecasts_the_quantile_of_its_level(dataset, train):
    below = {}
    for level in PATIENCE:
        error = errors(dataset, with_pinball(train, level))
        below[level] = np.nanmean(np.where(np.isnan(error), np.nan, error > 0))
    # Share of the targets that lie below their forecast.
    assert below[0.1] < 0.3
    assert below[0.9] > 0.7


@pytest.mark.parametrize("changes", [{"loss": "mae"}, {"loss": "huber", "huber_delta": 0.05}])
def test_robust_losses_are_recorded_in_their_own_measure_and_train_other_weights(
    dataset, train, changes
):
    result, plain = train(**changes), train()
    weights = [stored(each).get_weights() for each in (result, plain)]
    assert any((own != other).any() for own, other in zip(*weights, strict=True))
    best = result.history[result.best_epoch]
    if changes["loss"] == "mae":
        # Batches count by their windows in the loss, each target once in the MAE.
        assert best.validation_loss == pytest.approx(best.validation_mae, rel=0.02)
    else:
        assert 0 < best.validation_loss < 0.05 * best.validation_mae


def test_recency_fits_the_newest_training_rows_at_the_cost_of_the_oldest(dataset, train):
    plain = errors(dataset, train()) ** 2
    recent = errors(dataset, train(loss="weighted_mse", loss_recency_half_life=10)) ** 2
    gain = plain - recent
    assert np.nanmean(gain[-20:]) > np.nanmean(gain[:60])


def test_early_stopping_waits_as_many_epochs_as_its_patience(train):
    for level, patience in PATIENCE.items():
        result = with_pinball(train, level)
        assert result.epochs < 30
        assert result.epochs - result.best_epoch == patience


@pytest.mark.parametrize("option", [{"noise_share": 0.2}, {"time_shift_sessions": 4}])
def test_augmentation_changes_what_is_learned_and_leaves_validation_alone(train, option):
    augmented, plain = train(**option), train()
    # The untrained network is the same, and validation windows are never changed.
    assert augmented.history[0].validation_loss == plain.history[0].validation_loss
    assert augmented.history[1].loss != plain.history[1].loss
    assert augmented.history[1].validation_loss != plain.history[1].validation_loss


def test_augmented_training_resumes_bit_for_bit_where_it_was_cut_off(dataset, tmp_path, caplog):
    config = SMALL.model_copy(
        update={"epochs": 4, "noise_share": 0.05, "time_shift_sessions": 2, "kernel_l2": 1e-3}
    ).model_copy(update={"batch_normalization": True, "architecture": "hybrid"})

    def keep_a_copy(record: EpochRecord) -> None:
        if record.epoch == 2:
            shutil.copytree(tmp_path / "whole", tmp_path / "cut")

    whole = train_model(dataset, config, tmp_path / "whole", on_epoch=keep_a_copy)
    with caplog.at_level(logging.INFO):
        resumed = train_model(dataset, config, tmp_path / "cut")

    assert "resuming after epoch 2 of 4" in caplog.messages
    for own, other in zip(
        *(stored(each).get_weights() for each in (resumed, whole)),
        strict=True,
    ):
        np.testing.assert_array_equal(own, other)
    assert [record.loss for record in resumed.history] == [record.loss for record in whole.history]


def test_l2_keeps_the_kernels_small_and_the_recorded_loss_is_that_of_the_targets(dataset, train):
    plain, penalised = train(), train(kernel_l2=0.1)

    def norm(result: TrainingResult) -> float:
        network = stored(result)
        return float(np.linalg.norm(network.get_layer("dense").get_weights()[0]))

    assert norm(penalised) < norm(plain)
    # The penalty of the untrained kernels alone would be above 1.
    assert penalised.history[0].validation_loss == plain.history[0].validation_loss
    assert penalised.history[-1].loss < 1


def test_mixed_precision_is_refused_where_no_device_has_it(dataset, tmp_path):
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    config = BASE.model_copy(update={"precision": "mixed_float16"})
    with pytest.raises(TrainingError) as refusal:
        train_model(dataset, config, tmp_path / "mixed")
    for words in ("received 'mixed_float16'", "CPU (", "7.0", "Leave precision at float32"):
        assert words in str(refusal.value)
    assert not (tmp_path / "mixed").exists()


def test_a_network_trained_in_mixed_precision_is_saved_in_float32(dataset, tmp_path, monkeypatch):
    # A CPU emulates float16, which is all that stands in for a GPU here.
    monkeypatch.setattr(training, "require_precision", lambda precision: None)
    config = BASE.model_copy(update={"precision": "mixed_float16", "epochs": 3})
    result = train_model(dataset, config, tmp_path)

    network = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert {layer.dtype_policy.name for layer in network.layers} == {"float32"}
    assert result.best_epoch > 0
    validation = dataset.split.validation
    rows = slice(validation.start, validation.stop)
    baseline = dataset_baseline(dataset, config.half_life, validation)
    predicted = load_predictor(tmp_path).predict(dataset.inputs, baseline, validation)
    error = np.abs(predicted - dataset.scaled[rows])[~dataset.filled[rows]].mean()
    assert error == pytest.approx(result.history[result.best_epoch].validation_mae, rel=0.01)


def test_running_out_of_memory_names_the_parameters_and_the_preset(tmp_path):
    # Attention scores of 200 GB: no machine that runs tests hands them out.
    config = BASE.model_copy(
        update={"attention_heads": 430, "attention_key_dim": 1, "batch_size": 4096, "epochs": 1}
    )
    dataset = synthetic_dataset(rows=4000, assets=1, seq_len=500)
    with pytest.raises(TrainingError) as refusal:
        train_model(dataset, config, tmp_path)
    for words in ("out of memory", "batch_size 4096", "seq_len 500", "OOM", "small_memory"):
        assert words in str(refusal.value)
