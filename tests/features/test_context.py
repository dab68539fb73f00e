from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import exchange_calendars
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from roi_forecast.database.tables import daily_prices
from roi_forecast.features.context import KnownContext, known_context
from roi_forecast.features.rows import PriceRows, load_rows
from roi_forecast.market.calendar_data import FIRST_CALENDAR_DATE
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.market.store import upsert_bars
from roi_forecast.universe import Asset, Context, Exchange, Publish, load_universe

UNIVERSE = load_universe()
TCS, AAPL = UNIVERSE.select(["TCS.NS", "AAPL"])


def bars_of(closes: Mapping[str, Mapping[Any, float]]) -> pd.DataFrame:
    rows = [
        (symbol, pd.Timestamp(day), close)
        for symbol, own in closes.items()
        for day, close in own.items()
    ]
    frame = pd.DataFrame(rows, columns=["symbol", "trading_date", "adj_close"])
    return frame.astype({"trading_date": "datetime64[us]", "adj_close": "float64"})


def known(
    asset: Asset,
    context: Asset,
    days: list[str],
    closes: dict[str, float],
    publish: Publish = "after_close",
) -> KnownContext:
    dates = np.array(days, dtype="datetime64[D]")
    bars = bars_of({context.symbol: closes})
    return known_context(dates, [asset], Context((context,), publish), bars)


def moves(*arguments: Any) -> list[float]:
    found: list[float] = known(*arguments).moves[:, 0].tolist()
    return found


def missing(*arguments: Any) -> list[bool]:
    found: list[bool] = known(*arguments).missing[:, 0].tolist()
    return found


JULY = {
    "2024-07-01": 10.0,
    "2024-07-02": 11.0,
    "2024-07-03": 12.0,
    "2024-07-05": 13.0,
    "2024-07-08": 14.0,
}


def test_each_row_moves_to_the_context_bar_of_its_own_date() -> None:
    assert moves(TCS, AAPL, ["2024-07-02", "2024-07-03"], JULY) == pytest.approx(
        [math.log(11 / 10), math.log(12 / 11)]
    )


def test_a_holiday_of_a_context_asset_is_a_move_of_zero_and_nothing_is_missing() -> None:
    days = ["2024-07-03", "2024-07-04", "2024-07-05"]
    assert moves(TCS, AAPL, days, JULY) == pytest.approx([math.log(12 / 11), 0, math.log(13 / 12)])
    assert missing(TCS, AAPL, days, JULY) == [False, False, False]


def test_a_holiday_of_the_assets_exchange_adds_up_the_moves_since_the_row_before() -> None:
    found = moves(TCS, AAPL, ["2024-07-01", "2024-07-05"], JULY)
    assert found[1] == pytest.approx(math.log(13 / 10))


def test_the_first_row_moves_from_what_the_session_before_it_knew() -> None:
    # The session before is Monday, 1 July; nothing is known before the first bar.
    assert moves(TCS, AAPL, ["2024-07-03"], JULY) == pytest.approx([math.log(12 / 11)])
    assert moves(TCS, AAPL, ["2024-07-01"], JULY) == [0.0]


def test_the_bar_of_a_half_day_counts_on_its_date() -> None:
    # The NYSE closes at 13:00 on 3 July 2024.
    assert moves(TCS, AAPL, ["2024-07-03"], JULY) == pytest.approx([math.log(12 / 11)])


def test_before_open_knows_the_bar_of_the_next_date_that_is_final_by_then() -> None:
    closes = {"2024-07-02": 10.0, "2024-07-03": 11.0, "2024-07-04": 12.0, "2024-07-05": 13.0}
    # Published before New York opens on the 3rd and, after its holiday, on the 5th.
    days = ["2024-07-02", "2024-07-03"]
    found = moves(AAPL, TCS, days, closes, "before_open")
    assert found == pytest.approx([math.log(11 / 10), math.log(13 / 11)])
    # After the close of the same dates, only the bars of those are.
    assert moves(AAPL, TCS, days, closes)[1] == pytest.approx(math.log(11 / 10))


def test_a_context_asset_that_comes_too_late_counts_with_its_bar_before() -> None:
    gold, rupee = UNIVERSE.select(["GC=F", "INR=X"])
    closes = {"2024-06-28": 80.0, "2024-07-01": 82.0, "2024-07-02": 83.0, "2024-07-03": 85.0}
    days = ["2024-07-02", "2024-07-03"]
    found = known(gold, rupee, days, closes)
    assert found.moves[:, 0] == pytest.approx([math.log(82 / 80), math.log(83 / 82)])
    assert not found.missing.any()


def test_a_missing_bar_moves_nothing_is_marked_and_is_made_up_for_later() -> None:
    days = ["2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05"]
    closes = {day: close for day, close in JULY.items() if day != "2024-07-02"}
    found = known(TCS, AAPL, days, closes)
    assert found.moves[:, 0] == pytest.approx([0, 0, math.log(12 / 10), math.log(13 / 12)])
    assert found.missing[:, 0].tolist() == [False, True, False, False]


@pytest.mark.parametrize("close", [np.nan, 0.0, -1.0, np.inf])
def test_a_bar_without_a_usable_close_is_missing(close: float) -> None:
    closes = {**JULY, "2024-07-02": close}
    assert missing(TCS, AAPL, ["2024-07-02", "2024-07-03"], closes) == [True, False]


def test_stale_context_is_marked_from_the_first_session_that_it_lacks() -> None:
    days = ["2024-07-05", "2024-07-08", "2024-07-09", "2024-07-10"]
    found = known(TCS, AAPL, days, JULY)
    assert found.missing[:, 0].tolist() == [False, False, True, True]
    assert found.moves[2:, 0].tolist() == [0.0, 0.0]


def test_a_context_asset_without_any_bar_is_missing_on_every_row() -> None:
    found = known(TCS, AAPL, ["2024-07-02", "2024-07-03"], {})
    assert found.moves.tolist() == [[0.0], [0.0]]
    assert found.missing.tolist() == [[True], [True]]


def test_a_bar_on_a_date_that_is_no_session_counts() -> None:
    # A Saturday on which the NSE traded; New York's next row is Monday.
    closes = {"2024-03-01": 10.0, "2024-03-02": 11.0, "2024-03-04": 12.0}
    days = ["2024-03-01", "2024-03-04"]
    found = known(AAPL, TCS, days, closes)
    assert found.moves[1, 0] == pytest.approx(math.log(12 / 10))
    assert not found.missing.any()
    without_monday = {day: closes[day] for day in ("2024-03-01", "2024-03-02")}
    stale = known(AAPL, TCS, days, without_monday)
    assert stale.moves[1, 0] == pytest.approx(math.log(11 / 10))
    assert stale.missing[:, 0].tolist() == [False, True]


@pytest.mark.parametrize(
    ("symbol", "asset", "sunday"),
    [
        # Sundays of Tel Aviv end at 15:50, of Riyadh at 15:20, long before Monday in Tokyo.
        ("TEVA.TA", "AAPL", "2024-07-07"),
        ("2222.SR", "7203.T", "2024-07-07"),
        ("BTC-USD", "AAPL", "2024-07-07"),
    ],
)
def test_a_bar_of_a_sunday_counts_on_the_row_of_monday(
    symbol: str, asset: str, sunday: str
) -> None:
    one, context = UNIVERSE.select([asset, symbol])
    closes = {"2024-07-04": 10.0, "2024-07-05": 10.0, sunday: 11.0}
    days = ["2024-07-05", "2024-07-08"]
    assert moves(one, context, days, closes) == pytest.approx([0.0, math.log(11 / 10)])


def test_fridays_of_riyadh_promise_no_bar_and_those_of_tel_aviv_do_since_2026() -> None:
    days = ["2026-02-05", "2026-02-06"]
    for symbol, lacks_friday in (("2222.SR", False), ("TEVA.TA", True)):
        (context,) = UNIVERSE.select([symbol])
        found = missing(AAPL, context, days, {"2026-02-04": 10.0, "2026-02-05": 11.0})
        assert found == [False, lacks_friday]


def test_an_asset_may_be_its_own_context() -> None:
    assert moves(AAPL, AAPL, ["2024-07-02"], JULY) == pytest.approx([math.log(11 / 10)])


def test_without_context_there_are_no_columns_but_publication_times() -> None:
    dates = np.array(["2024-07-02", "2024-07-03"], dtype="datetime64[D]")
    found = known_context(dates, [TCS], Context(), bars_of({}))
    assert found.moves.shape == found.missing.shape == (2, 0)
    assert found.published_at.astype(str).tolist() == ["2024-07-02T10:15:00", "2024-07-03T10:15:00"]


# An oracle that looks bars up by time stamp alone, one at a time.

CALENDARS = ("XNYS", "XBOM", "CMES", "24/5", "24/7", "XLON", "XTKS", "XASX", "XSAU")
WEEKENDS = {"24/7": (), "XSAU": ("Fri", "Sat")}
ZONES = (
    *("America/New_York", "Asia/Kolkata", "Europe/London", "Asia/Tokyo", "Australia/Sydney"),
    *("Pacific/Auckland", "America/Sao_Paulo", "Pacific/Honolulu", "UTC"),
)


@lru_cache(maxsize=64)
def calendar(code: str) -> Any:
    try:
        return exchange_calendars.get_calendar(code, start=FIRST_CALENDAR_DATE)
    except ValueError:
        return exchange_calendars.get_calendar(code)


def is_session(code: str, day: date) -> bool:
    held = calendar(code)
    stamp = pd.Timestamp(day)
    if held.first_session <= stamp <= held.last_session:
        return bool(held.is_session(stamp))
    return day.strftime("%a") not in WEEKENDS.get(code, ("Sat", "Sun"))


def opening(code: str, day: date) -> datetime:
    held = calendar(code)
    stamp = pd.Timestamp(day)
    if stamp in held.sessions:
        found: datetime = held.session_open(stamp).to_pydatetime()
        return found
    usual = held.open_times[0 if stamp < held.first_session else -1][1]
    return datetime.combine(day + timedelta(days=held.open_offset), usual, held.tz)


def final(exchange: Exchange, day: date) -> datetime:
    wall = datetime.combine(day, exchange.cut_off) + timedelta(minutes=exchange.delay_minutes)
    offset = wall.replace(tzinfo=exchange.timezone).utcoffset()
    assert offset is not None
    return (wall - offset).replace(tzinfo=UTC)


def reference_of(assets: list[Asset]) -> str:
    calendars = [asset.exchange.calendar for asset in assets]
    return max(calendars, key=lambda each: (calendars.count(each), not each.startswith("24/")))


def next_opening(assets: list[Asset], day: date, next_row: date | None) -> datetime:
    openings = []
    for asset in assets:
        code = asset.exchange.calendar
        following = day + timedelta(days=1)
        while not is_session(code, following):
            following += timedelta(days=1)
        opens = opening(code, following)
        if next_row and code == reference_of(assets):
            opens = min(opens, opening(code, next_row))
        trades_on = timedelta(hours=2 if code.startswith("24/") else 0)
        openings.append((opens <= final(asset.exchange, day) + trades_on, opens))
    # An opening that follows the final bar comes before any that does not.
    return min(openings)[1]


def due(assets: list[Asset], context: Context, day: date, next_row: date | None = None) -> datetime:
    own = max(final(asset.exchange, day) for asset in assets)
    opens = next_opening(assets, day, next_row)
    if context.publish == "before_open":
        return max(own, opens - timedelta(hours=1))
    in_time = [final(asset.exchange, day) for asset in context.assets]
    return max([own, *(moment for moment in in_time if moment < opens)])


Closes = dict[date, float]


def last_known(asset: Asset, closes: Closes, moment: datetime) -> date | None:
    newest = None
    for day in sorted(closes):
        if final(asset.exchange, day) <= moment:
            newest = day
    return newest


def promised(asset: Asset, moment: datetime) -> date:
    day = moment.date() + timedelta(days=2)
    while not (is_session(asset.exchange.calendar, day) and final(asset.exchange, day) <= moment):
        day -= timedelta(days=1)
    return day


# exchange_calendars has no Tel Aviv under this pandas; see the tests by hand above.
DECLARED = [each for each in UNIVERSE.exchanges if each.calendar != "XTAE"]


@st.composite
def invented(draw: st.DrawFn) -> Exchange:
    return Exchange(
        name="random",
        symbols=".+",
        calendar=draw(st.sampled_from(CALENDARS)),
        currency="USD",
        timezone=ZoneInfo(draw(st.sampled_from(ZONES))),
        cut_off=draw(st.times(time(0), time(23, 59)).map(lambda t: t.replace(microsecond=0))),
        delay_minutes=draw(st.sampled_from([0, 15, 60, 24 * 60])),
        asset_class="stock",
    )


def exchanges() -> st.SearchStrategy[Exchange]:
    return st.one_of(invented(), st.sampled_from(DECLARED))


@st.composite
def markets(draw: st.DrawFn) -> tuple[list[date], list[Asset], Context, dict[str, Closes]]:
    first = draw(
        st.one_of(
            st.dates(date(2005, 1, 1), date(2026, 6, 1)),
            # Weeks in which daylight saving begins or ends somewhere, and the calendars' ends.
            st.sampled_from(
                [date(2024, 3, 1), date(2024, 10, 25), date(2016, 10, 10), date(2006, 11, 15)]
            ),
            st.just(date(2026, 12, 20)),
            st.dates(date(2027, 1, 1), date(2029, 1, 1)),
        )
    )
    length = draw(st.integers(1, 14))
    offsets = draw(st.sets(st.integers(0, length), min_size=1))
    dates = [first + timedelta(days=offset) for offset in sorted(offsets)]
    assets = [
        Asset(f"OWN{number}", "", "stock", exchange)
        for number, exchange in enumerate(draw(st.lists(exchanges(), min_size=1, max_size=3)))
    ]
    context = Context(
        tuple(
            Asset(f"CONTEXT{number}", "", "stock", exchange)
            for number, exchange in enumerate(draw(st.lists(exchanges(), min_size=1, max_size=3)))
        ),
        draw(st.sampled_from(["after_close", "before_open"])),
    )
    days = [first + timedelta(days=day) for day in range(-25, length + 20)]
    is_there = draw(st.sampled_from([0.0, 0.6, 0.9, 1.0]))
    random = draw(st.randoms(use_true_random=False))
    closes = {
        asset.symbol: {
            day: random.uniform(1, 1000)
            for day in days
            if (is_session(asset.exchange.calendar, day) or random.random() < 0.1)
            and random.random() < is_there
        }
        for asset in context.assets
    }
    return dates, assets, context, closes


@settings(max_examples=100)
@given(markets())
def test_every_move_ends_with_the_last_bar_whose_time_stamp_is_not_after_the_publication(
    market: tuple[list[date], list[Asset], Context, dict[str, Closes]],
) -> None:
    dates, assets, context, closes = market
    rows = np.array(dates, dtype="datetime64[D]")

    found = known_context(rows, assets, context, bars_of(closes))

    before = dates[0] - timedelta(days=1)
    while not is_session(reference_of(assets), before):
        before -= timedelta(days=1)
    moments = [
        due(assets, context, day, next_row) for day, next_row in pairwise([before, *dates, None])
    ]
    assert [moment.replace(tzinfo=UTC) for moment in found.published_at.tolist()] == moments[1:]
    for column, asset in enumerate(context.assets):
        own = closes[asset.symbol]
        for row, (previous, moment) in enumerate(pairwise(moments)):
            old, new = last_known(asset, own, previous), last_known(asset, own, moment)
            move = math.log(own[new] / own[old]) if old and new else 0.0
            assert found.moves[row, column] == pytest.approx(move, abs=1e-12)
            lacks = new is None or new < promised(asset, moment)
            assert bool(found.missing[row, column]) == lacks


@given(markets(), st.floats(1, 1e6))
def test_a_value_planted_after_a_publication_time_changes_no_row_up_to_it(
    market: tuple[list[date], list[Asset], Context, dict[str, Closes]], planted: float
) -> None:
    dates, assets, context, closes = market
    rows = np.array(dates, dtype="datetime64[D]")
    row = len(dates) // 2
    moment = due(assets, context, dates[row], dates[row + 1] if row + 1 < len(dates) else None)
    changed = {
        asset.symbol: {
            day: close if final(asset.exchange, day) <= moment else planted
            for day, close in closes[asset.symbol].items()
        }
        for asset in context.assets
    }
    clean, wild = (known_context(rows, assets, context, bars_of(own)) for own in (closes, changed))
    np.testing.assert_array_equal(wild.moves[: row + 1], clean.moves[: row + 1])
    np.testing.assert_array_equal(wild.missing[: row + 1], clean.missing[: row + 1])


# Stored bars.

START, AS_OF = date(2023, 1, 2), date(2023, 12, 28)


def store(engine: Engine, assets: tuple[Asset, ...], end: date) -> pd.DataFrame:
    market = SimulatedSource(today=date(2024, 6, 3))
    start = date(2022, 6, 1)
    frames = [market.fetch(asset, start, end).bars.assign(symbol=asset.symbol) for asset in assets]
    bars = pd.concat(frames, ignore_index=True)
    with engine.begin() as connection:
        upsert_bars(connection, "simulated", bars)
    return bars


def load(engine: Engine, assets: tuple[Asset, ...], context: Context, start: date) -> PriceRows:
    with engine.connect() as connection:
        return load_rows(
            connection,
            "simulated",
            assets,
            start,
            AS_OF,
            1.0,
            carries_in=True,
            context=context,
        )


@pytest.mark.parametrize(("publish", "last_known"), [("after_close", 28), ("before_open", 29)])
def test_rows_know_stored_context_up_to_their_publication_and_nothing_after(
    market_engine: Engine, publish: Publish, last_known: int
) -> None:
    assets = UNIVERSE.select(["AAPL", "MSFT"])
    context = Context(UNIVERSE.select(["TCS.NS", "INFY.NS"]), publish)
    bars = store(market_engine, (*assets, *context.assets), date(2024, 1, 31))
    rows = load(market_engine, assets, context, START)
    closes = bars.set_index(["symbol", "trading_date"])["adj_close"]
    of_tcs = closes["TCS.NS"].loc[: f"2023-12-{last_known}"]
    assert not rows.context_missing[-1].any()
    assert rows.context[-1, 0] == pytest.approx(np.log(of_tcs.iloc[-1] / of_tcs.iloc[-2]))
    later = bars[bars["trading_date"] > pd.Timestamp(2023, 12, last_known)]
    with market_engine.begin() as connection:
        prices = ["open", "high", "low", "close", "adj_close"]
        upsert_bars(connection, "simulated", later.assign(**dict.fromkeys(prices, 1e6)))
    wild = load(market_engine, assets, context, START)
    for name in ("context", "context_missing", "published_at", "gap", "volume", "prices"):
        np.testing.assert_array_equal(getattr(wild, name), getattr(rows, name))


def test_context_does_not_depend_on_how_many_rows_are_loaded_before(
    market_engine: Engine,
) -> None:
    assets = UNIVERSE.select(["TCS.NS", "INFY.NS"])
    context = Context(UNIVERSE.select(["AAPL", "CL=F"]))
    bars = store(market_engine, (*assets, *context.assets), AS_OF)
    # A context asset that has not traded for two months when the rows begin.
    gone = (bars["symbol"] == "CL=F") & bars["trading_date"].between("2023-04-15", "2023-07-15")
    with market_engine.begin() as connection:
        connection.execute(
            daily_prices.delete().where(
                daily_prices.c.symbol == "CL=F",
                daily_prices.c.trading_date.between(date(2023, 4, 15), date(2023, 7, 15)),
            )
        )
    assert gone.any()
    whole = load(market_engine, assets, context, START)
    part = load(market_engine, assets, context, date(2023, 7, 3))
    count = len(part.dates)
    np.testing.assert_array_equal(part.context, whole.context[-count:])
    np.testing.assert_array_equal(part.context_missing, whole.context_missing[-count:])
    assert part.context_missing[0].tolist() == [False, True]
    assert (np.abs(part.context[:, 1]) > 0).sum() > 50
