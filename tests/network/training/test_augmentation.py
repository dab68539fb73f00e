from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.config import TrainingConfig
from roi_forecast.features.dataset import Dataset
from roi_forecast.network.inputs import model_inputs
from roi_forecast.network.training.batches import WindowBatches, build_augmentation, window_batches

NAMES = ["scaled", "baseline"]
BATCH = 16


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return synthetic_dataset(context=2)


def baseline(dataset: Dataset) -> np.ndarray:
    """A different number for every target."""
    train = dataset.split.train
    return np.arange(len(train) * 3, dtype=np.float64).reshape(-1, 3)


def batches(dataset: Dataset, config: TrainingConfig, seed: int | None = 1) -> WindowBatches:
    augmentation = build_augmentation(dataset, config)
    train = dataset.split.train
    return window_batches(
        dataset, baseline(dataset), train, NAMES, BATCH, seed, augmentation=augmentation
    )


def windows(dataset: Dataset) -> np.ndarray:
    return model_inputs(dataset.inputs, baseline(dataset), dataset.split.train, 8)["scaled"]


def test_nothing_is_changed_by_default(dataset):
    assert build_augmentation(dataset, TrainingConfig()) is None


def test_noise_has_the_share_of_each_columns_range_as_its_deviation(dataset):
    # The mean of many draws on the same windows, so the figure is the noise's and not the sample's.
    plain, noisy = (
        batches(dataset, TrainingConfig()),
        batches(dataset, TrainingConfig(noise_share=0.05)),
    )
    differences = []
    for epoch in range(30):
        plain.start_epoch(epoch)
        noisy.start_epoch(epoch)
        differences += [noisy[i][0]["scaled"] - plain[i][0]["scaled"] for i in range(len(plain))]
    drawn = np.concatenate(differences).reshape(-1, 5)
    span = np.ptp(dataset.inputs[: dataset.split.train.stop], axis=0)
    np.testing.assert_allclose(drawn.std(axis=0), 0.05 * span, rtol=0.05)
    np.testing.assert_allclose(drawn.mean(axis=0), 0.0, atol=0.05 * 0.05 * span.max())


def test_targets_baseline_and_dataset_stay_as_they_are(dataset):
    before = dataset.inputs.copy()
    plain = batches(dataset, TrainingConfig())
    noisy = batches(dataset, TrainingConfig(noise_share=0.05, time_shift_sessions=3))
    for index in range(len(plain)):
        np.testing.assert_array_equal(noisy[index][1], plain[index][1])
        np.testing.assert_array_equal(noisy[index][0]["baseline"], plain[index][0]["baseline"])
        assert (noisy[index][0]["scaled"] != plain[index][0]["scaled"]).any()
    np.testing.assert_array_equal(dataset.inputs, before)


def test_the_numbers_depend_on_seed_epoch_and_batch_alone(dataset):
    config = TrainingConfig(noise_share=0.05, time_shift_sessions=2, seed=7)
    straight, resumed = batches(dataset, config), batches(dataset, config)
    for epoch in range(3):
        straight.start_epoch(epoch)
        for index in range(len(straight)):
            straight[index]
    resumed.start_epoch(2)
    for index in (3, 0):
        np.testing.assert_array_equal(resumed[index][0]["scaled"], straight[index][0]["scaled"])
    other = batches(dataset, config.model_copy(update={"seed": 8}))
    other.start_epoch(2)
    assert (other[0][0]["scaled"] != straight[0][0]["scaled"]).any()
    assert (straight[0][0]["scaled"] != straight[1][0]["scaled"]).any()


def test_a_shifted_window_ends_up_to_so_many_sessions_earlier_and_never_later(dataset):
    every = windows(dataset)
    shifted = batches(dataset, TrainingConfig(time_shift_sessions=3), seed=None)
    seen = set()
    for epoch in range(8):
        shifted.start_epoch(epoch)
        for index in range(len(shifted)):
            for number, window in enumerate(shifted[index][0]["scaled"]):
                target = index * BATCH + number
                allowed = range(max(0, target - 3), target + 1)
                found = [row for row in allowed if np.array_equal(every[row], window)]
                assert found, f"the window of target {target} ends after it or too early"
                seen.add(target - found[0])
    assert seen == {0, 1, 2, 3}


def test_assets_and_context_of_a_window_are_shifted_alike(dataset):
    every = windows(dataset)
    shifted = batches(dataset, TrainingConfig(time_shift_sessions=3), seed=None)
    for number in range(BATCH):
        drawn = shifted[0][0]["scaled"][number]
        rows = [
            {row for row in range(20) if np.array_equal(every[row][:, part], drawn[:, part])}
            for part in (slice(0, 3), slice(3, 5))
        ]
        assert rows[0] & rows[1]


@pytest.mark.parametrize("option", [{"noise_share": 0.1}, {"time_shift_sessions": 5}])
def test_no_row_from_the_last_training_target_on_matters(dataset, option):
    after = dataset.split.train.stop
    wild = {name: getattr(dataset, name).copy() for name in ("scaled", "scaled_context")}
    for values in wild.values():
        values[after:] = 1e6
    config = TrainingConfig(**option)
    tame, planted = batches(dataset, config), batches(replace(dataset, **wild), config)
    for index in range(len(tame)):
        for name in NAMES:
            np.testing.assert_array_equal(planted[index][0][name], tame[index][0][name])
