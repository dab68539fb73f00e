"""Storing a version's forecasts of the next sessions, for each of its assets."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import compress
from typing import Any

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert

from roi_forecast.array_types import FloatArray
from roi_forecast.blas import on_one_blas_thread
from roi_forecast.config import MultiStep
from roi_forecast.data_path import DataPath
from roi_forecast.database.tables import predictions
from roi_forecast.errors import DatasetError, NothingToForecastError
from roi_forecast.features.returns import to_percent
from roi_forecast.features.rows import PriceRows, load_rows
from roi_forecast.forecaster.conformal import TRAILING
from roi_forecast.forecaster.forecaster import Forecaster
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.forecaster.through_time import rows_needed
from roi_forecast.market.calendars import next_sessions, sessions
from roi_forecast.market.checks.price_checks import refused_context_symbols
from roi_forecast.market.publication import counts_until
from roi_forecast.quoting import listed
from roi_forecast.registry.versions import ModelVersion
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.scale.averages import MEMORY
from roi_forecast.serving.forecasting_version import open_forecasting_version
from roi_forecast.universe import Asset, load_universe, reference_exchange

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredForecasts:
    """What one run forecast.

    Attributes:
        version_id: The version that forecast.
        added: How many forecasts are new.
    """

    version_id: str
    added: int


@on_one_blas_thread
def store_forecasts(
    engine: Engine,
    run: ResolvedRun,
    dataset_id: str,
    models_directory: DataPath,
    *,
    candidate_id: str | None,
    now: datetime,
) -> StoredForecasts:
    """Forecast the run's horizons from its as-of date with the version that may.

    That is whichever serves or, where that one knows the days to come, the run's own candidate:
    see `open_forecasting_version`. Where the champion's files are damaged, the version before
    serves from now on. The target date of a horizon is so many sessions of the reference calendar
    ahead. What is stored is never changed: a second forecast of the same version, as-of date and
    horizon adds nothing.

    Args:
        engine: Market database.
        run: The resolved run; no price after its as-of date is read.
        dataset_id: The run's dataset, stored with the forecasts.
        models_directory: Folder of the registry.
        candidate_id: The version that the run trained; None where it is not decided on yet.
        now: The present, with time zone: a forecast made after its target session opened is
            marked as a backfill, and so is one by a version that does not serve.

    Raises:
        NothingToForecastError: No version may forecast the as-of date, or the one that may
            forecasts from another source, which has no prices for it.
        DamagedVersionError: The version's files are missing or damaged, and no other can take its
            place.
        RegistryError: The champion does not load, or its calibration is of an older format.
        DatasetError: The stored prices do not reach the as-of date.
        EvaluationError: The stored prices are too few for an interval.
    """
    serving = open_forecasting_version(engine, run, candidate_id, models_directory)
    version = serving.version
    assets = load_universe().select(version.symbols)
    forecaster = Forecaster.load(serving.files)
    horizons = run.config.horizons
    try:
        prices = _load_recent_rows(
            engine, version, assets, forecaster, run.as_of_date, horizons[-1]
        )
    except DatasetError as error:
        if version.source == run.source_key:
            raise
        raise NothingToForecastError(
            f"version {version.version_id} forecasts from {version.source}, not from this run's "
            f"{run.source_key}: {error}"
        ) from error
    sessions = next_sessions(reference_exchange(assets), run.as_of_date, horizons[-1])
    with engine.connect() as connection:
        refused = refused_context_symbols(connection, run.run_id)
    rows = forecaster.preprocessing.apply(prices.without_context(refused))
    next_row = len(rows.dates)
    next_date = np.datetime64(sessions[0])
    forecaster = forecaster.extended(rows, next_date)
    forecasts = forecaster.forecast(
        rows,
        range(next_row, next_row + 1),
        horizons,
        run.config.multi_step,
        next_date=next_date,
    )
    late = forecasts.context_missing
    missing = [] if late is None else list(compress(rows.context_symbols, late[0]))
    if missing:
        logger.warning(
            "no usable bar that was due of %s: the forecasts are made without it and marked",
            listed(missing),
        )
    context = forecaster.explain(rows, next_date)
    common = {
        "missing_context": missing,
        "version_id": version.version_id,
        "as_of_date": run.as_of_date,
        "run_id": run.run_id,
        "source": version.source,
        "dataset_id": dataset_id if version.source == run.source_key else version.dataset_id,
        "created_at": now,
    }
    # Nobody was told a forecast by a version that did not serve when its session opened.
    known_from = now if version.state == "champion" else None
    values = [
        {**common, **value, "context": context[value["symbol"]] if value["horizon"] == 1 else None}
        for value in _values(
            forecasts, assets, run.as_of_date, sessions, run.config.multi_step, known_from
        )
    ]
    added = insert(predictions).on_conflict_do_nothing().returning(predictions.c.symbol)
    with engine.begin() as connection:
        count = len(connection.execute(added, values).all())
    logger.info(
        "version %s, as of %s, %s sessions ahead: %d forecasts, %d of them new",
        version.version_id,
        run.as_of_date,
        ", ".join(map(str, horizons)),
        len(values),
        count,
    )
    return StoredForecasts(version.version_id, count)


def _values(
    forecasts: Forecasts,
    assets: tuple[Asset, ...],
    as_of_date: date,
    sessions: Sequence[date],
    method: MultiStep,
    known_from: datetime | None,
) -> Iterator[dict[str, Any]]:
    """Give the rows of all horizons and assets; `sessions` are those after the as-of date."""
    roi_pct, smoothed_pct = forecasts.roi_pct[:, 0], to_percent(forecasts.smoothed[:, 0])
    for number, horizon in enumerate(forecasts.horizons):
        target_date = sessions[horizon - 1]
        at_80, at_95 = forecasts.intervals[number]
        spread = forecasts.member_spread_pct if horizon == 1 else None
        parts = (forecasts.gap, forecasts.open_to_close) if horizon == 1 else (None, None)
        gap, open_to_close = (None if part is None else to_percent(part[0]) for part in parts)
        is_late = {
            exchange: known_from is None
            or counts_until(exchange, as_of_date, target_date, horizon) <= known_from
            for exchange in {asset.exchange for asset in assets}
        }
        for column, asset in enumerate(assets):
            yield {
                "symbol": asset.symbol,
                "horizon": horizon,
                "target_date": target_date,
                "method": "single_step" if horizon == 1 else method,
                "predicted_roi_pct": float(roi_pct[number, column]),
                "predicted_smoothed_roi_pct": float(smoothed_pct[number, column]),
                "gap_roi_pct": _or_null(gap, column),
                "open_to_close_roi_pct": _or_null(open_to_close, column),
                "lower_80_pct": float(at_80.lower[0, column]),
                "upper_80_pct": float(at_80.upper[0, column]),
                "lower_95_pct": float(at_95.lower[0, column]),
                "upper_95_pct": float(at_95.upper[0, column]),
                "member_spread_pct": None if spread is None else float(spread[0, column]),
                "backfill": is_late[asset.exchange],
            }


def _or_null(values: FloatArray | None, column: int) -> float | None:
    """Return an asset's value; an asset without opening prices has none."""
    if values is None or not np.isfinite(values[column]):
        return None
    return float(values[column])


def _load_recent_rows(
    engine: Engine,
    version: ModelVersion,
    assets: tuple[Asset, ...],
    forecaster: Forecaster,
    as_of_date: date,
    longest_horizon: int,
) -> PriceRows:
    preprocessing = forecaster.preprocessing
    # An error of the longest horizon lies that far back before it is known.
    scored = TRAILING + longest_horizon
    before_window = max(preprocessing.seq_len, MEMORY)
    # The version has the fits up to its own last date; those of the months since are made now.
    fitted = rows_needed(len(assets), forecaster.linear.half_life) + preprocessing.smoothing
    wanted = min(
        _sessions_before(as_of_date, scored + before_window + preprocessing.smoothing),
        _sessions_before(version.last_date, fitted),
    )
    first = _first_price(assets, version.first_date, preprocessing.smoothing)
    with engine.connect() as connection:
        return load_rows(
            connection,
            version.source,
            assets,
            # Rows before the version's own may not be there; a forecast of the past needs them.
            min(max(wanted, first), _sessions_before(as_of_date, preprocessing.rows_needed)),
            as_of_date,
            max_lost_share=1.0,
            carries_in=True,
            context=preprocessing.context,
        )


def _first_price(assets: Sequence[Asset], first_date: date, smoothing: int) -> date:
    """Return the session of the first price behind data that begin on `first_date`."""
    before = _sessions_before(first_date, smoothing)
    held = sessions(reference_exchange(assets), before, first_date)
    return held[-1 - smoothing].date()


def _sessions_before(day: date, sessions: int) -> date:
    # Twice the sessions in calendar days, and a month of holidays: always enough.
    return day - timedelta(days=2 * sessions + 30)
