"""Forecasts of the next session from the serving version, one for each of its assets."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert

from roi_forecast.database.tables import predictions
from roi_forecast.errors import DatasetError, NoChampionError, NothingToForecastError, RegistryError
from roi_forecast.evaluation.conformal import TRAILING
from roi_forecast.evaluation.evaluate import METRICS_FILE
from roi_forecast.evaluation.next_day import NextDayCalibration
from roi_forecast.features.preprocessing import PreparedRows, Preprocessing
from roi_forecast.features.returns import implied_log_roi, known_sum, to_percent
from roi_forecast.features.rows import PriceRows, load_rows
from roi_forecast.features.scaling import FloatArray
from roi_forecast.market.calendars import next_sessions
from roi_forecast.market.opening import opens_at
from roi_forecast.model.predictor import Predictor, load_predictor
from roi_forecast.model.scale_inputs import MEMORY
from roi_forecast.model.versions import ModelVersion
from roi_forecast.registry.serving import ServingVersion, open_champion
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import Asset, load_universe, reference_exchange

logger = logging.getLogger(__name__)

HORIZON = 1


@dataclass(frozen=True)
class NextSessionForecast:
    """Forecasts for all assets of a version; every array has the shape (assets,), in percent.

    `member_spread_pct` is the standard deviation of the smoothed forecasts over the members of an
    ensemble, None for a single network.
    """

    symbols: tuple[str, ...]
    roi_pct: FloatArray
    smoothed_roi_pct: FloatArray
    lower_80_pct: FloatArray
    upper_80_pct: FloatArray
    lower_95_pct: FloatArray
    upper_95_pct: FloatArray
    member_spread_pct: FloatArray | None


def store_forecasts(
    engine: Engine, run: ResolvedRun, dataset_id: str, models_directory: Path, *, now: datetime
) -> int:
    """Forecast the session after the run's as-of date with whichever version serves.

    What is stored is never changed: a second forecast of the same version and as-of date adds
    nothing.

    Args:
        engine: Market database.
        run: The resolved run; no price after its as-of date is read.
        dataset_id: The run's dataset, stored with the forecasts.
        models_directory: Folder of the registry.
        now: The present, with time zone: a forecast made after its target session opened is
            marked as a backfill.

    Returns:
        The number of forecasts that were added.

    Raises:
        NothingToForecastError: No version serves, or it serves another source that has no prices
            for the as-of date.
        RegistryError: The champion's files are missing or damaged.
        DatasetError: The stored prices do not reach the as-of date.
        EvaluationError: The stored prices are too few for an interval.
    """
    try:
        serving = open_champion(engine, models_directory, run.model_name)
    except NoChampionError as error:
        raise NothingToForecastError(str(error)) from error
    version = serving.version
    assets = load_universe().select(version.symbols)
    preprocessing = Preprocessing.load(serving.directory)
    try:
        rows = _load_recent_rows(engine, version, assets, preprocessing, run.as_of_date)
    except DatasetError as error:
        if version.source == run.source_key:
            raise
        raise NothingToForecastError(
            f"version {version.version_id} forecasts from {version.source}, not from this run's "
            f"{run.source_key}: {error}"
        ) from error
    target_date = next_sessions(reference_exchange(assets), run.as_of_date, 1)[0]
    forecast = forecast_next_session(serving, preprocessing, rows, target_date)
    opened = {
        exchange: opens_at(exchange, target_date) <= now
        for exchange in {asset.exchange for asset in assets}
    }
    values = [
        {
            "version_id": version.version_id,
            "symbol": asset.symbol,
            "as_of_date": run.as_of_date,
            "horizon": HORIZON,
            "target_date": target_date,
            "run_id": run.run_id,
            "source": version.source,
            "dataset_id": dataset_id if version.source == run.source_key else version.dataset_id,
            "predicted_roi_pct": float(forecast.roi_pct[column]),
            "predicted_smoothed_roi_pct": float(forecast.smoothed_roi_pct[column]),
            "lower_80_pct": float(forecast.lower_80_pct[column]),
            "upper_80_pct": float(forecast.upper_80_pct[column]),
            "lower_95_pct": float(forecast.lower_95_pct[column]),
            "upper_95_pct": float(forecast.upper_95_pct[column]),
            "member_spread_pct": (
                None
                if forecast.member_spread_pct is None
                else float(forecast.member_spread_pct[column])
            ),
            "backfill": opened[asset.exchange],
            "created_at": now,
        }
        for column, asset in enumerate(assets)
    ]
    added = insert(predictions).on_conflict_do_nothing().returning(predictions.c.symbol)
    with engine.begin() as connection:
        count = len(connection.execute(added, values).all())
    logger.info(
        "version %s, as of %s, target %s: %d forecasts, %d of them new",
        version.version_id,
        run.as_of_date,
        target_date,
        len(values),
        count,
    )
    return count


def forecast_next_session(
    serving: ServingVersion, preprocessing: Preprocessing, rows: PriceRows, target_date: date
) -> NextSessionForecast:
    """Forecast the session after the last of the rows.

    Args:
        serving: The version, its files checked.
        preprocessing: The version's own.
        rows: Carried prices up to the as-of date, shape (rows, assets): at least one window, and as
            many as the intervals look back.
        target_date: The session after the last row.

    Raises:
        DatasetError: There are fewer rows than one window needs.
        EvaluationError: There are too few rows for an interval.
        RegistryError: The model does not load, or its calibration is of an older format.
    """
    prepared = preprocessing.apply(rows)
    calibration = _read_calibration(serving.directory)
    next_row = len(prepared.dates)
    # The intervals rest on how far the version's own earlier forecasts were off.
    first = max(min(calibration.first_scored_row(prepared.dates), next_row), preprocessing.seq_len)
    targets = range(first, next_row + 1)
    predictor = load_predictor(serving.directory)
    scaled = predictor.predict(prepared.scaled, prepared.scaled_log_roi, targets)
    smoothed = preprocessing.scaler.inverse(scaled)
    known = known_sum(prepared.log_roi, targets, preprocessing.smoothing)
    implied = implied_log_roi(smoothed, known, preprocessing.smoothing)
    at_80, at_95 = calibration.intervals(
        prepared, implied, range(next_row, next_row + 1), np.datetime64(target_date)
    )
    return NextSessionForecast(
        symbols=preprocessing.symbols,
        roi_pct=to_percent(calibration.shrinkage * implied[-1]),
        smoothed_roi_pct=to_percent(smoothed[-1]),
        lower_80_pct=at_80.lower[0],
        upper_80_pct=at_80.upper[0],
        lower_95_pct=at_95.lower[0],
        upper_95_pct=at_95.upper[0],
        member_spread_pct=_member_spread(predictor, preprocessing, prepared),
    )


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


def _read_calibration(directory: Path) -> NextDayCalibration:
    content = json.loads((directory / METRICS_FILE).read_text(encoding="utf-8"))
    try:
        return NextDayCalibration.from_json(content.get("calibration"))
    except RegistryError as error:
        raise RegistryError(f"{directory / METRICS_FILE}: {error}") from error


def _load_recent_rows(
    engine: Engine,
    version: ModelVersion,
    assets: tuple[Asset, ...],
    preprocessing: Preprocessing,
    as_of_date: date,
) -> PriceRows:
    before_window = max(preprocessing.seq_len, MEMORY)
    with engine.connect() as connection:
        return load_rows(
            connection,
            version.source,
            assets,
            # Rows before the version's own may not be there; a forecast of the past needs them.
            min(
                max(
                    _sessions_before(
                        as_of_date, TRAILING + before_window + preprocessing.smoothing
                    ),
                    version.first_date,
                ),
                _sessions_before(as_of_date, preprocessing.rows_needed),
            ),
            as_of_date,
            max_lost_share=1.0,
        )


def _sessions_before(day: date, sessions: int) -> date:
    # Twice the sessions in calendar days, and a month of holidays: always enough.
    return day - timedelta(days=2 * sessions + 30)
