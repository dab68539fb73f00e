from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import delete, select, text

from planted import Planted, planted_market
from roi_forecast.database.tables import daily_prices, predictions
from roi_forecast.reading.track_record import Tally, read_track_record
from roi_local.postgres.server import EmbeddedPostgres


@pytest.fixture(scope="module")
def gappy(postgres: EmbeddedPostgres, market_template: str) -> Iterator[Planted]:
    """A market in which one asset lacks some bars, so that prices have to be carried."""
    with planted_market(postgres, market_template, {"assets": 3, "sessions": 30}) as market:
        with market.engine.begin() as connection:
            dates = connection.execute(
                select(daily_prices.c.trading_date).distinct().order_by(daily_prices.c.trading_date)
            ).scalars()
            missing = list(dates)[10:13]
            connection.execute(
                delete(daily_prices).where(
                    daily_prices.c.symbol == "GC=F", daily_prices.c.trading_date.in_(missing)
                )
            )
        yield market


def expected_tally(market: Planted, *, backfills: bool, since: date) -> Tally:
    """The same figures from the tables, in Python."""
    with market.engine.connect() as connection:
        prices = {
            (row.symbol, row.trading_date): row.adj_close
            for row in connection.execute(select(daily_prices))
        }
        rows = connection.execute(select(predictions)).all()
    counted = []
    for row in rows:
        if row.target_date < since or (row.backfill and not backfills):
            continue
        if (row.symbol, row.target_date) not in prices:
            continue
        start = max(day for symbol, day in prices if symbol == row.symbol and day <= row.as_of_date)
        realised = 100 * (prices[row.symbol, row.target_date] / prices[row.symbol, start] - 1)
        counted.append((row, realised))
    return Tally(
        forecasts=len(counted),
        inside_80=sum(row.lower_80_pct <= roi <= row.upper_80_pct for row, roi in counted),
        inside_95=sum(row.lower_95_pct <= roi <= row.upper_95_pct for row, roi in counted),
        directions=sum(row.predicted_roi_pct != 0 != roi for row, roi in counted),
        direction_hits=sum(row.predicted_roi_pct * roi > 0 for row, roi in counted),
        sum_of_errors_pct=math.fsum(abs(roi - row.predicted_roi_pct) for row, roi in counted),
        sum_of_errors_of_zero_pct=math.fsum(abs(roi) for _, roi in counted),
    )


@pytest.mark.parametrize("backfills", [False, True])
@pytest.mark.parametrize("since", [date.min, date(2026, 11, 1)])
def test_the_total_agrees_with_the_tables(gappy: Planted, backfills: bool, since: date) -> None:
    with gappy.reader.connect() as connection:
        record = read_track_record(connection, "reference", since, include_backfills=backfills)

    expected = expected_tally(gappy, backfills=backfills, since=since)
    assert record.total is not None
    assert vars(record.total) == pytest.approx(vars(expected))
    assert sum(tally.forecasts for tally in record.days.values()) == expected.forecasts
    assert sum(tally.inside_80 for tally in record.assets.values()) == expected.inside_80
    assert record.total.absolute_error == pytest.approx(
        expected.sum_of_errors_pct / expected.forecasts
    )
    assert list(record.days) == sorted(record.days)


def test_a_period_begins_with_a_month(gappy: Planted) -> None:
    with (
        gappy.reader.connect() as connection,
        pytest.raises(ValueError, match="received 2026-11-02; it has to be the first day"),
    ):
        read_track_record(connection, "reference", date(2026, 11, 2))


def test_backfills_are_left_out_and_counted(gappy: Planted) -> None:
    with gappy.reader.connect() as connection:
        without = read_track_record(connection, "reference", date.min)
        everything = read_track_record(connection, "reference", date.min, include_backfills=True)
    assert without.backfills == 3 * 3
    assert everything.backfills == 0
    assert without.total is not None
    assert everything.total is not None
    assert everything.total.forecasts - without.total.forecasts == without.backfills


def test_unknown_name_has_no_record(gappy: Planted) -> None:
    with gappy.reader.connect() as connection:
        record = read_track_record(connection, "nobody", date.min)
    assert (record.total, record.days, record.assets) == (None, {}, {})


def test_a_target_without_a_bar_does_not_count(gappy: Planted) -> None:
    with gappy.reader.connect() as connection:
        record = read_track_record(connection, "reference", date.min, include_backfills=True)
        filled, on_bars = connection.execute(
            text(
                "SELECT count(*) FILTER (WHERE filled_target), "
                "count(*) FILTER (WHERE NOT filled_target) FROM roi.outcomes WHERE horizon = 1"
            )
        ).one()
    assert record.total is not None
    assert (record.total.forecasts, filled) == (on_bars, 3)
