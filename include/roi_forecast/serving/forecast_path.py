"""Forecasts of several horizons from one as-of date: where a version sees each price going."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.config import MultiStep
from roi_forecast.errors import RegistryError
from roi_forecast.evaluation.stored_evaluation import METRICS_FILE
from roi_forecast.features.dataset import PreparedRows
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import smoothed_ahead, to_percent
from roi_forecast.features.rows import PriceRows
from roi_forecast.files.verified import VerifiedDirectory
from roi_forecast.forecaster.horizons import HorizonCalibration
from roi_forecast.network.predictor import Predictor, load_predictor
from roi_forecast.serving.serving_version import ServingVersion

Method = Literal["single_step", MultiStep]


@dataclass(frozen=True)
class HorizonForecast:
    """Forecasts of one horizon for all assets of a version; arrays of shape (assets,), in percent.

    Attributes:
        horizon: Reference sessions from the as-of to the target date.
        method: `single_step` for the next session, else how the forecast was made.
        roi_pct: ROI from the as-of to the target date.
        smoothed_roi_pct: Smoothed ROI at the target date, before shrinking.
        lower_80_pct: Bounds of the ROI.
        upper_80_pct: Likewise.
        lower_95_pct: Likewise.
        upper_95_pct: Likewise.
        member_spread_pct: Standard deviation of the smoothed forecasts over the members of an
            ensemble; None for a single network and beyond the next session.
    """

    horizon: int
    method: Method
    roi_pct: FloatArray
    smoothed_roi_pct: FloatArray
    lower_80_pct: FloatArray
    upper_80_pct: FloatArray
    lower_95_pct: FloatArray
    upper_95_pct: FloatArray
    member_spread_pct: FloatArray | None


def forecast_path(
    serving: ServingVersion,
    preprocessing: Preprocessing,
    rows: PriceRows,
    next_session: date,
    horizons: tuple[int, ...],
    method: MultiStep,
) -> tuple[HorizonForecast, ...]:
    """Forecast from the last of the rows.

    Args:
        serving: The version, its files checked.
        preprocessing: The version's own.
        rows: Carried prices up to the as-of date, shape (rows, assets): at least one window, and as
            many as the intervals look back.
        next_session: The session after the last row.
        horizons: Ascending, from 1 to MAX_HORIZON.
        method: How horizons beyond the first are forecast.

    Returns:
        One for each horizon. What a horizon is forecast does not depend on the others.

    Raises:
        DatasetError: There are fewer rows than one window needs.
        EvaluationError: There are too few rows for an interval.
        RegistryError: The model does not load, or its calibration is of an older format.
    """
    prepared = preprocessing.apply(rows)
    calibration = _read_calibration(serving.files)
    next_row = len(prepared.dates)
    # The intervals rest on how far the version's own earlier forecasts were off.
    scored = calibration.next_day.first_scored_row(prepared.dates)
    origins = range(max(min(scored, next_row), preprocessing.seq_len), next_row + 1)
    predictor = load_predictor(serving.files)
    cumulated = calibration.forecast(
        method,
        predictor.forecast_windows,
        preprocessing,
        prepared,
        origins,
        horizons[-1],
    )
    intervals = calibration.intervals(
        method, prepared, cumulated, range(next_row, next_row + 1), np.datetime64(next_session)
    )
    roi_pct = to_percent(calibration.publish(method, cumulated)[:, -1])
    span = preprocessing.smoothing
    smoothed = smoothed_ahead(cumulated[:, -1], prepared.log_roi[next_row - span + 1 :], span)
    path = []
    for horizon in horizons:
        at_80, at_95 = intervals[horizon - 1]
        path.append(
            HorizonForecast(
                horizon=horizon,
                method="single_step" if horizon == 1 else method,
                roi_pct=roi_pct[horizon - 1],
                smoothed_roi_pct=to_percent(smoothed[horizon - 1]),
                lower_80_pct=at_80.lower[0],
                upper_80_pct=at_80.upper[0],
                lower_95_pct=at_95.lower[0],
                upper_95_pct=at_95.upper[0],
                member_spread_pct=(
                    _member_spread(predictor, preprocessing, prepared) if horizon == 1 else None
                ),
            )
        )
    return tuple(path)


def _member_spread(
    predictor: Predictor, preprocessing: Preprocessing, rows: PreparedRows
) -> FloatArray | None:
    if len(predictor.networks) == 1:
        return None
    next_row = len(rows.dates)
    members = predictor.predict_members(
        rows.scaled, rows.scaled_log_roi, range(next_row, next_row + 1)
    )
    smoothed = to_percent(preprocessing.scaler.inverse(members[:, 0]))
    return np.asarray(smoothed.std(axis=0, ddof=1), dtype=np.float64)


def _read_calibration(files: VerifiedDirectory) -> HorizonCalibration:
    content = json.loads(files.read(METRICS_FILE))
    try:
        return HorizonCalibration.from_json(content.get("calibration"))
    except RegistryError as error:
        raise RegistryError(f"{files.directory / METRICS_FILE}: {error}") from error
