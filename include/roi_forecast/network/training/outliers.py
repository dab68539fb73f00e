"""Values in the training rows that are too far from the others to be true."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date

import numpy as np

from roi_forecast.config import TrainingConfig
from roi_forecast.errors import TrainingError
from roi_forecast.features.dataset import Dataset

logger = logging.getLogger(__name__)

LOGGED_OUTLIER_LIMIT = 15.0
"""Robust deviations beyond which an outlier is logged."""
_MAX_NAMED = 10
_NORMAL_CONSISTENCY = 1.4826
"""The standard deviation of a normal distribution over its median absolute deviation."""


@dataclass(frozen=True)
class Outlier:
    """A value and its distance from the others.

    Attributes:
        symbol: The asset.
        trading_date: The row.
        value: Scaled smoothed log ROI.
        deviations: Distance from the asset's median in robust deviations.
    """

    symbol: str
    trading_date: date
    value: float
    deviations: float

    def __str__(self) -> str:
        return (
            f"{self.symbol} on {self.trading_date}: {self.value:.4g} scaled, "
            f"{self.deviations:.1f} robust deviations from the median"
        )


def check_outliers(dataset: Dataset, config: TrainingConfig) -> tuple[Outlier, ...]:
    """Look for outliers among the scaled training rows; log them, or refuse to train on them.

    Args:
        dataset: Gives the rows; none after the last training target is read.
        config: Limit beyond which training is refused, or None to only log outliers.

    Returns:
        The outliers, the largest first.

    Raises:
        TrainingError: There are outliers beyond the limit that was given; names the largest.
    """
    limit = config.outlier_limit or LOGGED_OUTLIER_LIMIT
    outliers = find_outliers(dataset, limit)
    if not outliers:
        return ()
    named = "; ".join(str(outlier) for outlier in outliers[:_MAX_NAMED])
    message = f"{len(outliers)} outliers beyond {limit:g} in the training rows: {named}"
    if config.outlier_limit is not None:
        raise TrainingError(
            f"{message}. Check these prices; if they are right, raise outlier_limit or leave it out"
        )
    logger.warning("%s", message)
    return outliers


def find_outliers(dataset: Dataset, limit: float) -> tuple[Outlier, ...]:
    """Return the outliers among the scaled training rows, the largest first.

    A robust deviation is 1.4826 times the median absolute deviation of the asset's rows, which
    outliers do not widen as they do the standard deviation. It is 0 for an asset whose price does
    not change on most rows; the standard deviation replaces it there.

    Args:
        dataset: Gives the rows; none after the last training target is read.
        limit: In robust deviations.
    """
    values = dataset.scaled[: dataset.split.train.stop].astype(np.float64)
    distance = np.abs(values - np.median(values, axis=0))
    spread = _NORMAL_CONSISTENCY * np.median(distance, axis=0)
    spread = np.where(spread > 0, spread, values.std(axis=0))
    deviations = distance / np.where(spread > 0, spread, 1.0)
    rows, columns = np.nonzero(deviations > limit)
    found = [
        Outlier(
            dataset.symbols[column],
            dataset.dates[row].item(),
            float(values[row, column]),
            float(deviations[row, column]),
        )
        for row, column in zip(rows, columns, strict=True)
    ]
    return tuple(sorted(found, key=lambda outlier: -outlier.deviations))
