"""Changing training windows a little, anew for every epoch, against learning them by heart.

Both changes are made on the batch that is being gathered; the dataset stays as it is and no second
copy of the windows exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from roi_forecast.config import TrainingConfig
from roi_forecast.features.dataset import Dataset
from roi_forecast.network.inputs import SCALED, SCALED_LOG_ROI

_STREAM = 1
"""Keeps these random numbers apart from those of the shuffling, which are seeded alike."""

Windows = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Augmentation:
    """Gaussian noise and time shifts for the training windows of a dataset.

    A shifted window ends some sessions earlier than the target would allow; the target stays. It
    never ends later: a window that reaches the target would hold its answer. Shifting window and
    target together would change nothing, since the windows of neighbouring targets are all there.

    Attributes:
        seed: With epoch and batch it decides on every random number, so a training that was
            interrupted goes on with the numbers it would have had.
        noise: Deviation of the noise by the input's name, each of shape (assets,), scaled.
        time_shift: Most sessions that a window ends earlier.
    """

    seed: int
    noise: Mapping[str, npt.NDArray[np.float32]]
    time_shift: int

    def gather(
        self, windows: Windows, chosen: npt.NDArray[np.intp], epoch: int, batch: int
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Return the changed windows of a batch.

        Args:
            windows: Windows by input name, each of shape (targets, lags, assets), in time order;
                not changed.
            chosen: Positions of the batch's targets.
            epoch: Counted from 0.
            batch: Number of the batch in the epoch, counted from 0.

        Returns:
            By input name, shape (chosen, lags, assets).
        """
        generator = np.random.default_rng((self.seed, epoch, batch, _STREAM))
        if self.time_shift:
            shifts = generator.integers(0, self.time_shift, size=len(chosen), endpoint=True)
            chosen = np.maximum(chosen - shifts, 0)
        gathered = {name: each[chosen] for name, each in windows.items()}
        for name, each in gathered.items():
            deviation = self.noise.get(name)
            if deviation is not None:
                drawn = generator.standard_normal(each.shape, dtype=np.float32)
                gathered[name] = each + drawn * deviation
        return gathered


def build_augmentation(dataset: Dataset, config: TrainingConfig) -> Augmentation | None:
    """Return the augmentation that a configuration asks for, or None.

    The noise of an asset is `noise_share` of the range of its scaled values in the rows up to the
    last training target; later rows are not read.
    """
    if not config.noise_share and not config.time_shift_sessions:
        return None
    known = slice(0, dataset.split.train.stop)
    noise = {}
    if config.noise_share:
        noise = {
            name: (config.noise_share * np.ptp(series[known], axis=0)).astype(np.float32)
            for name, series in (
                (SCALED, dataset.scaled),
                (SCALED_LOG_ROI, dataset.scaled_log_roi),
            )
        }
    return Augmentation(config.seed, noise, config.time_shift_sessions)
