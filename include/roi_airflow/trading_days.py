"""The schedule: one run for each reference session, when its forecasts are due."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from roi_forecast.universe import (
    BEFORE_OPEN_MINUTES,
    Asset,
    Context,
    Exchange,
    Publish,
    load_universe,
    reference_exchange,
)


class TradingDayTimetable(Timetable):
    """A run for each session of the calendar that most assets share.

    The logical date is the session's date at midnight UTC, so that a backfill from one date to
    another includes the sessions of both. The data interval ends, and the run starts, when the
    forecasts are due, as `market.publication` says. After the close that is once no asset's bar of
    that date can change any more, in summer and winter at 17:15 in New York for the default
    universe; later if the bars of more context assets are final before the next opening, as on a
    Friday those of currencies. An early close changes nothing: a bar is final at its exchange's
    cut-off.

    After downtime the scheduler runs the newest missed session only. After the end of a calendar's
    data every day on which it usually trades counts as a session; the description gives that date.

    Args:
        symbols: The assets whose sessions count; by default the default universe.
        context_symbols: The context assets; by default those of the default universe.
        publish: When forecasts are due; see the run parameter.
    """

    def __init__(
        self,
        symbols: Sequence[str] | None = None,
        context_symbols: Sequence[str] | None = None,
        publish: Publish = "after_close",
    ) -> None:
        self._symbols = None if symbols is None else tuple(symbols)
        self._context_symbols = None if context_symbols is None else tuple(context_symbols)
        self._publish = publish

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> TradingDayTimetable:
        """Return the timetable that `serialize` described."""
        return cls(**data)

    def serialize(self) -> dict[str, Any]:
        """Return what `deserialize` needs; the default universe is loaded when needed."""
        return {
            "symbols": None if self._symbols is None else list(self._symbols),
            "context_symbols": None
            if self._context_symbols is None
            else list(self._context_symbols),
            "publish": self._publish,
        }

    @property
    def summary(self) -> str:
        """For example `XBOM sessions, from 17:15 America/New_York`, if context may come later."""
        if self._publish == "before_open":
            return f"{self._calendar} sessions, {BEFORE_OPEN_MINUTES} minutes before an opening"
        last = max(self._exchanges, key=lambda exchange: exchange.final_at(date(2000, 1, 3)))
        moment = last.final_at(date(2000, 1, 3))
        since = "from " if self._context.assets else ""
        return f"{self._calendar} sessions, {since}{moment:%H:%M} {last.timezone.key}"

    @property
    def description(self) -> str:  # type: ignore[override]
        """The text next to the summary, with the end of the calendar's data once it is known.

        Airflow reads it while it parses a DAG file, where loading the calendars would take seconds.
        The process that stores it has loaded them to find the next run.
        """
        calendars = sys.modules.get("roi_forecast.market.calendars")
        reference = reference_exchange(self._assets)
        until = f"until {calendars.last_known_session(reference)}, " if calendars else ""
        number = len(self._assets)
        count = "one asset" if number == 1 else f"{number} assets"
        due = f"once the last bar of {count} is final"
        if self._publish == "before_open":
            due = f"{BEFORE_OPEN_MINUTES} minutes before the first exchange of {count} opens"
        elif self._context.assets:
            due += ", and those of the context assets that come before the next opening"
        return (
            f"A run for each session of the calendar {self._calendar}, {due}. Holidays are "
            f"known {until}as far as the calendar's data reach; later every usual trading day "
            "counts as a session."
        )

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """Return the interval of a manual run.

        A date at midnight UTC means its session, or the one before, as in a backfill; at any other
        moment the run uses what is final then.
        """
        if run_after.in_timezone("UTC").time() != time(0):
            return DataInterval.exact(run_after)
        from roi_forecast.market.calendars import session_on_or_before

        day = run_after.in_timezone("UTC").date()
        return self._interval(session_on_or_before(reference_exchange(self._assets), day))

    def next_dagrun_info(
        self,
        *,
        last_automated_data_interval: DataInterval | None,
        restriction: TimeRestriction,
    ) -> DagRunInfo | None:
        """Return the run after the last one; without catchup, the newest one that is due.

        The first run ever is the next one that will be due, never a past one.
        """
        from roi_forecast.market.calendars import next_sessions
        from roi_forecast.market.due_sessions import last_due_session

        reference = reference_exchange(self._assets)
        if last_automated_data_interval is not None:
            last = last_automated_data_interval.start.in_timezone("UTC").date()
            session = next_sessions(reference, last, 1)[0]
            if not restriction.catchup:
                now = datetime.now(UTC)
                session = max(session, last_due_session(self._assets, self._context, now))
        elif restriction.catchup and restriction.earliest is not None:
            session = self._first_session(restriction.earliest)
        else:
            newest = last_due_session(self._assets, self._context, datetime.now(UTC))
            session = next_sessions(reference, newest, 1)[0]
        if restriction.earliest is not None:
            session = max(session, self._first_session(restriction.earliest))
        interval = self._interval(session)
        if restriction.latest is not None and interval.start > restriction.latest:
            return None
        return DagRunInfo(run_after=interval.end, data_interval=interval)

    def _first_session(self, earliest: pendulum.DateTime) -> date:
        """Return the first session whose logical date is not before `earliest`."""
        from roi_forecast.market.calendars import next_sessions

        moment = earliest.in_timezone("UTC")
        before = moment.date() if moment.time() != time(0) else moment.subtract(days=1).date()
        return next_sessions(reference_exchange(self._assets), before, 1)[0]

    def _interval(self, session: date) -> DataInterval:
        from roi_forecast.market.due_sessions import due_at

        due = due_at(session, self._assets, self._context)
        start = pendulum.datetime(session.year, session.month, session.day)
        return DataInterval(start, pendulum.instance(due))

    @property
    def _assets(self) -> tuple[Asset, ...]:
        universe = load_universe()
        return universe.assets if self._symbols is None else universe.select(self._symbols)

    @property
    def _context(self) -> Context:
        universe = load_universe()
        if self._context_symbols is None:
            return Context(universe.context, self._publish)
        return Context(universe.select(self._context_symbols), self._publish)

    @property
    def _calendar(self) -> str:
        return reference_exchange(self._assets).calendar

    @property
    def _exchanges(self) -> set[Exchange]:
        return {asset.exchange for asset in self._assets}
