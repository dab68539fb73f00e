"""What the context did before the newest forecasts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, func, select

from roi_forecast.reading.pagination import Record, row_of


@row_of("latest_context", "model_name", "symbol", "context_symbol")
class ContextEffect(Record):
    """What a context asset did, and what that adds to the newest forecast of an asset."""

    model_name: str
    symbol: str
    as_of_date: date
    target_date: date
    context_symbol: str
    context_name: str | None
    move_pct: float
    added_pct: float
    missing: bool
    version_id: str


@dataclass(frozen=True)
class ContextAsset:
    """A context asset before the newest forecasts of a model name.

    Attributes:
        symbol: Its symbol.
        name: Its name, or None.
        move_pct: Its ROI between the last two publication times, in percent.
        added_pct: What that adds to the forecast ROI, mean over the assets, in percent points.
        missing: Whether it lacks a bar that was due.
    """

    symbol: str
    name: str | None
    move_pct: float
    added_pct: float
    missing: bool


def read_context(
    connection: Connection, model_name: str, symbol: str | None = None
) -> list[ContextAsset]:
    """Read the context of the serving champion's newest forecasts, largest addition first.

    Args:
        connection: As `roi_reader`.
        model_name: The model name.
        symbol: The only asset that counts; None: all.
    """
    effect = ContextEffect.view.c
    added = func.avg(effect.added_pct)
    context = (effect.context_symbol, effect.context_name, effect.move_pct, effect.missing)
    rows = connection.execute(
        select(*context, added.label("added_pct"))
        .where(effect.model_name == model_name, *([effect.symbol == symbol] if symbol else []))
        .group_by(*context)
        .order_by(func.abs(added).desc(), effect.context_symbol)
    )
    return [
        ContextAsset(row.context_symbol, row.context_name, row.move_pct, row.added_pct, row.missing)
        for row in rows
    ]
