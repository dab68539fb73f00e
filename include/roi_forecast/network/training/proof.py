"""Whether a trained network beats what it started from by more than chance.

The one-standard-error rule (Breiman, Friedman, Olshen and Stone, 1984, "Classification and
Regression Trees", section 3.4.3): of two models whose losses cannot be told apart, keep the simpler
one. Here that is the network before its training, which for `hybrid_linear` is the linear part.
Otherwise the lowest of a dozen validation losses counts as an improvement even where it is luck.
"""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.config import ModelConfig
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.rounding import varies
from roi_forecast.network.forward import Network
from roi_forecast.network.losses import build_loss
from roi_forecast.network.predictor import Predictor
from roi_forecast.network.training.batches import target_weights, window_batches

logger = logging.getLogger(__name__)

MIN_BLOCKS = 5


def is_proven(
    start: Network, trained: Network, dataset: Dataset, baseline: FloatArray, config: ModelConfig
) -> bool:
    """Tell whether a trained network beats its start by as many standard errors as demanded.

    Losses on the validation rows are compared in pairs, in blocks of as many windows as the
    smoothing spans, since the targets of neighbouring windows overlap.

    Args:
        start: The network before training.
        trained: The network after it.
        dataset: Gives the validation rows.
        baseline: Of these, shape (validation rows, assets).
        config: The loss, and how many standard errors are demanded.
    """
    demanded = config.improvement_standard_errors
    if demanded == 0:
        return True
    before, after = (
        _block_losses(network, dataset, baseline, config) for network in (start, trained)
    )
    found = paired_standard_errors(before - after)
    logger.info(
        "the best epoch beats the untrained network on the validation rows by %.2f standard "
        "errors; %g are demanded to keep it",
        found,
        demanded,
    )
    return found >= demanded


def paired_standard_errors(differences: npt.NDArray[np.float64]) -> float:
    """Return the mean of the differences over its standard error, shape (blocks,).

    Infinite where there are too few blocks to know one.
    """
    count = len(differences)
    if count < MIN_BLOCKS:
        return float("inf")
    mean, error = differences.mean(), differences.std(ddof=1) / np.sqrt(count)
    if not varies(differences):
        return float("inf") if mean > 0 else 0.0
    return float(mean / error)


def _block_losses(
    network: Network, dataset: Dataset, baseline: FloatArray, config: ModelConfig
) -> npt.NDArray[np.float64]:
    targets, loss = dataset.split.validation, build_loss(config)
    predictor = Predictor((network,), dataset.directory)
    forecasts = predictor.predict(dataset.inputs, baseline, targets)
    size = max(dataset.smoothing, 1)
    weights = target_weights(dataset, targets, config)
    # Only the targets and weights of the batches are used.
    blocks = window_batches(dataset, baseline, targets, [], size, weights=weights)
    losses = []
    for number in range(len(blocks)):
        _, *known = blocks[number]
        block = forecasts[number * size : (number + 1) * size]
        losses.append(float(loss(known[0], block, *known[1:])))
    return np.array(losses)
