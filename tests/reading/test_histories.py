from __future__ import annotations

from datetime import date

from sqlalchemy import insert, select

from planted import Planted
from roi_forecast.database.tables import daily_prices
from roi_forecast.reading.histories import read_price_histories

UNTIL = date(2026, 11, 13)


def test_histories_are_the_last_bars_up_to_a_date_of_each_asset(planted: Planted) -> None:
    with planted.reader.connect() as connection:
        found = read_price_histories(connection, "yahoo", ["GC=F", "M&M.NS", "NONE"], 8, UNTIL)

    assert set(found) == {"GC=F", "M&M.NS"}
    with planted.engine.connect() as connection:
        rows = connection.execute(
            select(daily_prices.c.trading_date, daily_prices.c.adj_close)
            .where(
                daily_prices.c.source == "yahoo",
                daily_prices.c.symbol == "M&M.NS",
                daily_prices.c.trading_date <= UNTIL,
            )
            .order_by(daily_prices.c.trading_date)
        ).all()
    assert list(zip(found["M&M.NS"].dates, found["M&M.NS"].prices, strict=True)) == [
        tuple(row) for row in rows[-8:]
    ]


def test_later_prices_do_not_matter(planted: Planted) -> None:
    later = dict.fromkeys(("open", "high", "low", "close", "adj_close"), 999.0)
    with planted.engine.begin() as connection:
        before = read_price_histories(connection, "yahoo", ["GC=F"], 8, UNTIL)
        connection.execute(
            insert(daily_prices).values(
                source="yahoo",
                symbol="GC=F",
                trading_date=date(2026, 11, 14),
                volume=1,
                fetched_at="2026-11-15T00:00:00+00:00",
                **later,
            )
        )
        assert read_price_histories(connection, "yahoo", ["GC=F"], 8, UNTIL) == before
        connection.rollback()
