from __future__ import annotations

import logging
from datetime import UTC, date, datetime

import numpy as np
import pytest

from roi_forecast.market.publication import counts_until, published_at, warn_of_timing
from roi_forecast.universe import Context, Publish, load_universe

UNIVERSE = load_universe()
INDIAN = ("RELIANCE.NS", "TCS.NS")


def published(
    symbols: tuple[str, ...], context: tuple[str, ...], publish: Publish, *days: date
) -> list[str]:
    moments = published_at(
        np.array(days, dtype="datetime64[D]"),
        UNIVERSE.select(symbols),
        Context(UNIVERSE.select(context), publish),
    )
    assert moments.dtype == "datetime64[s]"
    return [str(moment)[:16] for moment in moments]


SUMMER, WINTER = date(2024, 7, 1), date(2024, 12, 2)


@pytest.mark.parametrize(
    ("symbols", "context", "moments"),
    [
        # 15:45 in Mumbai, which has no daylight saving.
        (INDIAN, (), ["2024-07-01T10:15", "2024-12-02T10:15"]),
        # 16:15 in New York, 17:15 with a future; an hour later in UTC outside daylight saving.
        (INDIAN, ("AAPL",), ["2024-07-01T20:15", "2024-12-02T21:15"]),
        (INDIAN, ("AAPL", "CL=F"), ["2024-07-01T21:15", "2024-12-02T22:15"]),
        # 00:14 in London, in time for the opening at 03:45 UTC.
        (INDIAN, ("AAPL", "INR=X"), ["2024-07-01T23:14", "2024-12-03T00:14"]),
        # Gold opens at 18:00 in New York, before the currency's bar is final.
        ((*INDIAN, "GC=F"), ("AAPL", "INR=X"), ["2024-07-01T21:15", "2024-12-02T22:15"]),
        # The context's cut-off is over when the assets' own bars are final.
        (("AAPL",), ("TCS.NS",), ["2024-07-01T20:15", "2024-12-02T21:15"]),
    ],
)
def test_a_run_publishes_when_the_last_bar_in_time_for_the_next_opening_is_final(
    symbols: tuple[str, ...], context: tuple[str, ...], moments: list[str]
) -> None:
    assert published(symbols, context, "after_close", SUMMER, WINTER) == moments


def test_in_the_weeks_between_two_daylight_savings_each_zone_keeps_its_own() -> None:
    # New York changes on 10 March 2024, London on 31 March.
    days = (date(2024, 3, 8), date(2024, 3, 11), date(2024, 4, 1))
    assert published(INDIAN, ("AAPL",), "after_close", *days) == [
        "2024-03-08T21:15",
        "2024-03-11T20:15",
        "2024-04-01T20:15",
    ]
    assert published(INDIAN, ("INR=X",), "after_close", *days) == [
        "2024-03-09T00:14",
        "2024-03-12T00:14",
        "2024-04-01T23:14",
    ]


@pytest.mark.parametrize(
    ("day", "moment"),
    [
        (date(2024, 7, 1), "2024-07-02T12:30"),
        (date(2024, 12, 2), "2024-12-03T13:30"),
        # The next session is after a holiday, after a weekend.
        (date(2024, 7, 3), "2024-07-05T12:30"),
        (date(2024, 7, 5), "2024-07-08T12:30"),
    ],
)
def test_before_open_is_an_hour_before_the_next_session_opens(day: date, moment: str) -> None:
    assert published(("AAPL",), ("TCS.NS",), "before_open", day) == [moment]


def test_before_open_counts_from_the_first_of_the_assets_exchanges() -> None:
    found = published(("AAPL", "TCS.NS"), (), "before_open", date(2024, 7, 5))
    assert found == ["2024-07-08T02:45"]


def test_beyond_the_calendars_data_exchanges_open_at_their_usual_time() -> None:
    assert published(INDIAN, ("AAPL",), "before_open", date(2035, 7, 2)) == ["2035-07-03T02:45"]
    assert published(INDIAN, ("AAPL",), "after_close", date(2035, 7, 2)) == ["2035-07-02T20:15"]


def test_nothing_is_published_before_the_assets_own_bars_are_final(
    caplog: pytest.LogCaptureFixture,
) -> None:
    days = np.array(["2024-07-01", "2024-07-02"], dtype="datetime64[D]")
    gold = UNIVERSE.select(["GC=F"])
    context = Context(UNIVERSE.select(["AAPL"]), "before_open")
    # An hour before 18:00 in New York is before 17:15.
    expected = ["2024-07-01T21:15:00", "2024-07-02T21:15:00"]
    assert published_at(days, gold, context).astype(str).tolist() == expected
    with caplog.at_level(logging.INFO):
        warn_of_timing(days, gold, context)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "on 2 of 2 dates the assets' own bars are final less than 60 minutes" in record.message


def test_a_context_asset_that_comes_too_late_is_named_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    days = np.arange(np.datetime64("2024-07-01"), np.datetime64("2024-07-06"))
    context = Context(UNIVERSE.select(["AAPL", "INR=X"]))
    with caplog.at_level(logging.INFO):
        warn_of_timing(days, UNIVERSE.select(["TCS.NS", "GC=F"]), context)
        warn_of_timing(days, UNIVERSE.select(["TCS.NS"]), context)
    (record,) = caplog.records
    # On Friday the currency's bar is final before gold opens on Sunday evening.
    assert record.message.startswith("INR=X: on 4 of 5 dates")
    assert "last on 2024-07-04" in record.message


@pytest.mark.parametrize(
    ("publish", "moment"),
    # Saturday 20 January 2024 was a session of the NSE that the calendar lacks.
    [("before_open", "2024-01-20T02:45"), ("after_close", "2024-01-20T00:14")],
)
def test_a_row_before_a_special_session_is_published_before_that_one_opens(
    publish: Publish, moment: str
) -> None:
    friday, saturday, monday = date(2024, 1, 19), date(2024, 1, 20), date(2024, 1, 22)
    context = ("AAPL", "INR=X")
    assert published(INDIAN, context, publish, friday, saturday, monday)[0] == moment
    # Who does not know of it yet waits for the calendar's next session, if the run may.
    alone = published(INDIAN, context, publish, friday)
    assert alone == [{"before_open": "2024-01-23T02:45"}.get(publish, moment)]


def test_no_dates_have_no_publication_time() -> None:
    assert published(INDIAN, ("AAPL",), "after_close") == []
    assert published(INDIAN, ("AAPL",), "before_open") == []


@pytest.mark.parametrize(
    ("symbols", "context", "publish", "moments"),
    [
        # 24/7: each day is final at 00:19, when the next has begun. New York decides.
        (("AAPL", "BTC-USD"), (), "after_close", ["2024-07-02T00:19", "2024-07-06T00:19"]),
        (("AAPL", "BTC-USD"), (), "before_open", ["2024-07-02T12:30", "2024-07-08T12:30"]),
        (("AAPL",), ("BTC-USD",), "after_close", ["2024-07-02T00:19", "2024-07-06T00:19"]),
        # Nothing to wait for.
        (("BTC-USD",), (), "before_open", ["2024-07-02T00:19", "2024-07-06T00:19"]),
        (("BTC-USD",), ("TCS.NS",), "after_close", ["2024-07-02T00:19", "2024-07-06T00:19"]),
        # Tokyo's next session opens at midnight UTC, before a context of cryptocurrencies is final.
        (("7203.T",), ("BTC-USD",), "after_close", ["2024-07-01T06:50", "2024-07-06T00:19"]),
        # On Friday currencies close until midnight UTC on Monday.
        (("EURUSD=X",), (), "before_open", ["2024-07-01T23:14", "2024-07-07T23:00"]),
        (("EURUSD=X", "AAPL"), (), "before_open", ["2024-07-02T12:30", "2024-07-07T23:00"]),
    ],
)
def test_a_market_that_never_closes_has_no_opening_to_wait_for(
    symbols: tuple[str, ...], context: tuple[str, ...], publish: Publish, moments: list[str]
) -> None:
    found = published(symbols, context, publish, date(2024, 7, 1), date(2024, 7, 5))
    assert found == moments


@pytest.mark.parametrize(
    ("symbol", "as_of", "target", "horizon", "moment"),
    [
        # Exchanges that close: the opening of the target date.
        ("AAPL", date(2024, 7, 5), date(2024, 7, 8), 1, "2024-07-08T13:30"),
        ("GC=F", date(2024, 7, 5), date(2024, 7, 8), 1, "2024-07-07T22:00"),
        ("AAPL", date(2024, 7, 5), date(2024, 7, 12), 5, "2024-07-12T13:30"),
        # In rows of another exchange: the first session after the as-of date. Tokyo trades on 4
        # July, New York does not.
        ("7203.T", date(2024, 7, 3), date(2024, 7, 5), 1, "2024-07-04T00:00"),
        # New York trades on 15 July, Tokyo does not.
        ("7203.T", date(2024, 7, 12), date(2024, 7, 15), 1, "2024-07-16T00:00"),
        # Final at 00:19, and two hours.
        ("BTC-USD", date(2024, 7, 5), date(2024, 7, 6), 1, "2024-07-06T02:19"),
        ("BTC-USD", date(2024, 7, 5), date(2024, 7, 8), 1, "2024-07-06T02:19"),
        ("BTC-USD", date(2024, 7, 5), date(2024, 7, 10), 5, "2024-07-10T00:00"),
        ("EURUSD=X", date(2024, 12, 2), date(2024, 12, 3), 1, "2024-12-03T02:14"),
        ("EURUSD=X", date(2024, 7, 1), date(2024, 7, 2), 1, "2024-07-02T01:14"),
        ("EURUSD=X", date(2024, 12, 6), date(2024, 12, 9), 1, "2024-12-09T00:00"),
    ],
)
def test_a_forecast_counts_until_its_session_begins_or_two_hours_from_the_last_bar(
    symbol: str, as_of: date, target: date, horizon: int, moment: str
) -> None:
    exchange = UNIVERSE.asset(symbol).exchange
    expected = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert counts_until(exchange, as_of, target, horizon) == expected


def test_what_trades_for_hours_before_its_forecasts_are_due_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    days = np.arange(np.datetime64("2024-07-01"), np.datetime64("2024-07-06"))
    assets = UNIVERSE.select(["AAPL", "BTC-USD"])
    with caplog.at_level(logging.INFO):
        warn_of_timing(days, assets, Context((), "after_close"))
        assert not caplog.messages
        warn_of_timing(days, assets, Context((), "before_open"))
    (message,) = caplog.messages
    assert message.startswith(
        "BTC-USD: on 5 of 5 dates it trades again before its forecasts are due"
    )
    assert "because the run publishes before the others open" in message


def test_an_exchange_that_opens_before_the_bars_of_another_are_final_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    days = np.arange(np.datetime64("2024-07-01"), np.datetime64("2024-07-06"))
    with caplog.at_level(logging.INFO):
        warn_of_timing(days, UNIVERSE.select(["7203.T", "AAPL"]), Context())
        assert not caplog.messages
        warn_of_timing(days, UNIVERSE.select(["7203.T", "AAPL", "BTC-USD"]), Context())
    (message,) = caplog.messages
    # Tokyo opens at midnight UTC, but on Saturday it does not.
    assert message.startswith(
        "7203.T: on 4 of 5 dates it trades again before its forecasts are due"
    )
    assert "because the bars of BTC-USD are final only then" in message
