"""Forecasts of the next session from the serving version, one for each of its assets."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert

from roi_forecast.database.tables import predictions
from roi_forecast.errors import DatasetError, NoChampionError, NothingToForecastError
from roi_forecast.evaluation.evaluate import METRICS_FILE
from roi_forecast.evaluation.next_day import NextDayCalibration
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import implied_log_roi, known_sum, to_percent
from roi_forecast.features.rows import PriceRows, load_rows
from roi_forecast.features.scaling import FloatArray
from roi_forecast.market.calendars import next_sessions
from roi_forecast.market.opening import opens_at
from roi_forecast.model.predictor import load_predictor
from roi_forecast.registry.serving import ServingVersion, open_champion
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import Asset, load_universe, reference_exchange

logger = logging.getLogger(__name__)

HORIZON = 1


@dataclass(frozen=True)
class NextSessionForecast:
    """Forecasts for all assets of a version; every array has the shape (assets,), in percent."""

    symbols: tuple[str, ...]
    roi_pct: FloatArray
    smoothed_roi_pct: FloatArray
    lower_80_pct: FloatArray
    upper_80_pct: FloatArray
    lower_95_pct: FloatArray
    upper_95_pct: FloatArray


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
    """
    try:
        serving = open_champion(engine, models_directory, run.model_name)
    except NoChampionError as error:
        raise NothingToForecastError(str(error)) from error
    version = serving.version
    assets = load_universe().select(version.symbols)
    preprocessing = Preprocessing.load(serving.directory)
    try:
        rows = _load_recent_rows(engine, version.source, assets, preprocessing, run.as_of_date)
    except DatasetError as error:
        if version.source == run.source_key:
            raise
        raise NothingToForecastError(
            f"version {version.version_id} forecasts from {version.source}, not from this run's "
            f"{run.source_key}: {error}"
        ) from error
    forecast = forecast_next_session(serving, preprocessing, rows)
    target_date = next_sessions(reference_exchange(assets), run.as_of_date, 1)[0]
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
    serving: ServingVersion, preprocessing: Preprocessing, rows: PriceRows
) -> NextSessionForecast:
    """Forecast the session after the last of the rows.

    Args:
        serving: The version, its files checked.
        preprocessing: The version's own.
        rows: Carried prices up to the as-of date, shape (rows, assets).

    Raises:
        DatasetError: There are fewer rows than one window needs.
        RegistryError: The model does not load.
    """
    prepared = preprocessing.apply(rows)
    next_row = range(len(prepared.dates), len(prepared.dates) + 1)
    scaled = load_predictor(serving.directory).predict(
        prepared.scaled, prepared.scaled_log_roi, next_row
    )
    smoothed = preprocessing.scaler.inverse(scaled)
    known = known_sum(prepared.log_roi, next_row, preprocessing.smoothing)
    implied = implied_log_roi(smoothed, known, preprocessing.smoothing)[0]
    content = json.loads((serving.directory / METRICS_FILE).read_text(encoding="utf-8"))
    calibration = NextDayCalibration.from_json(content["calibration"])
    published = calibration.shrinkage * implied
    return NextSessionForecast(
        symbols=preprocessing.symbols,
        roi_pct=to_percent(published),
        smoothed_roi_pct=to_percent(smoothed[0]),
        lower_80_pct=to_percent(published - calibration.half_width_80),
        upper_80_pct=to_percent(published + calibration.half_width_80),
        lower_95_pct=to_percent(published - calibration.half_width_95),
        upper_95_pct=to_percent(published + calibration.half_width_95),
    )


def _load_recent_rows(
    engine: Engine,
    source_key: str,
    assets: tuple[Asset, ...],
    preprocessing: Preprocessing,
    as_of_date: date,
) -> PriceRows:
    # Twice the sessions in calendar days, and a month of holidays: always enough rows.
    start = as_of_date - timedelta(days=2 * preprocessing.rows_needed + 30)
    with engine.connect() as connection:
        return load_rows(connection, source_key, assets, start, as_of_date, max_lost_share=1.0)
