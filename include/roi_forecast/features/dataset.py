"""The dataset of a run: aligned and scaled rows, and their split into three parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from roi_forecast.array_types import BoolArray, DateArray, Float32Array, FloatArray
from roi_forecast.errors import DatasetError
from roi_forecast.features.scaling import Scaler


@dataclass(frozen=True)
class Split:
    """Target rows of each part, in time order, with a gap of the smoothing span between the parts.

    The window of target row t is the rows t - seq_len to t - 1.
    """

    train: range
    validation: range
    test: range


def split_targets(
    rows: int, seq_len: int, smoothing: int, test_share: float, validation_share: float
) -> Split:
    """Split the target rows in time order.

    The test part takes the last share of all windows, validation the last share of the rest.
    Training and validation then lose `smoothing` rows at their end, so that the targets of two
    parts never share a log ROI.

    Args:
        rows: Rows of the dataset.
        seq_len: Rows in a window; also the first target row.
        smoothing: Sessions in the moving average.
        test_share: Fraction of all windows.
        validation_share: Fraction of the windows before the test part.

    Raises:
        DatasetError: A part would be empty.
    """
    windows = rows - seq_len
    test = round(windows * test_share)
    validation = round((windows - test) * validation_share)
    test_start = rows - test
    validation_start = test_start - validation
    split = Split(
        train=range(seq_len, validation_start - smoothing),
        validation=range(validation_start, test_start - smoothing),
        test=range(test_start, rows),
    )
    for name, part in vars(split).items():
        if not part:
            raise DatasetError(
                f"{rows} rows leave no window for {name} with seq_len {seq_len}, smoothing "
                f"{smoothing}, test_share {test_share} and validation_share {validation_share}; "
                "choose an earlier start_date or a shorter seq_len"
            )
    return split


@dataclass(frozen=True, kw_only=True)
class PreparedRows:
    """Rows as a model reads them.

    Attributes:
        symbols: The assets, in column order.
        dates: Reference sessions, shape (rows,), datetime64[D].
        log_roi: Log ROI, shape (rows, assets), unscaled.
        smoothed: Smoothed log ROI, shape (rows, assets), unscaled.
        scaled: `scaler.transform(smoothed)`, shape (rows, assets).
        scaled_log_roi: `scaler.transform_log_roi(log_roi)`, shape (rows, assets).
        filled: Whether the asset had no bar on the date or is halted, shape (rows, assets). A
            filled target counts in no fit and no metric.
        true_range: Shape (rows, assets), a fraction of the previous row's price; NaN where the
            asset had no bar since the previous row or is halted.
    """

    symbols: tuple[str, ...]
    dates: DateArray
    log_roi: FloatArray
    smoothed: FloatArray
    scaled: Float32Array
    scaled_log_roi: Float32Array
    filled: BoolArray
    true_range: FloatArray


@dataclass(frozen=True, kw_only=True)
class Dataset(PreparedRows):
    """The input of training and evaluation; no row lies after the as-of date.

    Attributes:
        dataset_id: Hash of the content.
        directory: Folder of its files.
        source: Key of the price source.
        seq_len: Rows in a window.
        smoothing: Sessions in the moving average.
        prices: Carried adjusted close, shape (rows, assets), in the asset's currency.
        scaler: Fitted on the rows up to the last training target.
        split: Target rows of the three parts.
    """

    dataset_id: str
    directory: Path
    source: str
    seq_len: int
    smoothing: int
    prices: FloatArray
    scaler: Scaler
    split: Split

    def of_columns(self, columns: Sequence[int]) -> Self:
        """Return the dataset of some assets, in this order, with the same id and directory."""
        chosen = list(columns)
        return replace(
            self,
            symbols=tuple(self.symbols[column] for column in chosen),
            prices=self.prices[:, chosen],
            log_roi=self.log_roi[:, chosen],
            smoothed=self.smoothed[:, chosen],
            scaled=self.scaled[:, chosen],
            scaled_log_roi=self.scaled_log_roi[:, chosen],
            filled=self.filled[:, chosen],
            true_range=self.true_range[:, chosen],
            scaler=self.scaler.of_columns(chosen),
        )

    def rescaled(self, scaler: Scaler) -> Self:
        """Return the dataset in the units of another scaler."""
        return replace(
            self,
            scaled=scaler.transform(self.smoothed).astype(np.float32),
            scaled_log_roi=scaler.transform_log_roi(self.log_roi).astype(np.float32),
            scaler=scaler,
        )
