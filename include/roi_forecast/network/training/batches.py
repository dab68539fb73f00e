"""Batches of windows, gathered from views: only one batch at a time is a copy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from roi_forecast.features.dataset import Dataset
from roi_forecast.network.backend import keras
from roi_forecast.network.inputs import model_inputs
from roi_forecast.network.training.augmentation import Augmentation


class WindowBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Windows and their targets in batches, in time order or shuffled anew for each epoch.

    Args:
        inputs: Windows by input name, each of shape (targets, lags, assets); views are fine.
        targets: Shape (targets, assets), scaled, NaN where masked.
        batch_size: Windows in one batch; the last batch may be smaller.
        seed: Shuffles by a generator seeded with (seed, epoch), so an epoch's order does not depend
            on the epochs before it. None keeps the time order.
        weights: Shape (targets, assets): what each target's error is multiplied with in the loss.
            None: nothing.
        augmentation: Changes the windows of each batch. None: nothing does.
    """

    def __init__(
        self,
        inputs: Mapping[str, npt.NDArray[np.float32]],
        targets: npt.NDArray[np.float32],
        batch_size: int,
        seed: int | None = None,
        weights: npt.NDArray[np.float32] | None = None,
        augmentation: Augmentation | None = None,
    ) -> None:
        super().__init__()
        self._inputs = inputs
        self._targets = targets
        self._batch_size = batch_size
        self._seed = seed
        self._weights = weights
        self._augmentation = augmentation
        self._order = np.arange(len(targets))
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Put the windows into the order of an epoch, counted from 0."""
        self._epoch = epoch
        if self._seed is not None:
            generator = np.random.default_rng((self._seed, epoch))
            self._order = generator.permutation(len(self._targets))

    def __len__(self) -> int:
        return -(-len(self._targets) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        if self._augmentation is None:
            inputs = {name: windows[chosen] for name, windows in self._inputs.items()}
        else:
            inputs = self._augmentation.gather(self._inputs, chosen, self._epoch, index)
        if self._weights is None:
            return inputs, self._targets[chosen]
        return inputs, self._targets[chosen], self._weights[chosen]


def window_batches(
    dataset: Dataset,
    targets: range,
    input_names: list[str],
    batch_size: int,
    seed: int | None = None,
    weights: npt.NDArray[np.float32] | None = None,
    augmentation: Augmentation | None = None,
) -> WindowBatches:
    """Return the batches of some target rows of a dataset; filled targets are masked by NaN.

    Args:
        dataset: Gives rows and filled marks. No row after the last target is read.
        targets: Consecutive target rows.
        input_names: The inputs that the network takes.
        batch_size: Windows in one batch.
        seed: Shuffling, or None for time order.
        weights: Weights of the targets in the loss, shape (targets, assets), or None.
        augmentation: Changes the windows of each batch, or None.

    Raises:
        DatasetError: A target has fewer than seq_len rows before it.
    """
    inputs = model_inputs(dataset.scaled, dataset.scaled_log_roi, targets, dataset.seq_len)
    rows = slice(targets.start, targets.stop)
    values = np.where(dataset.filled[rows], np.float32(np.nan), dataset.scaled[rows])
    chosen = {name: inputs[name] for name in input_names}
    return WindowBatches(chosen, values, batch_size, seed, weights, augmentation)
