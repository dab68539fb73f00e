"""The dataset of a run: aligned and scaled rows, and their split into three parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from roi_forecast.array_types import BoolArray, DateArray, Float32Array, FloatArray, MomentArray
from roi_forecast.data_path import DataPath
from roi_forecast.errors import DatasetError
from roi_forecast.features.scaling import Scaler
from roi_forecast.universe import Publish


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
        filled: Whether the asset had no bar on the date or is halted, shape (rows, assets). A
            filled target counts in no fit and no metric.
        true_range: Shape (rows, assets), a fraction of the previous row's price; NaN where the
            asset had no bar since the previous row or is halted.
        gap: Log ROI from the carried price of the previous row to the adjusted open, shape (rows,
            assets), unscaled; NaN where `filled` and without a usable open.
        volume: Shares traded, shape (rows, assets); NaN where `filled` and without any.
        published_at: When the run with each as-of date publishes, shape (rows,), datetime64[s] in
            UTC.
        publish: How that time was chosen.
        context_symbols: The context assets, in column order.
        context: Context moves, log ROI, shape (rows, context assets), unscaled; 0 where no new bar
            became final.
        context_missing: Whether a bar that the calendar promises by the publication time is absent,
            shape (rows, context assets).
        scaled_context: `scaler.transform_context(context)`, shape (rows, context assets).
    """

    symbols: tuple[str, ...]
    dates: DateArray
    log_roi: FloatArray
    smoothed: FloatArray
    scaled: Float32Array
    filled: BoolArray
    true_range: FloatArray
    gap: FloatArray
    volume: FloatArray
    published_at: MomentArray
    publish: Publish
    context_symbols: tuple[str, ...]
    context: FloatArray
    context_missing: BoolArray
    scaled_context: Float32Array

    @property
    def inputs(self) -> Float32Array:
        """What the network reads: `scaled`, then `scaled_context`, (rows, assets + context)."""
        if not self.context_symbols:
            return self.scaled
        return np.concatenate([self.scaled, self.scaled_context], axis=1)

    @property
    def open_to_close(self) -> FloatArray:
        """The part of the log ROI after the opening, shape (rows, assets); NaN where `gap` is."""
        return self.log_roi - self.gap


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
        missing_columns: By asset or context asset, the columns of a bar that the source lacks for
            it; see `load_missing_columns`.
    """

    dataset_id: str
    directory: DataPath
    source: str
    seq_len: int
    smoothing: int
    prices: FloatArray
    scaler: Scaler
    split: Split
    missing_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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
            filled=self.filled[:, chosen],
            true_range=self.true_range[:, chosen],
            gap=self.gap[:, chosen],
            volume=self.volume[:, chosen],
            scaler=self.scaler.of_columns(chosen),
        )

    def of_context(self, columns: Sequence[int]) -> Self:
        """Return the dataset with some context assets, in this order."""
        chosen = list(columns)
        return replace(
            self,
            context_symbols=tuple(self.context_symbols[column] for column in chosen),
            context=self.context[:, chosen],
            context_missing=self.context_missing[:, chosen],
            scaled_context=self.scaled_context[:, chosen],
            scaler=self.scaler.of_context(chosen),
        )

    def of_rows(self, rows: slice, split: Split, dataset_id: str) -> Self:
        """Return the dataset of some rows in the same scaled units, with a split of its own."""
        names = (
            *("dates", "prices", "log_roi", "smoothed", "scaled", "filled"),
            *("true_range", "gap", "volume", "published_at"),
            *("context", "context_missing", "scaled_context"),
        )
        arrays = {name: getattr(self, name)[rows] for name in names}
        return replace(self, dataset_id=dataset_id, split=split, **arrays)

    def rescaled(self, scaler: Scaler) -> Self:
        """Return the dataset in the units of another scaler."""
        return replace(
            self,
            scaled_context=scaler.transform_context(self.context).astype(np.float32),
            scaled=scaler.transform(self.smoothed).astype(np.float32),
            scaler=scaler,
        )
