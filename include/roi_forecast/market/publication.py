"""The publication time of each row: when its forecasts are due, and what was known by then."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np

from roi_forecast.array_types import DateArray, MomentArray
from roi_forecast.market.calendars import next_openings, openings_on, opens_at
from roi_forecast.quoting import listed
from roi_forecast.universe import (
    BEFORE_OPEN_MINUTES,
    Asset,
    Context,
    Exchange,
    reference_exchange,
)

logger = logging.getLogger(__name__)

CONTINUOUS_TOLERANCE = timedelta(hours=2)
"""How long after its bar is final a forecast of a market that trades on counts as made in time."""


def published_at(dates: DateArray, assets: Sequence[Asset], context: Context) -> MomentArray:
    """Return when the run with each as-of date publishes; every bar it rests on is final then.

    `after_close`: when the bars of the date are final for all assets, and for those context assets
    whose bars of the date are final before the next opening of any asset's exchange.
    `before_open`: BEFORE_OPEN_MINUTES before that opening, but never before the assets' own bars
    are final. A market that trades again before its own bars are final, such as cryptocurrencies
    and on most days currencies, has no opening to wait for: only those of the others count. Bars
    count as due on dates that are no sessions, too, so that the time of day depends on no holiday.
    A later date counts as a session even if the calendar lacks it: what became known after a
    special session opened is no input of its forecast.

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
    _warn_of_late(dates, published, assets)
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


def _warn_of_late(dates: DateArray, published: MomentArray, assets: Sequence[Asset]) -> None:
    """Log which assets trade again before their forecasts are due, and which assets cause it."""
    exchanges = _exchanges(assets)
    final = np.array([final_at(exchange, dates) for exchange in exchanges])
    for exchange in exchanges:
        # See `counts_until`.
        until = next_openings(exchange, dates)
        if exchange.is_continuous:
            until = np.maximum(until, _trades_until(exchange, dates))
        late = published >= until
        if not late.any():
            continue
        last = exchanges[final[:, late][:, -1].argmax()]
        waits = "because the run publishes before the others open"
        if published[late][-1] <= final[:, late][:, -1].max():
            waits = f"because the bars of {_symbols(assets, last)} are final only then"
        logger.warning(
            "%s: on %d of %d dates it trades again before its forecasts are due (last on %s), %s; "
            "they are marked backfill and do not count as live: forecast it in a run of its own",
            _symbols(assets, exchange),
            late.sum(),
            len(dates),
            dates[late][-1],
            waits,
        )


def _symbols(assets: Sequence[Asset], exchange: Exchange) -> str:
    return listed([asset.symbol for asset in assets if asset.exchange == exchange])


def final_at(exchange: Exchange, dates: DateArray) -> MomentArray:
    """Return from when the bars of the dates are final, shape (rows,), datetime64[s] in UTC."""
    days: list[date] = dates.tolist()
    moments = [exchange.final_at(day).astimezone(UTC).replace(tzinfo=None) for day in days]
    return np.array(moments, dtype="datetime64[s]")


def _next_opening(dates: DateArray, assets: Sequence[Asset]) -> MomentArray:
    """Return the earliest opening after each date, over the exchanges and over the dates given.

    The opening of a market that trades on counts only if all do.
    """
    reference = reference_exchange(assets)
    openings, closed = [], []
    for exchange in _exchanges(assets):
        opening = next_openings(exchange, dates)
        if exchange.calendar == reference.calendar:
            opening[:-1] = np.minimum(opening[:-1], openings_on(exchange, dates[1:]))
        openings.append(opening)
        closed.append(opening > _trades_until(exchange, dates))
    counts = np.array(closed) | ~np.any(closed, axis=0)
    never = np.datetime64("9999-12-31", "s")
    earliest: MomentArray = np.where(counts, openings, never).min(axis=0)
    return earliest


def _trades_until(exchange: Exchange, dates: DateArray) -> MomentArray:
    """Return until when an opening means that the exchange trades on, rather than again.

    That is until its bars are final, and a while longer if it closes on weekends only or never:
    the currency market's day ends at midnight in London, which in summer is an hour before the
    calendar's next one.
    """
    final = final_at(exchange, dates)
    return final + np.timedelta64(CONTINUOUS_TOLERANCE) if exchange.is_continuous else final


def counts_until(exchange: Exchange, as_of_date: date, target_date: date, horizon: int) -> datetime:
    """Return before when a forecast must be made to count as made in time.

    For one session ahead that is when the asset trades first after the as-of date, else when the
    target date opens. A market that trades on while its bar of the as-of date becomes final leaves
    no time before that, so its forecasts count for CONTINUOUS_TOLERANCE from then on. They rest on
    nothing later than the bar.

    Args:
        exchange: The asset's exchange.
        as_of_date: The date of the last bar that the forecast may know.
        target_date: The reference session that is forecast.
        horizon: Sessions ahead.
    """
    first = opens_at(exchange, as_of_date + timedelta(days=1))
    final = exchange.final_at(as_of_date)
    deadline = first if horizon == 1 else opens_at(exchange, target_date)
    return max(deadline, final + CONTINUOUS_TOLERANCE) if exchange.is_continuous else deadline


def _exchanges(assets: Sequence[Asset]) -> list[Exchange]:
    return list(dict.fromkeys(asset.exchange for asset in assets))
