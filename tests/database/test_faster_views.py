"""Outcomes and health, compared with Python and with the plain views."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update

from database.plain_views import assert_rows_are_those_of_the_plain_view
from planted import Planted, planted_market
from roi_forecast.database.tables import daily_prices, extractions, model_versions, predictions
from roi_local.postgres.server import EmbeddedPostgres


@pytest.fixture(scope="module")
def irregular(postgres: EmbeddedPostgres, market_template: str) -> Iterator[Planted]:
    """Missing and restated bars, two versions, assets without price or without forecast."""
    with planted_market(
        postgres, market_template, {"assets": 8, "sessions": 30, "versions": 4}
    ) as market:
        with market.engine.begin() as connection:
            _make_irregular(connection)
        yield market


def _make_irregular(connection: Connection) -> None:
    bars, of = daily_prices, daily_prices.c
    symbols = connection.execute(select(of.symbol).distinct().order_by(of.symbol)).scalars().all()
    days = (
        connection.execute(select(of.trading_date).distinct().order_by(of.trading_date))
        .scalars()
        .all()
    )
    # A hole; no bar before the tenth session; none after the twentieth; none at all; one restated.
    connection.execute(delete(bars).where(of.symbol == symbols[0], of.trading_date.in_(days[7:10])))
    connection.execute(delete(bars).where(of.symbol == symbols[1], of.trading_date < days[9]))
    connection.execute(delete(bars).where(of.symbol == symbols[2], of.trading_date > days[19]))
    connection.execute(delete(bars).where(of.symbol == symbols[3]))
    connection.execute(
        update(bars)
        .where(of.symbol == symbols[4], of.trading_date <= days[15])
        .values(adj_close=of.adj_close / 2)
    )
    # A bar after the newest as-of date, with none on it.
    connection.execute(
        update(bars)
        .where(of.symbol == symbols[5], of.trading_date == days[-1])
        .values(trading_date=days[-1] + timedelta(days=1))
    )
    forecast = predictions.c
    connection.execute(delete(predictions).where(forecast.symbol == symbols[6]))
    connection.execute(
        update(model_versions)
        .where(model_versions.c.version_id == "reference-version-02")
        .values(last_date=days[0] - timedelta(days=1))
    )
    # Another version forecast the same targets, two sessions ahead and right of some by chance.
    others = {
        column.name: column
        for column in predictions.columns
        if column.name
        not in (
            "version_id",
            "horizon",
            "method",
            "as_of_date",
            "predicted_roi_pct",
            "gap_roi_pct",
            "open_to_close_roi_pct",
            "context",
        )
    }
    connection.execute(
        insert(predictions).from_select(
            [*others, "version_id", "horizon", "method", "as_of_date", "predicted_roi_pct"],
            select(
                *others.values(),
                text("'reference-version-02'"),
                text("2"),
                text("'direct'"),
                forecast.as_of_date - 1,
                text("0.0"),
            ).where(forecast.version_id == "reference-version-00"),
        )
    )
    connection.execute(
        update(extractions).where(extractions.c.symbol == symbols[7]).values(source="csv:other")
    )


def _expected_outcomes(connection: Connection) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The outcomes by their definition, in Python."""
    prices: dict[tuple[str, str], dict[date, float]] = {}
    for bar in connection.execute(select(daily_prices)):
        prices.setdefault((bar.source, bar.symbol), {})[bar.trading_date] = bar.adj_close
    expected = {}
    for row in connection.execute(select(predictions)):
        own = prices.get((row.source, row.symbol), {})
        before_start = [day for day in own if day <= row.as_of_date]
        if not before_start or not any(day >= row.target_date for day in own):
            continue
        last = max(day for day in own if day <= row.target_date)
        roi = 100 * (own[last] / own[max(before_start)] - 1)
        right = (row.predicted_roi_pct > 0) == (roi > 0)
        expected[row.version_id, row.symbol, row.as_of_date, row.horizon] = {
            "realised_roi_pct": pytest.approx(roi, rel=1e-12, abs=1e-12),
            "error_pct": pytest.approx(roi - row.predicted_roi_pct, rel=1e-12, abs=1e-12),
            "direction_hit": None if 0 in (roi, row.predicted_roi_pct) else right,
            "inside_80": row.lower_80_pct <= roi <= row.upper_80_pct,
            "inside_95": row.lower_95_pct <= roi <= row.upper_95_pct,
            "filled_target": last < row.target_date,
        }
    return expected


def test_outcomes_agree_with_the_tables(irregular: Planted) -> None:
    with irregular.engine.connect() as connection:
        expected = _expected_outcomes(connection)
        rows = connection.execute(text("SELECT * FROM roi.outcomes")).mappings().all()
    found = {
        (row["version_id"], row["symbol"], row["as_of_date"], row["horizon"]): row for row in rows
    }
    assert len(rows) == len(found)
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert {name: found[key][name] for name in values} == values, key
    filled = sum(row["filled_target"] for row in rows)
    assert 0 < filled < len(rows)
    assert {row["direction_hit"] for row in rows} == {True, False, None}


@pytest.mark.parametrize("view", ["outcomes", "asset_health"])
def test_rows_equal_those_of_the_plain_view(irregular: Planted, view: str) -> None:
    assert_rows_are_those_of_the_plain_view(irregular.engine, view)


def test_health_finds_the_last_bar_on_any_date(irregular: Planted) -> None:
    with irregular.engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM roi.asset_health")).mappings().all()
        bars = connection.execute(select(daily_prices)).all()
    last: dict[tuple[str, str], Any] = {}
    for bar in sorted(bars, key=lambda bar: bar.trading_date):
        last[bar.source, bar.symbol] = (bar.trading_date, bar.fetched_at)
    assert len(rows) == 8
    behind = {
        row["last_bar_date"] and (row["last_bar_date"] - row["as_of_date"]).days for row in rows
    }
    assert {0, 1, None} < behind
    for row in rows:
        expected = last.get((row["source"], row["symbol"]), (None, None))
        assert (row["last_bar_date"], row["fetched_at"]) == expected
