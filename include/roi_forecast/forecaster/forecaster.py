"""What a model version is: everything that turns prices into published forecasts."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.config import MultiStep
from roi_forecast.data_path import DataPath
from roi_forecast.errors import RegistryError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import known_sum, smoothed_ahead, to_percent
from roi_forecast.features.windows import window_view
from roi_forecast.files.arrays import read_arrays
from roi_forecast.files.artifacts import write_file
from roi_forecast.files.verified import VerifiedDirectory
from roi_forecast.forecaster.calibration import Calibration
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.forecaster.through_time import PreparedRows, ThroughTime
from roi_forecast.linear.fit import LAGS
from roi_forecast.linear.through_time import Linear
from roi_forecast.network.predictor import Predictor, load_predictor
from roi_forecast.scale.market_rows import RowSlice

LINEAR_FILE = "linear.npz"
CALIBRATION_FILE = "calibration.json"
SAMPLE_FILE = "sample.npz"
"""One input and its forecast, by which a fresh process can tell that the model is whole."""

# A GPU sums in another order than a CPU; in scaled units this is far below any forecast's error.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Forecaster:
    """A fitted model: it forecasts what `Preprocessing` prepared.

    Attributes:
        preprocessing: Columns, spans and scaler that the network was trained with.
        linear: What context and own past say about the next log ROI, fitted through time.
        predictor: The network, or the members of an ensemble; None: the linear part alone.
        calibration: How much of the network is published, and the intervals.
    """

    preprocessing: Preprocessing
    linear: Linear
    predictor: Predictor | None
    calibration: Calibration

    @classmethod
    def fit(cls, dataset: Dataset, predictor: Predictor | None, through_time: ThroughTime) -> Self:
        """Calibrate trained networks.

        Args:
            dataset: What they were trained on. Of test rows only what is fitted through time reads
                some: each fit those before the date it forecasts from.
            predictor: The trained networks; None: the linear part alone.
            through_time: What was fitted on the same rows, or on more of the same prices.

        Raises:
            EvaluationError: No asset has a bar on any validation session.
            TrainingError: There is no training row to fit the scale on, or no price moved.
        """
        linear, scale = through_time.linear, through_time.scale
        calibration = Calibration.fit(dataset, linear, scale, predictor)
        return cls(Preprocessing.of_dataset(dataset), linear, predictor, calibration)

    def save(self, directory: DataPath, dataset: Dataset) -> None:
        """Write everything but the networks, which lie there since their training.

        Args:
            directory: Folder of the version.
            dataset: Its last rows are the input of the sample.
        """
        self.preprocessing.save(directory)
        write_file(directory / LINEAR_FILE, self.linear.to_bytes())
        content = json.dumps(self.calibration.to_json(), indent=2) + "\n"
        write_file(directory / CALIBRATION_FILE, content.encode())
        inputs = dataset.inputs[-dataset.seq_len :]
        baseline = dataset.scaled[-1:].astype(np.float64)
        sample = io.BytesIO()
        np.savez(
            sample,
            inputs=inputs,
            baseline=baseline,
            expected=_forecast_sample(self._network, inputs, baseline),
        )
        write_file(directory / SAMPLE_FILE, sample.getvalue())

    @classmethod
    def load(cls, files: VerifiedDirectory) -> Self:
        """Read a version.

        Raises:
            RegistryError: The model does not load, or a part of it is damaged or of another format.
            DatasetError: Its preprocessing cannot be read.
        """
        preprocessing = Preprocessing.load(files)
        try:
            calibration = Calibration.from_json(json.loads(files.read(CALIBRATION_FILE)))
        except (RegistryError, ValueError) as error:
            raise RegistryError(f"{files.directory / CALIBRATION_FILE}: {error}") from error
        try:
            linear = Linear.from_bytes(
                files.read(LINEAR_FILE), preprocessing.context_symbols, preprocessing.symbols
            )
        except RegistryError as error:
            raise RegistryError(f"{files.directory / LINEAR_FILE}: {error}") from error
        return cls(preprocessing, linear, load_predictor(files), calibration)

    def check_sample(self, files: VerifiedDirectory) -> None:
        """Check that this process forecasts what the one that saved the version did.

        Raises:
            RegistryError: It forecasts something else.
        """
        sample: dict[str, Any] = read_arrays(files.read(SAMPLE_FILE))
        found = _forecast_sample(self._network, sample["inputs"], sample["baseline"])
        difference = float(np.abs(found - sample["expected"]).max())
        if not difference <= _TOLERANCE:
            raise RegistryError(
                f"its forecast differs from the stored one by {difference:.2g}, scaled; "
                f"allowed is {_TOLERANCE:g}"
            )

    def extended(self, rows: PreparedRows, next_date: np.datetime64 | None) -> Self:
        """Return the forecaster with the fits of the months that began since; see `rows_needed`."""
        fits = ThroughTime(self.linear, self.calibration.scale).extended(rows, next_date)
        return replace(
            self, linear=fits.linear, calibration=replace(self.calibration, scale=fits.scale)
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
        fitted = self.extended(rows, next_date)
        calibration, longest = fitted.calibration, horizons[-1]
        first = origins.start
        if with_bounds:
            scored = calibration.first_scored_row(rows.dates)
            first = max(min(scored, first), self.preprocessing.seq_len)
        parts = fitted.linear.predict(rows, range(LAGS, origins.stop), next_date)
        near = parts.published[first - LAGS :]
        cumulated = calibration.forecast(
            method,
            self.predictor,
            self.preprocessing,
            rows,
            near,
            range(first, origins.stop),
            longest,
        )
        published = calibration.publish(method, near, cumulated)
        del cumulated
        intervals: tuple[tuple[Intervals, ...], ...] = ()
        if with_bounds:
            known = rows if next_date is not None else RowSlice.of(rows, 0, origins.stop)
            unknown = np.full((LAGS, near.shape[1]), np.nan)
            of_rows = np.concatenate([unknown, parts.published])
            intervals = calibration.intervals(
                known, of_rows, published, origins, next_date, horizons
            )
        published = published[:, origins.start - first :]
        span = self.preprocessing.smoothing
        recent = window_view(rows.log_roi, origins, span)[:, 1:].transpose(1, 0, 2)
        chosen = slice(origins.start - LAGS, origins.stop - LAGS)
        # What the network adds counts to the part after the opening.
        gap = parts.factor[chosen, np.newaxis] * parts.gap[chosen] + 0.0
        return Forecasts(
            symbols=self.preprocessing.symbols,
            origins=origins,
            horizons=tuple(horizons),
            log_roi=published[[horizon - 1 for horizon in horizons]],
            smoothed=smoothed_ahead(published, recent, span, horizons),
            gap=gap,
            open_to_close=published[0] - gap,
            intervals=intervals,
            context_missing=rows.context_missing[origins.start - 1 : origins.stop - 1],
            member_spread_pct=(
                self._member_spread_pct(rows, near[origins.start - first :], origins)
                if with_bounds
                else None
            ),
        )

    def explain(
        self, rows: PreparedRows, next_date: np.datetime64
    ) -> dict[str, dict[str, dict[str, float]]]:
        """Return what each context asset did and adds to the published forecast after the last row.

        Args:
            rows: Rows in time order, prepared by this forecaster's preprocessing, which `extended`
                was given.
            next_date: The date of the session that is forecast.

        Returns:
            By asset and context asset `move_pct`, its move in percent, and `added_pct`, what that
            adds to the asset's forecast, in percent points.
        """
        added = to_percent(self.linear.contributions(rows, next_date))
        moves = to_percent(rows.context[-1])
        return {
            symbol: {
                name: {"move_pct": float(moves[place]), "added_pct": float(added[place, column])}
                for place, name in enumerate(self.preprocessing.context_symbols)
            }
            for column, symbol in enumerate(self.preprocessing.symbols)
        }

    def _member_spread_pct(
        self, rows: PreparedRows, linear: FloatArray, origins: range
    ) -> FloatArray | None:
        if self.predictor is None or len(self.predictor.networks) == 1:
            return None
        span, scaler = self.preprocessing.smoothing, self.preprocessing.scaler
        baseline = scaler.transform((known_sum(rows.log_roi, origins, span) + linear) / span)
        members = self.predictor.predict_members(rows.inputs, baseline, origins)
        smoothed = to_percent(scaler.inverse(members))
        return np.asarray(smoothed.std(axis=0, ddof=1), dtype=np.float64)

    @property
    def _network(self) -> Predictor:
        if self.predictor is None:
            raise RegistryError("only a version with a network is saved")
        return self.predictor


def _forecast_sample(
    predictor: Predictor, inputs: npt.NDArray[np.float32], baseline: FloatArray
) -> FloatArray:
    rows = len(inputs)
    return predictor.predict(inputs, baseline, range(rows, rows + 1))
