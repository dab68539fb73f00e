"""The dataset of a run: the matrix that windows are cut from, its scaler and its split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from roi_forecast.array_types import BoolArray, DateArray, Float32Array, FloatArray
from roi_forecast.features.scaling import Scaler


@dataclass(frozen=True)
class Split:
    """Target rows of each part, in time order; a gap of at least the smoothing span lies between.

    A window is named by its target row t: its input is the rows t - seq_len to t - 1.
    """

    train: range
    validation: range
    test: range


@dataclass(frozen=True)
class Dataset:
    """Everything training and evaluation read; no row lies after the as-of date.

    Attributes:
        dataset_id: Hash of the content.
        directory: Where its files lie.
        source: Key of the price source.
        symbols: The assets, in column order.
        seq_len: Rows in one window.
        smoothing: Sessions in the moving average.
        dates: Reference sessions, shape (rows,), datetime64[D].
        prices: Carried adjusted close, shape (rows, assets), in the asset's currency.
        log_roi: Plain log ROI, shape (rows, assets), unscaled.
        smoothed: Smoothed log ROI, shape (rows, assets), unscaled.
        scaled: `scaler.transform(smoothed)` as float32, shape (rows, assets).
        scaled_log_roi: `scaler.transform_log_roi(log_roi)` as float32, shape (rows, assets).
        filled: Whether the row says nothing new of the asset, shape (rows, assets): it had no bar
            on the row's date, or it is halted. A filled target counts in no fit and no metric.
        true_range: Distance travelled since the row before, shape (rows, assets), a fraction of
            that row's price; NaN where the asset had no bar since then or is halted.
        scaler: Fitted on the rows up to the last training target.
        split: Target rows of the three parts.
    """

    dataset_id: str
    directory: Path
    source: str
    symbols: tuple[str, ...]
    seq_len: int
    smoothing: int
    dates: DateArray
    prices: FloatArray
    log_roi: FloatArray
    smoothed: FloatArray
    scaled: Float32Array
    scaled_log_roi: Float32Array
    filled: BoolArray
    true_range: FloatArray
    scaler: Scaler
    split: Split

    def of_columns(self, columns: Sequence[int]) -> Self:
        """Return the rows of some assets alone, in this order; id and directory stay the same."""
        chosen, scaler = list(columns), self.scaler
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
            scaler=Scaler(
                scaler.kind,
                scaler.offset[chosen],
                scaler.slope[chosen],
                scaler.center[chosen],
                scaler.log_roi_mean[chosen],
            ),
        )
