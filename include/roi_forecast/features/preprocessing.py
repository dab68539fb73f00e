"""What a model version must do to prices before it can read them; stored as its `scaler.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from roi_forecast.array_types import BoolArray, DateArray, Float32Array, FloatArray
from roi_forecast.errors import DatasetError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import log_roi_and_smoothed
from roi_forecast.features.rows import PriceRows
from roi_forecast.features.scaling import Scaler
from roi_forecast.files.verified import VerifiedDirectory

SCALER_FILE = "scaler.json"


@dataclass(frozen=True)
class PreparedRows:
    """Rows as a model version reads them; the columns are the version's assets.

    Attributes:
        symbols: The assets, in column order.
        dates: Reference sessions, shape (rows,), datetime64[D].
        log_roi: Plain log ROI, shape (rows, assets), unscaled.
        smoothed: Smoothed log ROI, shape (rows, assets), unscaled.
        scaled: Scaled smoothed log ROI, shape (rows, assets), float32.
        scaled_log_roi: Plain log ROI in scaled units, shape (rows, assets), float32.
        filled: Whether the asset had no bar or is halted, shape (rows, assets).
        true_range: Distance travelled since the row before, shape (rows, assets), a fraction of
            that row's price; NaN where the asset had no bar since then or is halted.
    """

    symbols: tuple[str, ...]
    dates: DateArray
    log_roi: FloatArray
    smoothed: FloatArray
    scaled: Float32Array
    scaled_log_roi: Float32Array
    filled: BoolArray
    true_range: FloatArray


@dataclass(frozen=True)
class Preprocessing:
    """The columns, spans and scaler that a model version was trained with."""

    symbols: tuple[str, ...]
    seq_len: int
    smoothing: int
    scaler: Scaler

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> Self:
        """Return the preprocessing that a dataset went through."""
        return cls(dataset.symbols, dataset.seq_len, dataset.smoothing, dataset.scaler)

    def differences(self, dataset: Dataset) -> Iterator[str]:
        """Name everything that keeps a dataset's rows from being read with this preprocessing."""
        missing = [symbol for symbol in self.symbols if symbol not in dataset.symbols]
        added = [symbol for symbol in dataset.symbols if symbol not in self.symbols]
        if missing:
            yield f"it has assets that the run lacks: {', '.join(missing)}"
        if added:
            yield f"it lacks assets of the run: {', '.join(added)}"
        for name, own, other in (
            ("seq_len", self.seq_len, dataset.seq_len),
            ("smoothing", self.smoothing, dataset.smoothing),
            ("scaler", self.scaler.kind, dataset.scaler.kind),
        ):
            if own != other:
                yield f"{name} is {own}, the run's is {other}"

    def read(self, dataset: Dataset) -> Dataset:
        """Return a dataset's rows in this preprocessing's columns and scaled units.

        A version that goes on from another one has that one's, whose scaler was fitted on its own
        training rows. The dataset itself is returned where it has them already.

        Raises:
            DatasetError: The assets, spans or kind of scaler differ.
        """
        differences = list(self.differences(dataset))
        if differences:
            raise DatasetError(
                f"dataset {dataset.dataset_id} cannot be read with this preprocessing: "
                f"{'; '.join(differences)}"
            )
        same_scaler = self.scaler.to_json() == dataset.scaler.to_json()
        if self.symbols == dataset.symbols and same_scaler:
            return dataset
        columns = [dataset.symbols.index(symbol) for symbol in self.symbols]
        smoothed, log_rois = dataset.smoothed[:, columns], dataset.log_roi[:, columns]
        return replace(
            dataset,
            symbols=self.symbols,
            prices=dataset.prices[:, columns],
            log_roi=log_rois,
            smoothed=smoothed,
            scaled=self.scaler.transform(smoothed).astype(np.float32),
            scaled_log_roi=self.scaler.transform_log_roi(log_rois).astype(np.float32),
            filled=dataset.filled[:, columns],
            true_range=dataset.true_range[:, columns],
            scaler=self.scaler,
        )

    @property
    def rows_needed(self) -> int:
        """Price rows that one forecast needs: a window, its smoothing and the first ROI."""
        return self.seq_len + self.smoothing

    def apply(self, rows: PriceRows) -> PreparedRows:
        """Compute the model's input from aligned prices.

        An asset of the version that has no prices in `rows` counts as one whose price stands still,
        like any asset without a bar.

        Raises:
            DatasetError: There are fewer rows than one window needs.
        """
        if len(rows.dates) < self.rows_needed:
            raise DatasetError(
                f"{len(rows.dates)} price rows up to {rows.dates[-1]} are too few; a window of "
                f"{self.seq_len} with smoothing {self.smoothing} needs {self.rows_needed}"
            )
        prices = np.ones((len(rows.dates), len(self.symbols)))
        filled = np.ones(prices.shape, dtype=np.bool_)
        true_range = np.full(prices.shape, np.nan)
        for column, symbol in enumerate(self.symbols):
            if symbol in rows.symbols:
                source = rows.symbols.index(symbol)
                prices[:, column] = rows.prices[:, source]
                filled[:, column] = rows.filled[:, source]
                true_range[:, column] = rows.true_range[:, source]
        log_rois, smoothed = log_roi_and_smoothed(prices, self.smoothing)
        return PreparedRows(
            symbols=self.symbols,
            dates=rows.dates[self.smoothing :],
            log_roi=log_rois,
            smoothed=smoothed,
            scaled=self.scaler.transform(smoothed).astype(np.float32),
            scaled_log_roi=self.scaler.transform_log_roi(log_rois).astype(np.float32),
            filled=filled[self.smoothing :],
            true_range=true_range[self.smoothing :],
        )

    def save(self, directory: Path) -> None:
        """Write `scaler.json`."""
        content = {
            "symbols": list(self.symbols),
            "seq_len": self.seq_len,
            "smoothing": self.smoothing,
            "scaler": self.scaler.to_json(),
        }
        (directory / SCALER_FILE).write_text(json.dumps(content, indent=2), encoding="utf-8")

    @classmethod
    def load(cls, version: VerifiedDirectory) -> Self:
        """Read `scaler.json` of a version.

        Raises:
            DatasetError: The file is not what `save` wrote.
            RoiForecastError: It is missing or changed; of the class that the version raises.
        """
        text = version.read(SCALER_FILE)
        try:
            content = json.loads(text)
            return cls(
                tuple(content["symbols"]),
                int(content["seq_len"]),
                int(content["smoothing"]),
                Scaler.from_json(content["scaler"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            path = version.directory / SCALER_FILE
            raise DatasetError(f"{path} is not a readable scaler file: {error!r}") from error
