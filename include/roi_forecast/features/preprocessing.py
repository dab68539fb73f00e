"""The steps from prices to a model's input; stored as `scaler.json` of each version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from roi_forecast.errors import DatasetError
from roi_forecast.features.dataset import Dataset, PreparedRows
from roi_forecast.features.returns import log_roi_and_smoothed
from roi_forecast.features.rows import PriceRows
from roi_forecast.features.scaling import Scaler
from roi_forecast.files.verified import VerifiedDirectory

SCALER_FILE = "scaler.json"


@dataclass(frozen=True)
class Preprocessing:
    """The columns, spans and scaler that a model version was trained with."""

    symbols: tuple[str, ...]
    seq_len: int
    smoothing: int
    scaler: Scaler

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> Self:
        """Return the preprocessing of a dataset."""
        return cls(dataset.symbols, dataset.seq_len, dataset.smoothing, dataset.scaler)

    def differences(self, dataset: Dataset) -> Iterator[str]:
        """Yield every reason why this preprocessing cannot read a dataset."""
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
        """Return a dataset in this preprocessing's columns and scaled units.

        A fine-tuned version keeps the scaler of the version it continues, which was fitted on other
        training rows. A dataset that already matches is returned itself.

        Raises:
            DatasetError: The assets, spans or kind of scaler differ.
        """
        differences = list(self.differences(dataset))
        if differences:
            raise DatasetError(
                f"dataset {dataset.dataset_id} cannot be read with this preprocessing: "
                f"{'; '.join(differences)}"
            )
        if self.symbols != dataset.symbols:
            dataset = dataset.of_columns([dataset.symbols.index(s) for s in self.symbols])
        same_scaler = self.scaler.to_json() == dataset.scaler.to_json()
        return dataset if same_scaler else dataset.rescaled(self.scaler)

    @property
    def rows_needed(self) -> int:
        """Price rows that one forecast needs: a window, its smoothing and the first ROI."""
        return self.seq_len + self.smoothing

    def apply(self, rows: PriceRows) -> PreparedRows:
        """Compute the model's input from aligned prices.

        An asset of the version that has no prices in `rows` gets a constant price, filled on every
        row.

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
        content = {**vars(self), "scaler": self.scaler.to_json()}
        (directory / SCALER_FILE).write_text(json.dumps(content, indent=2), encoding="utf-8")

    @classmethod
    def load(cls, version: VerifiedDirectory) -> Self:
        """Read the `scaler.json` of a version.

        Raises:
            DatasetError: The file is not valid.
            RoiForecastError: The file is missing or changed; of the class that `version` raises.
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
