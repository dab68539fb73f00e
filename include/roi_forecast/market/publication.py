"""The publication time of each row: when its forecasts are due, and what was known by then."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, date

import numpy as np

from roi_forecast.array_types import DateArray, MomentArray
from roi_forecast.market.calendars import next_openings, openings_on
from roi_forecast.universe import (
    BEFORE_OPEN_MINUTES,
    Asset,
    Context,
    Exchange,
    reference_exchange,
)

logger = logging.getLogger(__name__)


def published_at(dates: DateArray, assets: Sequence[Asset], context: Context) -> MomentArray:
    """Return when the run with each as-of date publishes; every bar it rests on is final then.

    `after_close`: when the bars of the date are final for all assets, and for those context assets
    whose bars of the date are final before the next opening of any asset's exchange.
    `before_open`: BEFORE_OPEN_MINUTES before that opening, but never before the assets' own bars
    are final. Bars count as due on dates that are no sessions, too, so that the time of day depends
    on no holiday. A later date counts as a session even if the calendar lacks it: what became known
    after a special session opened is no input of its forecast.

    Args:
        dates: As-of dates, ascending, shape (rows,), datetime64[D].
        assets: The assets of the run, at least one.
        context: The context assets, and `publish`.

    Returns:
        Shape (rows,), datetime64[s] in UTC.
    """
    exchanges = _exchanges(assets)
    own: MomentArray = np.max([final_at(exchange, dates) for exchange in exchanges], axis=0)
    opening = _next_opening(dates, assets)
    if context.publish == "before_open":
        return np.maximum(own, opening - np.timedelta64(BEFORE_OPEN_MINUTES, "m"))
    published = own
    for exchange in _exchanges(context.assets):
        final = final_at(exchange, dates)
        published = np.where(final < opening, np.maximum(published, final), published)
    return published


def warn_of_timing(dates: DateArray, assets: Sequence[Asset], context: Context) -> None:
    """Log which context assets come too late for their date, and where `before_open` cannot hold.

    Args:
        dates: See `published_at`, as for the assets and the context.
        assets: The assets of the run.
        context: The context assets, and `publish`.
    """
    opening = _next_opening(dates, assets)
    published = published_at(dates, assets, context)
    if context.publish == "before_open":
        late = published > opening - np.timedelta64(BEFORE_OPEN_MINUTES, "m")
        if late.any():
            logger.warning(
                "on %d of %d dates the assets' own bars are final less than %d minutes before the "
                "next opening (last on %s); forecasts are published once they are final",
                late.sum(),
                len(dates),
                BEFORE_OPEN_MINUTES,
                dates[late][-1],
            )
        return
    for asset in context.assets:
        late = final_at(asset.exchange, dates) >= opening
        if late.any():
            logger.info(
                "%s: on %d of %d dates its bar is final only after the next opening of the "
                "assets' exchanges (last on %s); the bar before counts then",
                asset.symbol,
                late.sum(),
                len(dates),
                dates[late][-1],
            )


def final_at(exchange: Exchange, dates: DateArray) -> MomentArray:
    """Return from when the bars of the dates are final, shape (rows,), datetime64[s] in UTC."""
    days: list[date] = dates.tolist()
    moments = [exchange.final_at(day).astimezone(UTC).replace(tzinfo=None) for day in days]
    return np.array(moments, dtype="datetime64[s]")


def _next_opening(dates: DateArray, assets: Sequence[Asset]) -> MomentArray:
    """Return the earliest opening after each date, over the exchanges and over the dates given."""
    openings = [next_openings(exchange, dates) for exchange in _exchanges(assets)]
    earliest: MomentArray = np.min(openings, axis=0)
    given = openings_on(reference_exchange(assets), dates[1:])
    earliest[:-1] = np.minimum(earliest[:-1], given)
    return earliest


def _exchanges(assets: Sequence[Asset]) -> list[Exchange]:
    return list(dict.fromkeys(asset.exchange for asset in assets))
