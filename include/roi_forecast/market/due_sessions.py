"""Which session a run at a given moment is about: the newest one whose forecasts are due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd

from roi_forecast.market.calendars import LONGEST_BREAK, sessions
from roi_forecast.market.publication import published_at
from roi_forecast.universe import Asset, Context, reference_exchange


def due_at(session: date, assets: Sequence[Asset], context: Context) -> datetime:
    """Return when forecasts with an as-of date are due, in UTC.

    Args:
        session: The as-of date.
        assets: The assets of the run.
        context: The context assets, and when the run publishes.
    """
    (moment,) = published_at(np.array([session], dtype="datetime64[D]"), assets, context)
    due: datetime = moment.item()
    return due.replace(tzinfo=UTC)


def last_due_session(assets: Sequence[Asset], context: Context, now: datetime) -> date:
    """Return the last reference session whose forecasts are due.

    Args:
        assets: The assets of the run; the calendar of most of them is the reference.
        context: The context assets, and when the run publishes.
        now: The present, with time zone.
    """
    # Time zones are up to 14 hours ahead, so a session dated tomorrow may already be over.
    end = now.date() + timedelta(days=1)
    candidates = sessions(reference_exchange(assets), end - LONGEST_BREAK, end)
    due = published_at(candidates.to_numpy().astype("datetime64[D]"), assets, context)
    moment = pd.Timestamp(now).tz_convert(UTC).tz_localize(None)
    last: date = candidates[due <= moment.to_datetime64()][-1].date()
    return last
