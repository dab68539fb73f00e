"""Forecasts of a served installation, made each evening of the past, with planted skill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
from sqlalchemy import Connection, column, delete, insert, select, table, update

from roi_forecast.array_types import FloatArray
from roi_forecast.database.tables import SCHEMA, model_versions, predictions
from roi_forecast.features.returns import to_percent
from serving_version import Served


@dataclass(frozen=True)
class Past:
    """Target rows of the served version's dataset that get a forecast each.

    Attributes:
        targets: Rows of the dataset.
        actual: Actual ROI in percent, shape (targets, assets).
        before: ROI of the session before, in percent, same shape.
    """

    targets: range
    actual: FloatArray
    before: FloatArray


def past(served: Served, sessions: int, horizon: int = 1) -> Past:
    """The last sessions of the dataset."""
    rois = to_percent(served.outcome.dataset.log_roi)
    stop = len(rois)
    targets = range(stop - sessions, stop)
    log_rois = served.outcome.dataset.log_roi
    actual, before = (
        to_percent(
            np.stack(
                [
                    log_rois[row - horizon + 1 - shift : row + 1 - shift].sum(axis=0)
                    for row in targets
                ]
            )
        )
        for shift in (0, horizon)
    )
    return Past(targets, actual, before)


def publish(
    served: Served,
    targets: range,
    predicted: FloatArray,
    half_80: FloatArray | float,
    half_95: FloatArray | float,
    *,
    horizon: int = 1,
    version_id: str | None = None,
    backfill: bool = False,
    created_after: timedelta = timedelta(hours=20),
    gap: FloatArray | None = None,
    missing_context: Mapping[int, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Store forecasts as if made in the evening of their as-of date.

    Of each a gap may be given, in percent, and by its place the context assets that were missing.
    """
    dataset = served.outcome.dataset
    at_80, at_95 = (np.broadcast_to(half, predicted.shape) for half in (half_80, half_95))
    values = []
    for place, row in enumerate(targets):
        as_of = dataset.dates[row - horizon].item()
        midnight = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC)
        for number, symbol in enumerate(dataset.symbols):
            forecast = float(predicted[place, number])
            values.append(
                {
                    "version_id": version_id or served.champion.version_id,
                    "symbol": symbol,
                    "as_of_date": as_of,
                    "horizon": horizon,
                    "target_date": dataset.dates[row].item(),
                    "method": "single_step" if horizon == 1 else "direct",
                    "run_id": "past",
                    "source": dataset.source,
                    "dataset_id": dataset.dataset_id,
                    "predicted_roi_pct": forecast,
                    "predicted_smoothed_roi_pct": 0.0,
                    "lower_80_pct": forecast - float(at_80[place, number]),
                    "upper_80_pct": forecast + float(at_80[place, number]),
                    "lower_95_pct": forecast - float(at_95[place, number]),
                    "upper_95_pct": forecast + float(at_95[place, number]),
                    "backfill": backfill,
                    "missing_context": list(missing_context.get(place, ())),
                    **_parts(forecast, None if gap is None else float(gap[place, number])),
                    "created_at": midnight + created_after,
                }
            )
    with served.engine.begin() as connection:
        end_data_before(connection, values)
        connection.execute(insert(predictions), values)


def _parts(forecast: float, gap: float | None) -> dict[str, float | None]:
    rest = None if gap is None else 100 * ((1 + forecast / 100) / (1 + gap / 100) - 1)
    return {"gap_roi_pct": gap, "open_to_close_roi_pct": rest}


def end_data_before(connection: Connection, forecasts: Sequence[Mapping[str, Any]]) -> None:
    """End the data of versions where their planted forecasts start."""
    for version_id in {forecast["version_id"] for forecast in forecasts}:
        first = min(
            forecast["as_of_date"] for forecast in forecasts if forecast["version_id"] == version_id
        )
        connection.execute(
            update(model_versions)
            .where(model_versions.c.version_id == version_id, model_versions.c.last_date > first)
            .values(last_date=first)
        )


def forget(served: Served) -> None:
    """Delete all forecasts."""
    with served.engine.begin() as connection:
        connection.execute(delete(predictions))


def read(served: Served, view: str, *columns: str) -> list[dict[str, Any]]:
    """Read columns of a view."""
    source = table(view, *map(column, columns), schema=SCHEMA)
    with served.engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(source)).mappings()]
