"""The schedule, called as Airflow calls it, with a patched clock."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction

from roi_airflow import trading_days
from roi_airflow.trading_days import TradingDayTimetable
from roi_forecast.market import calendars
from roi_forecast.market.due_sessions import last_due_session
from roi_forecast.universe import Context, load_universe

ANY_TIME = TimeRestriction(earliest=None, latest=None, catchup=False)
NEW_YORK, KOLKATA, LONDON = map(ZoneInfo, ("America/New_York", "Asia/Kolkata", "Europe/London"))
MIXED = ["2222.SR", "TEVA.TA", "AAPL", "EURUSD=X", "BTC-USD", "0P0000XVAA.BO"]
NSE_STOCKS = ["TCS.NS", "INFY.NS"]
WITHOUT_CONTEXT = TradingDayTimetable(context_symbols=[])
BEFORE_OPEN = TradingDayTimetable(publish="before_open")


def set_present(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return moment

    monkeypatch.setattr(trading_days, "datetime", Clock)


def next_run(
    last: DagRunInfo | None = None,
    restriction: TimeRestriction = ANY_TIME,
    timetable: TradingDayTimetable = WITHOUT_CONTEXT,
) -> DagRunInfo | None:
    return timetable.next_dagrun_info(
        last_automated_data_interval=last and last.data_interval, restriction=restriction
    )


def runs_between(
    first: str, last: str, timetable: TradingDayTimetable = WITHOUT_CONTEXT
) -> list[DagRunInfo]:
    """What a backfill over these dates creates."""
    limits = TimeRestriction(pendulum.parse(first), pendulum.parse(last), catchup=True)  # type: ignore[arg-type]
    found: list[DagRunInfo] = []
    while run := next_run(found[-1] if found else None, limits, timetable):
        found.append(run)
    return found


def local_starts(
    first: str, last: str, timetable: TradingDayTimetable, zone: ZoneInfo
) -> list[str]:
    """Local start of each run, after its session: `12-27 starts 12-27 17:15`."""
    return [
        f"{run.logical_date:%m-%d} starts {run.run_after.astimezone(zone):%m-%d %H:%M}"
        for run in runs_between(first, last, timetable)
    ]


def logical_dates(runs: list[DagRunInfo]) -> list[date]:
    return [run.logical_date.date() for run in runs if run.logical_date]


def test_backfill_has_one_run_for_each_session_from_its_first_to_its_last_date() -> None:
    # Wednesday 2024-12-25 is a holiday in Mumbai, Thanksgiving is none.
    assert logical_dates(runs_between("2024-12-23", "2024-12-27")) == [
        date(2024, 12, 23),
        date(2024, 12, 24),
        date(2024, 12, 26),
        date(2024, 12, 27),
    ]
    assert date(2024, 11, 28) in logical_dates(runs_between("2024-11-27", "2024-11-29"))


def test_every_run_without_context_starts_at_1715_in_new_york_in_summer_and_winter() -> None:
    runs = runs_between("2024-01-01", "2024-12-31")
    assert len(runs) > 240
    for run in runs:
        assert run.logical_date is not None
        local = run.run_after.astimezone(NEW_YORK)
        assert (local.date(), f"{local:%H:%M}") == (run.logical_date.date(), "17:15")
    assert {run.run_after.hour for run in runs} == {21, 22}


def test_a_run_with_the_default_context_waits_for_currencies_only_before_a_weekend() -> None:
    # The metals open at 18:00 in New York, six hours before the London day of currencies ends,
    # except on a Friday. Clocks change in New York on 2024-03-10, in London on 2024-03-31.
    everyone = TradingDayTimetable()
    assert local_starts("2024-03-05", "2024-03-12", everyone, NEW_YORK) == [
        "03-05 starts 03-05 17:15",
        "03-06 starts 03-06 17:15",
        "03-07 starts 03-07 17:15",
        # 2024-03-08 is a holiday in Mumbai.
        "03-11 starts 03-11 17:15",
        "03-12 starts 03-12 17:15",
    ]
    assert local_starts("2024-03-15", "2024-03-15", everyone, LONDON) == [
        "03-15 starts 03-16 00:14"
    ]
    stocks = TradingDayTimetable(NSE_STOCKS)
    assert local_starts("2024-12-23", "2024-12-24", stocks, LONDON) == [
        "12-23 starts 12-24 00:14",
        "12-24 starts 12-25 00:14",
    ]


def test_a_run_before_the_opening_starts_an_hour_before_the_first_exchange_opens() -> None:
    stocks = TradingDayTimetable(NSE_STOCKS, publish="before_open")
    # The NSE opens at 09:15; 2024-12-25 is a holiday, 2024-12-28 a Saturday.
    assert local_starts("2024-12-23", "2024-12-27", stocks, KOLKATA) == [
        "12-23 starts 12-24 08:15",
        "12-24 starts 12-26 08:15",
        "12-26 starts 12-27 08:15",
        "12-27 starts 12-30 08:15",
    ]
    # The metals open at 18:00 in New York, but on most days their own bars are final at 17:15.
    assert local_starts("2025-01-09", "2025-01-13", BEFORE_OPEN, NEW_YORK) == [
        "01-09 starts 01-09 17:15",
        "01-10 starts 01-12 17:00",
        "01-13 starts 01-13 17:15",
    ]


def test_a_run_of_markets_with_other_weeks_follows_them() -> None:
    utc = ZoneInfo("UTC")
    coins = TradingDayTimetable(["BTC-USD", "ETH-USD"], [])
    assert local_starts("2024-12-27", "2024-12-30", coins, utc) == [
        "12-27 starts 12-28 00:19",
        "12-28 starts 12-29 00:19",
        "12-29 starts 12-30 00:19",
        "12-30 starts 12-31 00:19",
    ]
    riyadh = TradingDayTimetable(["2222.SR"], ["BTC-USD"], "before_open")
    # Riyadh trades from Sunday to Thursday, from 10:00.
    assert local_starts("2024-12-25", "2024-12-29", riyadh, ZoneInfo("Asia/Riyadh")) == [
        "12-25 starts 12-26 09:00",
        "12-26 starts 12-29 09:00",
        "12-29 starts 12-30 09:00",
    ]
    mixed = TradingDayTimetable(["AAPL", "BTC-USD"], [], "before_open")
    assert local_starts("2024-12-27", "2024-12-27", mixed, NEW_YORK) == ["12-27 starts 12-30 08:30"]


@pytest.mark.parametrize(
    ("timetable", "symbols", "context"),
    [
        (WITHOUT_CONTEXT, None, Context()),
        (TradingDayTimetable(), None, Context(load_universe().context)),
        (BEFORE_OPEN, None, Context(load_universe().context, "before_open")),
        (
            TradingDayTimetable(NSE_STOCKS, ["AAPL"], "before_open"),
            NSE_STOCKS,
            Context(load_universe().select(["AAPL"]), "before_open"),
        ),
        (TradingDayTimetable(MIXED, []), MIXED, Context()),
        (TradingDayTimetable(MIXED, [], "before_open"), MIXED, Context((), "before_open")),
        (TradingDayTimetable(["BTC-USD"], []), ["BTC-USD"], Context()),
    ],
)
def test_a_run_is_about_its_session_and_nothing_later(
    timetable: TradingDayTimetable, symbols: list[str] | None, context: Context
) -> None:
    universe = load_universe()
    assets = universe.assets if symbols is None else universe.select(symbols)
    for run in runs_between("2024-02-26", "2024-04-05", timetable):
        assert run.logical_date is not None
        assert run.data_interval is not None
        assert run.data_interval.end == run.run_after
        session = run.logical_date.date()
        assert last_due_session(assets, context, run.run_after) == session
        assert last_due_session(assets, context, run.run_after - timedelta(seconds=1)) < session


def test_before_the_opening_the_next_run_is_that_of_the_last_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stocks = TradingDayTimetable(NSE_STOCKS, publish="before_open")
    for moment, due in (
        # 08:14 and 08:15 in Kolkata, on the Monday after.
        (datetime(2024, 12, 30, 2, 44, tzinfo=UTC), date(2024, 12, 27)),
        (datetime(2024, 12, 30, 2, 45, tzinfo=UTC), date(2024, 12, 30)),
    ):
        set_present(monkeypatch, moment)
        run = next_run(timetable=stocks)
        assert run is not None
        assert logical_dates([run]) == [due]


def test_first_run_is_the_next_one_due_and_never_a_past_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for moment, due in (
        (datetime(2024, 12, 27, 22, 14, 59, tzinfo=UTC), date(2024, 12, 27)),
        (datetime(2024, 12, 27, 22, 15, tzinfo=UTC), date(2024, 12, 30)),
        (datetime(2024, 12, 24, 23, tzinfo=UTC), date(2024, 12, 26)),
    ):
        set_present(monkeypatch, moment)
        run = next_run()
        assert run is not None
        assert logical_dates([run]) == [due]


def test_of_the_missed_sessions_only_the_newest_is_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (last,) = runs_between("2024-12-02", "2024-12-02")
    set_present(monkeypatch, datetime(2024, 12, 10, 12, tzinfo=UTC))
    run = next_run(last)
    assert run is not None
    assert logical_dates([run]) == [date(2024, 12, 9)]
    following = next_run(run)
    assert following is not None
    assert logical_dates([following]) == [date(2024, 12, 10)]


def test_start_and_end_date_of_a_dag_limit_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    set_present(monkeypatch, datetime(2024, 12, 2, 12, tzinfo=UTC))
    later = TimeRestriction(pendulum.datetime(2024, 12, 9, 1), None, catchup=False)
    run = next_run(restriction=later)
    assert run is not None
    assert logical_dates([run]) == [date(2024, 12, 10)]
    over = TimeRestriction(None, pendulum.datetime(2024, 12, 1), catchup=False)
    assert next_run(restriction=over) is None


def test_weekdays_follow_the_end_of_the_calendar_and_the_description_and_a_warning_mention_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    end = calendars.last_known_session(load_universe().asset("TCS.NS").exchange)
    calendars._warn_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        runs = runs_between(str(end + timedelta(days=1)), str(end + timedelta(days=14)))
    assert len(runs) == 10
    assert all(run.logical_date and run.logical_date.weekday() < 5 for run in runs)
    assert f"XBOM has no data after {end}; holidays there count as sessions" in caplog.text
    assert f"known until {end}, as far as" in TradingDayTimetable().description


@pytest.mark.parametrize(
    ("timetable", "summary"),
    [
        (TradingDayTimetable(), "XBOM sessions, from 17:15 America/New_York"),
        (WITHOUT_CONTEXT, "XBOM sessions, 17:15 America/New_York"),
        (TradingDayTimetable(NSE_STOCKS, []), "XBOM sessions, 15:45 Asia/Kolkata"),
        (
            TradingDayTimetable(["AAPL", "KO", "TCS.NS"], ["GC=F"]),
            "XNYS sessions, from 16:15 America/New_York",
        ),
        (BEFORE_OPEN, "XBOM sessions, 60 minutes before an opening"),
    ],
)
def test_summary_names_calendar_and_moment_of_the_last_cut_off(
    timetable: TradingDayTimetable, summary: str
) -> None:
    assert timetable.summary == summary
    restored = TradingDayTimetable.deserialize(timetable.serialize())
    assert restored.serialize() == timetable.serialize()
    assert restored.summary == summary


def test_manual_run_at_a_date_means_its_session_and_at_another_moment_that_moment() -> None:
    infer: Callable[..., DataInterval] = WITHOUT_CONTEXT.infer_manual_data_interval
    saturday = infer(run_after=pendulum.datetime(2024, 12, 28))
    assert saturday == runs_between("2024-12-27", "2024-12-27")[0].data_interval
    moment = pendulum.datetime(2024, 12, 28, 10, 30)
    assert infer(run_after=moment) == DataInterval(moment, moment)


def test_reading_the_schedule_imports_no_calendar() -> None:
    code = (
        "import sys; from roi_airflow.trading_days import TradingDayTimetable as T; "
        "t = T.deserialize(T().serialize()); t.summary, t.description; "
        "print('exchange_calendars' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={"AIRFLOW_HOME": "/nonexistent", "AIRFLOW__CORE__UNIT_TEST_MODE": "True"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip().splitlines()[-1] == "False"
