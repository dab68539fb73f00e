"""What a model version is: everything that turns prices into published forecasts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.blas import on_one_blas_thread
from roi_forecast.config import MultiStep
from roi_forecast.errors import RegistryError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import smoothed_ahead, to_percent
from roi_forecast.features.windows import window_view
from roi_forecast.files.arrays import read_arrays
from roi_forecast.files.artifacts import write_file
from roi_forecast.files.verified import VerifiedDirectory
from roi_forecast.forecaster.calibration import Calibration
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.forecaster.recursive import ModelRows
from roi_forecast.forecaster.scale_inputs import MarketRows, RowSlice
from roi_forecast.network.predictor import Predictor, load_predictor

CALIBRATION_FILE = "calibration.json"
SAMPLE_FILE = "sample.npz"
"""One input and its forecast, by which a fresh process can tell that the model is whole."""

# A GPU sums in another order than a CPU; in scaled units this is far below any forecast's error.
_TOLERANCE = 1e-3


class PreparedRows(ModelRows, MarketRows, Protocol):
    """Rows of a dataset, or of prices that `Preprocessing.apply` prepared; shapes as there."""


@dataclass(frozen=True)
class Forecaster:
    """A fitted model: it forecasts what `Preprocessing` prepared.

    Attributes:
        preprocessing: Columns, spans and scaler that the network was trained with.
        predictor: The network, or the members of an ensemble.
        calibration: How its forecasts are published.
    """

    preprocessing: Preprocessing
    predictor: Predictor
    calibration: Calibration

    @classmethod
    @on_one_blas_thread
    def fit(cls, dataset: Dataset, predictor: Predictor, ridge_penalty: float) -> Self:
        """Calibrate trained networks.

        Args:
            dataset: What they were trained on; no row from the first test row on is read.
            predictor: The trained networks.
            ridge_penalty: Of the direct forecasts beyond the next session.

        Raises:
            EvaluationError: No asset has a bar on any validation session.
            TrainingError: There is no training row to fit the scale on, or no price moved.
        """
        calibration = Calibration.fit(dataset, predictor.forecast_windows, ridge_penalty)
        return cls(Preprocessing.of_dataset(dataset), predictor, calibration)

    def save(self, directory: Path, dataset: Dataset) -> None:
        """Write everything but the networks, which lie there since their training.

        Args:
            directory: Folder of the version.
            dataset: Its last rows are the input of the sample.
        """
        self.preprocessing.save(directory)
        content = json.dumps(self.calibration.to_json(), indent=2) + "\n"
        write_file(directory / CALIBRATION_FILE, content.encode())
        rows = slice(-dataset.seq_len, None)
        scaled, scaled_log_roi = dataset.scaled[rows], dataset.scaled_log_roi[rows]
        np.savez(
            directory / SAMPLE_FILE,
            scaled=scaled,
            scaled_log_roi=scaled_log_roi,
            expected=self._forecast_sample(scaled, scaled_log_roi),
        )

    @classmethod
    def load(cls, files: VerifiedDirectory) -> Self:
        """Read a version.

        Raises:
            RegistryError: The model does not load, or its calibration is damaged or of another
                format.
            DatasetError: Its preprocessing cannot be read.
        """
        try:
            calibration = Calibration.from_json(json.loads(files.read(CALIBRATION_FILE)))
        except (RegistryError, ValueError) as error:
            raise RegistryError(f"{files.directory / CALIBRATION_FILE}: {error}") from error
        return cls(Preprocessing.load(files), load_predictor(files), calibration)

    def check_sample(self, files: VerifiedDirectory) -> None:
        """Check that this process forecasts what the one that saved the version did.

        Raises:
            RegistryError: It forecasts something else.
        """
        sample: dict[str, Any] = read_arrays(files.read(SAMPLE_FILE))
        found = self._forecast_sample(sample["scaled"], sample["scaled_log_roi"])
        difference = float(np.abs(found - sample["expected"]).max())
        if not difference <= _TOLERANCE:
            raise RegistryError(
                f"its forecast differs from the stored one by {difference:.2g}, scaled; "
                f"allowed is {_TOLERANCE:g}"
            )

    def forecast(
        self,
        rows: PreparedRows,
        origins: range,
        horizons: Sequence[int],
        method: MultiStep,
        *,
        next_date: np.datetime64 | None = None,
        with_bounds: bool = True,
    ) -> Forecasts:
        """Forecast from consecutive origins.

        Args:
            rows: Rows in time order, prepared by this forecaster's preprocessing.
            origins: Rows to forecast from; the last may be the row after the last. No row from an
                origin on takes part in its forecasts or their bounds.
            horizons: Ascending, from 1 to MAX_HORIZON. The forecast of a horizon does not depend on
                the others.
            method: How horizons beyond the first are forecast.
            next_date: The date of the row after the last, where it is an origin.
            with_bounds: Whether to compute the intervals. They rest on the forecaster's own earlier
                forecasts, which are made again.

        Raises:
            DatasetError: An origin has too few rows before it, or lies after the next row.
            EvaluationError: There are too few errors before an origin for its bounds.
        """
        calibration, longest = self.calibration, horizons[-1]
        first = origins.start
        if with_bounds:
            scored = calibration.first_scored_row(rows.dates)
            first = max(min(scored, first), self.preprocessing.seq_len)
        cumulated = calibration.forecast(
            method,
            self.predictor.forecast_windows,
            self.preprocessing,
            rows,
            range(first, origins.stop),
            longest,
        )
        known = rows if next_date is not None else RowSlice.of(rows, 0, origins.stop)
        intervals = (
            calibration.intervals(method, known, cumulated, origins, next_date)
            if with_bounds
            else ()
        )
        cumulated = cumulated[:, origins.start - first :]
        span = self.preprocessing.smoothing
        recent = window_view(rows.log_roi, origins, span)[:, 1:].transpose(1, 0, 2)
        return Forecasts(
            symbols=self.preprocessing.symbols,
            origins=origins,
            horizons=tuple(range(1, longest + 1)),
            unshrunk=cumulated,
            log_roi=calibration.publish(method, cumulated),
            smoothed=smoothed_ahead(cumulated, recent, span),
            intervals=intervals,
            member_spread_pct=self._member_spread_pct(rows, origins) if with_bounds else None,
        ).at(horizons)

    def _member_spread_pct(self, rows: PreparedRows, origins: range) -> FloatArray | None:
        if len(self.predictor.networks) == 1:
            return None
        members = self.predictor.predict_members(rows.scaled, rows.scaled_log_roi, origins)
        smoothed = to_percent(self.preprocessing.scaler.inverse(members))
        return np.asarray(smoothed.std(axis=0, ddof=1), dtype=np.float64)

    def _forecast_sample(
        self, scaled: npt.NDArray[np.float32], scaled_log_roi: npt.NDArray[np.float32]
    ) -> FloatArray:
        rows = len(scaled)
        return self.predictor.predict(scaled, scaled_log_roi, range(rows, rows + 1))
