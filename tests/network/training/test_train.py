from __future__ import annotations

import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import HISTOGRAMS, EventAccumulator
from tensorboard.util import tensor_util

from network.synthetic_dataset import (
    SMALL,
    synthetic_dataset,
    trainable_dataset,
    with_wild_rows_from,
)
from roi_forecast.config import RunConfig
from roi_forecast.errors import TrainingError
from roi_forecast.features.dataset import Dataset
from roi_forecast.files.artifacts import write_manifest
from roi_forecast.linear.baseline import dataset_baseline
from roi_forecast.network.predictor import load_predictor
from roi_forecast.network.training import saving
from roi_forecast.network.training import train as training
from roi_forecast.network.training.result import TrainingResult
from roi_forecast.network.training.saving import as_arrays
from roi_forecast.network.training.state import load_state
from roi_forecast.network.training.train import train_model

TESTS = Path(__file__).parents[2]


def weights(directory: Path) -> list[np.ndarray]:
    return keras.saving.load_model(directory / "model.keras", compile=False).get_weights()


def assert_same_weights(first: Path, second: Path) -> None:
    for own, other in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(own, other)


def without_seconds(result: TrainingResult) -> list[dict[str, float | None]]:
    return [{**asdict(record), "seconds": None} for record in result.history]


def validation_loss(dataset: Dataset, predicted: np.ndarray) -> float:
    """The mean squared error over unfilled targets of each batch, batches weighted by windows."""
    targets = dataset.split.validation
    squared = (predicted - dataset.scaled[targets.start : targets.stop]) ** 2
    squared[dataset.filled[targets.start : targets.stop]] = np.nan
    batches = [
        squared[first : first + SMALL.batch_size]
        for first in range(0, len(squared), SMALL.batch_size)
    ]
    return float(
        np.average([np.nanmean(batch) for batch in batches], weights=list(map(len, batches)))
    )


def test_train_keeps_the_weights_of_the_best_validation_loss(dataset, trained):
    losses = [record.validation_loss for record in trained.history]
    assert trained.best_epoch == int(np.argmin(losses)) > 0

    validation = dataset.split.validation
    predicted = load_predictor(trained.directory).predict(
        dataset.inputs, dataset_baseline(dataset, SMALL.half_life, validation), validation
    )
    assert validation_loss(dataset, predicted) == pytest.approx(min(losses), rel=1e-4)


def test_train_scores_the_untrained_network_as_epoch_0_at_the_baseline(dataset, trained):
    validation = dataset.split.validation
    predicted = dataset_baseline(dataset, SMALL.half_life, validation)
    untrained = trained.history[0]
    assert (untrained.epoch, untrained.loss, untrained.mae) == (0, None, None)
    assert untrained.validation_loss == pytest.approx(validation_loss(dataset, predicted), rel=1e-4)
    unfilled = ~dataset.filled[validation.start : validation.stop]
    error = (predicted - dataset.scaled[validation.start : validation.stop])[unfilled]
    assert untrained.validation_mae == pytest.approx(np.abs(error).mean(), rel=1e-5)


def test_train_halves_the_learning_rate_and_stops_after_their_patience(trained):
    best, since_best, since_halved, rate = np.inf, 0, 0, SMALL.learning_rate
    for record in trained.history:
        assert record.learning_rate == pytest.approx(rate, rel=1e-5)
        assert since_best < SMALL.early_stopping_patience
        if record.validation_loss < best:
            best, since_best, since_halved = record.validation_loss, 0, 0
            continue
        since_best, since_halved = since_best + 1, since_halved + 1
        if since_halved == SMALL.plateau_patience:
            rate, since_halved = rate / 2, 0
    assert since_best == SMALL.early_stopping_patience
    assert rate < SMALL.learning_rate
    assert trained.epochs < SMALL.epochs


def test_train_leaves_model_history_and_result_and_nothing_else(trained):
    names = {path.name for path in trained.directory.iterdir()}
    assert names == {"network.npz", "model.keras", "history.json", "training.json"}
    history = json.loads((trained.directory / "history.json").read_text())
    assert history == [asdict(record) for record in trained.history]
    assert trained.device.startswith(("CPU", "GPU"))


@pytest.fixture(scope="module")
def again(dataset, tmp_path_factory) -> tuple[TrainingResult, list[str]]:
    """The same training where test rows are wild and TensorBoard logs, and its log lines."""
    after = dataset.split.validation.stop
    names = ("scaled", "log_roi", "gap", "filled")
    wild = {name: getattr(dataset, name).copy() for name in names}
    wild["scaled"][after:] = 1e6
    wild["log_roi"][after:], wild["gap"][after:] = 1e3, -1e3
    wild["filled"][after:] = True
    lines: list[str] = []
    logger = logging.getLogger("roi_forecast")
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        directory = tmp_path_factory.mktemp("again") / "again"
        return train_model(replace(dataset, **wild), SMALL, directory, tensorboard=True), lines
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


def test_train_gives_the_same_weights_again_though_test_rows_are_wild(trained, again):
    result, lines = again
    assert_same_weights(result.directory, trained.directory)
    assert without_seconds(result) == without_seconds(trained)
    first = result.history[1]
    expected = f"epoch 1 of 40: loss {first.loss:.6f}, MAE {first.mae:.5f}, on validation rows "
    assert any(line.startswith(expected) for line in lines)


def test_train_resumes_after_a_kill_and_ends_with_the_weights_of_an_uninterrupted_run(
    trained, tmp_path, caplog
):
    chance = random.Random(20261123)
    directory = tmp_path / "killed"
    with (tmp_path / "output").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, str(TESTS / "network" / "train_synthetic.py"), str(directory)],
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        state_file = directory / "training_state" / "state.npz"
        last_epoch, deadline = chance.randint(3, 6), time.monotonic() + 240
        while process.poll() is None and time.monotonic() < deadline:
            if state_file.exists() and epochs_in(directory) >= last_epoch:
                break
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, (tmp_path / "output").read_text()
    assert not (directory / "training.json").exists()
    assert not (directory / "model.keras").exists()
    state = load_state(directory, training._identity(trainable_dataset(), SMALL))
    assert state is not None

    with caplog.at_level(logging.INFO):
        resumed = train_model(trainable_dataset(), SMALL, directory)

    assert f"resuming after epoch {state.history[-1].epoch} of 40" in caplog.messages
    assert resumed.history[: len(state.history)] == state.history
    assert_same_weights(directory, trained.directory)
    assert without_seconds(resumed) == without_seconds(trained)
    assert resumed.best_epoch == trained.best_epoch


def epochs_in(directory: Path) -> int:
    with np.load(directory / "training_state" / "state.npz") as content:
        history = json.loads(content["scalars"].tobytes())["history"]
    return int(history[-1]["epoch"])


def test_train_that_is_cut_off_while_finishing_ends_without_training_again(
    dataset, tmp_path, monkeypatch
):
    short = SMALL.model_copy(update={"epochs": 2})
    with monkeypatch.context() as patch:

        def cut_off(*arguments):
            raise KeyboardInterrupt

        patch.setattr(training, "finish", cut_off)
        with pytest.raises(KeyboardInterrupt):
            train_model(dataset, short, tmp_path)
    before = (tmp_path / "model.keras").read_bytes()
    written = weights(tmp_path)
    assert not (tmp_path / "training.json").exists()
    (tmp_path / "model.keras").write_bytes(before[: len(before) // 2])
    state = load_state(tmp_path, training._identity(dataset, short))

    result = train_model(dataset, short, tmp_path)

    assert result.history == state.history
    for own, other in zip(weights(tmp_path), written, strict=True):
        np.testing.assert_array_equal(own, other)


def test_train_leaves_no_result_where_the_saved_file_forecasts_something_else(
    dataset, tmp_path, monkeypatch
):
    def other_weights(network, seq_len):
        arrays = as_arrays(network, seq_len)
        return replace(
            arrays, weights={name: weight + 0.1 for name, weight in arrays.weights.items()}
        )

    monkeypatch.setattr(saving, "as_arrays", other_weights)
    with pytest.raises(
        TrainingError, match=r"network\.npz differ from those of the trained network"
    ):
        train_model(dataset, SMALL.model_copy(update={"epochs": 1}), tmp_path)
    assert not (tmp_path / "training.json").exists()


def test_train_returns_the_result_of_a_finished_directory_to_any_run_of_the_same_model_settings(
    dataset, trained, monkeypatch
):
    monkeypatch.setattr(training, "dataset_network", None)
    run = RunConfig(**SMALL.model_dump(), source="simulated", model_name="other-name")
    assert train_model(dataset, run, trained.directory) == trained


def test_train_starts_again_and_forgets_the_old_result_where_the_settings_differ(
    dataset, trained, tmp_path, monkeypatch, caplog
):
    for file in trained.directory.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())

    def cut_off(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "dataset_network", cut_off)
    with caplog.at_level(logging.INFO), pytest.raises(KeyboardInterrupt):
        train_model(dataset, SMALL.model_copy(update={"seed": 2}), tmp_path)

    assert "other data or settings" in caplog.text
    assert not (tmp_path / "training.json").exists()


def test_train_names_the_knobs_where_the_loss_diverges_and_leaves_no_result(dataset, tmp_path):
    # Beyond the square root of the largest float32: the first careless step overflows.
    reckless = SMALL.model_copy(update={"learning_rate": 1e20, "epochs": 5})

    with pytest.raises(TrainingError, match=r"epoch 1 .*learning_rate 1e\+20;.*gradient_clip_norm"):
        train_model(dataset, reckless, tmp_path)

    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_train_blames_the_dataset_where_even_the_untrained_network_has_no_finite_loss(
    dataset, tmp_path
):
    scaled = dataset.scaled.copy()
    scaled[dataset.split.validation.start + 3] = np.inf
    with pytest.raises(TrainingError, match=r"before training, .* is (inf|nan): the dataset"):
        train_model(replace(dataset, scaled=scaled), SMALL, tmp_path)


def test_training_reads_context_of_its_own_rows_and_none_of_the_test(tmp_path):
    dataset = synthetic_dataset(context=2, lead=0.4)
    config = SMALL.model_copy(update={"epochs": 1, "architecture": "hybrid_linear"})
    after = dataset.split.validation.stop
    results = [
        train_model(rows, config, tmp_path / name)
        for name, rows in (
            ("plain", dataset),
            ("wild", with_wild_rows_from(dataset, after)),
            ("other", with_wild_rows_from(dataset, after - 1)),
        )
    ]
    plain, wild, other = (without_seconds(result) for result in results)
    assert wild == plain
    assert_same_weights(tmp_path / "wild", tmp_path / "plain")
    assert other != plain
    (network,) = load_predictor(tmp_path / "plain").networks
    assert (network.n_inputs, network.n_assets, network.adds_baseline) == (5, 3, True)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_train_refuses_a_dataset_without_a_target_in_a_part(dataset, tmp_path, part):
    filled = dataset.filled.copy()
    targets = getattr(dataset.split, part)
    filled[targets.start : targets.stop] = True
    with pytest.raises(TrainingError, match=f"no {part} target is left"):
        train_model(replace(dataset, filled=filled), SMALL, tmp_path)
    assert not list(tmp_path.iterdir())


def test_logs_for_tensorboard_hold_losses_weights_and_graph_and_change_no_weight(trained, again):
    directory = again[0].directory
    assert_same_weights(directory, trained.directory)
    training, validation = (
        EventAccumulator(str(directory / "tensorboard" / part), size_guidance={HISTOGRAMS: 0})
        for part in ("train", "validation")
    )
    for logs in (training, validation):
        logs.Reload()
    epochs = [record.epoch for record in trained.history[1:]]
    assert {"epoch_loss", "epoch_learning_rate"} <= set(training.Tags()["tensors"])
    assert [event.step + 1 for event in training.Tensors("epoch_learning_rate")] == epochs
    losses = [
        float(tensor_util.make_ndarray(event.tensor_proto))
        for event in validation.Tensors("epoch_loss")
    ]
    assert losses == pytest.approx([record.validation_loss for record in trained.history[1:]])
    assert any("kernel" in tag for tag in training.Tags()["tensors"])
    assert "keras" in training.Tags()["tensors"]  # the graph of layers


def test_a_damaged_training_of_a_registered_version_is_trained_again(trained, tmp_path):
    shutil.copytree(trained.directory, tmp_path, dirs_exist_ok=True)
    write_manifest(tmp_path, {"version_id": "registered"})
    (tmp_path / "model.keras").write_bytes(b"damaged")

    train_model(trainable_dataset(), SMALL, tmp_path)

    assert_same_weights(tmp_path, trained.directory)
