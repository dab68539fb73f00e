"""The steps from prices to a model's input; stored as `scaler.json` of each version."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from roi_forecast.data_path import DataPath
from roi_forecast.errors import DatasetError
from roi_forecast.features.dataset import Dataset, PreparedRows
from roi_forecast.features.returns import log_roi_and_smoothed
from roi_forecast.features.rows import PriceRows
from roi_forecast.features.scaling import Scaler
from roi_forecast.files.artifacts import write_file
from roi_forecast.files.verified import VerifiedDirectory
from roi_forecast.universe import Context, Publish, load_universe

SCALER_FILE = "scaler.json"

_PUBLISH: TypeAdapter[Publish] = TypeAdapter(Publish)


@dataclass(frozen=True)
class Preprocessing:
    """The columns, spans and scaler that a model version was trained with, and its context."""

    symbols: tuple[str, ...]
    context_symbols: tuple[str, ...]
    publish: Publish
    seq_len: int
    smoothing: int
    scaler: Scaler

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> Self:
        """Return the preprocessing of a dataset."""
        names = ("symbols", "context_symbols", "publish", "seq_len", "smoothing", "scaler")
        return cls(**{name: getattr(dataset, name) for name in names})

    @property
    def context(self) -> Context:
        """The context assets and when a run publishes, as rows for this version need them.

        One whose exchange is no longer declared is left out; `apply` counts it as missing.
        """
        universe = load_universe()
        known = universe.declared(self.context_symbols)
        return Context(universe.select(known), self.publish)

    def differences(self, dataset: Dataset) -> Iterator[str]:
        """Yield every reason why this preprocessing cannot read a dataset."""
        for kind, has, wanted in (
            ("assets", self.symbols, dataset.symbols),
            ("context assets", self.context_symbols, dataset.context_symbols),
        ):
            missing = [symbol for symbol in has if symbol not in wanted]
            added = [symbol for symbol in wanted if symbol not in has]
            if missing:
                yield f"it has {kind} that the run lacks: {', '.join(missing)}"
            if added:
                yield f"it lacks {kind} of the run: {', '.join(added)}"
        for name, own, other in (
            ("publish", self.publish, dataset.publish),
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
        if self.context_symbols != dataset.context_symbols:
            dataset = dataset.of_context(
                [dataset.context_symbols.index(symbol) for symbol in self.context_symbols]
            )
        same_scaler = self.scaler.to_json() == dataset.scaler.to_json()
        return dataset if same_scaler else dataset.rescaled(self.scaler)

    @property
    def rows_needed(self) -> int:
        """Price rows that one forecast needs: a window, its smoothing and the first ROI."""
        return self.seq_len + self.smoothing

    def apply(self, rows: PriceRows) -> PreparedRows:
        """Compute the model's input from aligned prices.

        An asset of the version that has no prices in `rows` gets a constant price, filled on every
        row; a context asset that `rows` lack is missing on every row.

        Raises:
            DatasetError: There are fewer rows than one window needs.
        """
        if len(rows.dates) < self.rows_needed:
            raise DatasetError(
                f"{len(rows.dates)} price rows up to {rows.dates[-1]} are too few; a window of "
                f"{self.seq_len} with smoothing {self.smoothing} needs {self.rows_needed}"
            )
        assets, of_context = (
            partial(_columns, has=has, wanted=wanted)
            for has, wanted in (
                (rows.symbols, self.symbols),
                (rows.context_symbols, self.context_symbols),
            )
        )
        lost = self.smoothing
        log_rois, smoothed = log_roi_and_smoothed(assets(rows.prices, otherwise=1.0), lost)
        context = of_context(rows.context, otherwise=0.0)[lost:]
        return PreparedRows(
            symbols=self.symbols,
            dates=rows.dates[lost:],
            log_roi=log_rois,
            smoothed=smoothed,
            scaled=self.scaler.transform(smoothed).astype(np.float32),
            filled=assets(rows.filled, otherwise=True)[lost:],
            true_range=assets(rows.true_range, otherwise=np.nan)[lost:],
            gap=assets(rows.gap, otherwise=np.nan)[lost:],
            volume=assets(rows.volume, otherwise=np.nan)[lost:],
            published_at=rows.published_at[lost:],
            publish=rows.publish,
            context_symbols=self.context_symbols,
            context=context,
            context_missing=of_context(rows.context_missing, otherwise=True)[lost:],
            scaled_context=self.scaler.transform_context(context).astype(np.float32),
        )

    def save(self, directory: DataPath) -> None:
        """Write `scaler.json`."""
        content = {**vars(self), "scaler": self.scaler.to_json()}
        write_file(directory / SCALER_FILE, json.dumps(content, indent=2).encode())

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
                tuple(content["context_symbols"]),
                _PUBLISH.validate_python(content["publish"]),
                int(content["seq_len"]),
                int(content["smoothing"]),
                Scaler.from_json(content["scaler"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            path = version.directory / SCALER_FILE
            raise DatasetError(f"{path} is not a readable scaler file: {error!r}") from error


def _columns(
    values: npt.NDArray[Any], *, has: Sequence[str], wanted: Sequence[str], otherwise: Any
) -> npt.NDArray[Any]:
    """Return one column for each wanted symbol; `otherwise` fills those that there are not."""
    columns = np.full((len(values), len(wanted)), otherwise, dtype=values.dtype)
    for column, symbol in enumerate(wanted):
        if symbol in has:
            columns[:, column] = values[:, has.index(symbol)]
    return columns
