"""Batches of windows, targets and weights; only the current batch is a copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.config import LossConfig, TrainingConfig
from roi_forecast.features.dataset import Dataset
from roi_forecast.network.backend import keras
from roi_forecast.network.inputs import SCALED, model_inputs

_STREAM = 1
"""Keeps the random numbers of augmentation apart from those of shuffling, which share the seed."""

Windows = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Augmentation:
    """Gaussian noise and time shifts for training windows, different in every epoch.

    A shifted window ends some sessions earlier than the target allows; the target stays. It never
    ends later, since a window that reaches the target would contain the answer. Shifting window and
    target together would change nothing: the windows of neighbouring targets are all there.

    Attributes:
        seed: With epoch and batch it determines every random number, so an interrupted training
            continues with the same numbers.
        noise: Standard deviation of the noise in each column of a window, shape (assets + context
            assets,), scaled; None for no noise.
        time_shift: Maximum number of sessions that a window ends earlier.
    """

    seed: int
    noise: npt.NDArray[np.float32] | None
    time_shift: int

    def gather(
        self, windows: Windows, chosen: npt.NDArray[np.intp], epoch: int, batch: int
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Return the changed windows of a batch.

        Args:
            windows: By input name, in time order; left unchanged.
            chosen: Positions of the batch's targets.
            epoch: Counted from 0.
            batch: Number of the batch in the epoch, counted from 0.

        Returns:
            By input name; the baseline is that of the targets.
        """
        generator = np.random.default_rng((self.seed, epoch, batch, _STREAM))
        gathered = {name: each[chosen] for name, each in windows.items()}
        if self.time_shift:
            shifts = generator.integers(0, self.time_shift, size=len(chosen), endpoint=True)
            gathered[SCALED] = windows[SCALED][np.maximum(chosen - shifts, 0)]
        if self.noise is not None:
            drawn = generator.standard_normal(gathered[SCALED].shape, dtype=np.float32)
            gathered[SCALED] = gathered[SCALED] + drawn * self.noise
        return gathered


def build_augmentation(dataset: Dataset, config: TrainingConfig) -> Augmentation | None:
    """Return the configured augmentation, or None.

    The noise of a column is `noise_share` of the range of its values up to the last training
    target.
    """
    if not config.noise_share and not config.time_shift_sessions:
        return None
    known = slice(0, dataset.split.train.stop)
    noise = None
    if config.noise_share:
        noise = (config.noise_share * np.ptp(dataset.inputs[known], axis=0)).astype(np.float32)
    return Augmentation(config.seed, noise, config.time_shift_sessions)


def target_weights(
    dataset: Dataset, targets: range, config: LossConfig
) -> npt.NDArray[np.float32] | None:
    """Return the weights of target rows in the loss, or None where the loss has none.

    A weight is the asset's times the row's. The assets' weights have a mean of 1, and so have those
    of the training rows: a learning rate means the same with and without weights. A row's weight
    halves with every `loss_recency_half_life` sessions of its age before the newest training
    target; later rows, which validation uses, have weight 1.

    Args:
        dataset: Gives the assets and the split.
        targets: Consecutive target rows.
        config: The loss.

    Returns:
        Shape (targets, assets), or None.
    """
    if config.loss != "weighted_mse":
        return None
    given = config.loss_asset_weights or {}
    assets = np.array([given.get(symbol, 1.0) for symbol in dataset.symbols])
    rows = np.ones(len(targets))
    train = dataset.split.train
    if config.loss_recency_half_life is not None and targets.stop <= train.stop:
        half_life = config.loss_recency_half_life
        mean = np.mean(0.5 ** (np.arange(len(train)) / half_life))
        ages = train.stop - 1 - np.arange(targets.start, targets.stop)
        rows = 0.5 ** (ages / half_life) / mean
    return np.outer(rows, assets / assets.mean()).astype(np.float32)


class WindowBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Windows and their targets in batches, in time order or shuffled for each epoch.

    Args:
        inputs: What `model_inputs` gives; views are fine.
        targets: Shape (targets, assets), scaled, NaN where masked.
        batch_size: Windows in one batch; the last batch may be smaller.
        seed: Shuffles with a generator seeded by (seed, epoch), so that an epoch's order does not
            depend on earlier epochs. None keeps the time order.
        weights: Weights of the targets in the loss, shape (targets, assets), or None.
        augmentation: Changes the windows of each batch, or None.
    """

    def __init__(
        self,
        inputs: Windows,
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
    baseline: FloatArray,
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
        baseline: Of the targets, shape (targets, assets).
        targets: Consecutive target rows.
        input_names: The inputs that the network takes.
        batch_size: As for `WindowBatches`, like all others.
        seed: Likewise.
        weights: Likewise.
        augmentation: Likewise.

    Raises:
        DatasetError: A target has fewer than seq_len rows before it.
    """
    inputs = model_inputs(dataset.inputs, baseline, targets, dataset.seq_len)
    rows = slice(targets.start, targets.stop)
    values = np.where(dataset.filled[rows], np.float32(np.nan), dataset.scaled[rows])
    chosen = {name: inputs[name] for name in input_names}
    return WindowBatches(chosen, values, batch_size, seed, weights, augmentation)
