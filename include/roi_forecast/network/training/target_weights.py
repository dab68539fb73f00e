"""How much each target's error counts in the weighted loss."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from roi_forecast.config import LossConfig
from roi_forecast.features.dataset import Dataset


def target_weights(
    dataset: Dataset, targets: range, config: LossConfig
) -> npt.NDArray[np.float32] | None:
    """Return the weights of target rows, or None where the loss has none.

    A weight is the asset's times the row's, each scaled to a mean of 1: of the assets, and of the
    training rows. So a learning rate means the same with and without weights. A row's weight halves
    with every `loss_recency_half_life` sessions that it is older than the newest training target;
    rows after that one, which validation is on, all have weight 1.

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
