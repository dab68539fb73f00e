from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi_forecast.market.calendars import sessions
from roi_forecast.market.due_sessions import due_at, last_due_session
from roi_forecast.universe import NO_CONTEXT, Context, load_universe, reference_exchange

UNIVERSE = load_universe()


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # Wednesday 2024-03-06, COMEX final at 17:15 New York: 22:15 UTC in winter.
        (datetime(2024, 3, 6, 22, 14, tzinfo=UTC), date(2024, 3, 5)),
        (datetime(2024, 3, 6, 22, 15, tzinfo=UTC), date(2024, 3, 6)),
        # Monday 2024-03-11, a day after clocks went forward: 21:15 UTC; Friday 8 was a holiday.
        (datetime(2024, 3, 11, 21, 14, tzinfo=UTC), date(2024, 3, 7)),
        (datetime(2024, 3, 11, 21, 15, tzinfo=UTC), date(2024, 3, 11)),
        # Monday 2024-11-04, a day after clocks went back: 22:15 UTC; the NSE was open.
        (datetime(2024, 11, 4, 21, 30, tzinfo=UTC), date(2024, 10, 31)),
        (datetime(2024, 11, 4, 22, 15, tzinfo=UTC), date(2024, 11, 4)),
    ],
)
def test_last_due_session_without_context_waits_for_the_latest_exchange(now, expected):
    assets = UNIVERSE.select(["RELIANCE.NS", "TCS.NS", "GC=F"])
    assert last_due_session(assets, NO_CONTEXT, now) == expected


def test_last_due_session_of_one_exchange_does_not_wait_for_others():
    assets = UNIVERSE.select(["RELIANCE.NS"])
    now = datetime(2024, 3, 6, 10, 15, tzinfo=UTC)  # 15:45 in Kolkata
    assert last_due_session(assets, NO_CONTEXT, now) == date(2024, 3, 6)


MOMENTS = st.integers(0, 900 * 24 * 60).map(
    lambda minutes: datetime(2023, 1, 2, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(
    moment=MOMENTS,
    symbols=st.sampled_from([["TCS.NS"], ["TCS.NS", "GC=F"], ["AAPL", "TCS.NS"], ["GC=F"]]),
    context_symbols=st.sampled_from([[], ["INR=X"], ["^GSPC", "TCS.NS"]]),
    publish=st.sampled_from(["after_close", "before_open"]),
)
def test_last_due_session_is_the_newest_one_that_is_due(moment, symbols, context_symbols, publish):
    assets = UNIVERSE.select(symbols)
    context = Context(UNIVERSE.select(context_symbols), publish)
    around = sessions(
        reference_exchange(assets),
        moment.date() - timedelta(days=12),
        moment.date() + timedelta(days=3),
    )
    due = [day.date() for day in around if due_at(day.date(), assets, context) <= moment]
    assert last_due_session(assets, context, moment) == max(due)


@given(moment=MOMENTS, symbol=st.sampled_from(["TCS.NS", "GC=F", "AAPL", "INR=X"]))
def test_last_final_date_of_an_exchange_is_final_and_the_next_is_not(moment, symbol):
    exchange = UNIVERSE.asset(symbol).exchange
    day = exchange.last_final_date(moment)
    assert exchange.final_at(day).astimezone(UTC) <= moment
    assert exchange.final_at(day + timedelta(days=1)).astimezone(UTC) > moment
