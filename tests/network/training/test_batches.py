from __future__ import annotations

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.network.training.batches import WindowBatches, window_batches


def numbered(seed: int | None) -> WindowBatches:
    numbers = np.arange(10, dtype=np.float32)
    return WindowBatches({"scaled": numbers[:, None, None]}, numbers[:, None], 4, seed)


def order(batches: WindowBatches) -> list[float]:
    targets = np.concatenate([batches[index][1] for index in range(len(batches))])
    inputs = np.concatenate([batches[index][0]["scaled"] for index in range(len(batches))])
    assert inputs[:, 0, 0].tolist() == targets[:, 0].tolist()
    return targets[:, 0].tolist()


def test_batches_keep_time_order_without_a_seed():
    batches = numbered(seed=None)
    batches.start_epoch(3)
    assert [len(batches[index][1]) for index in range(len(batches))] == [4, 4, 2]
    assert order(batches) == list(range(10))


def test_batches_are_shuffled_by_seed_and_epoch_alone():
    first, second = numbered(seed=1), numbered(seed=1)
    orders = []
    for epoch in range(4):
        first.start_epoch(epoch)
        orders.append(order(first))
        assert sorted(orders[-1]) == list(range(10))
    second.start_epoch(3)

    assert order(second) == orders[3]
    assert len({tuple(one) for one in orders}) == 4
    assert order(numbered(seed=2)) != order(numbered(seed=1))


def test_window_batches_mask_filled_targets_and_no_others(dataset):
    targets = dataset.split.validation
    batches = window_batches(dataset, np.zeros((len(targets), 3)), targets, ["scaled"], 16)

    values = np.concatenate([batches[index][1] for index in range(len(batches))])

    rows = slice(targets.start, targets.stop)
    np.testing.assert_array_equal(np.isnan(values), dataset.filled[rows])
    unfilled = ~dataset.filled[rows]
    np.testing.assert_array_equal(values[unfilled], dataset.scaled[rows][unfilled])


@pytest.mark.parametrize("names", [["scaled"], ["scaled", "baseline"]])
@pytest.mark.parametrize("context", [0, 2])
def test_window_batches_give_the_inputs_that_the_network_takes(names, context):
    dataset = synthetic_dataset(context=context)
    baseline = np.random.default_rng(1).random((12, 3)).astype(np.float32)
    inputs, _ = window_batches(dataset, baseline, range(8, 20), names, 5)[0]
    shapes = {"scaled": (5, 8, 3 + context), "baseline": (5, 3)}
    assert {name: inputs[name].shape for name in inputs} == {name: shapes[name] for name in names}
    np.testing.assert_array_equal(inputs["scaled"][2], dataset.inputs[2:10])
    if "baseline" in names:
        np.testing.assert_array_equal(inputs["baseline"], baseline[:5])


def test_a_shuffled_target_keeps_its_own_baseline(dataset):
    targets = range(8, 40)
    own = dataset.scaled[8:40].astype(np.float64)
    batches = window_batches(dataset, own, targets, ["scaled", "baseline"], 8, seed=3)
    for index in range(len(batches)):
        inputs, values = batches[index]
        counted = np.isfinite(values)
        np.testing.assert_array_equal(inputs["baseline"][counted], values[counted])
