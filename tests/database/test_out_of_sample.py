"""No forecast as of a date inside its version's data is stored, and none is read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Row, column, insert, select, table, text, update
from sqlalchemy.exc import IntegrityError

from planted import Planted, planted_market
from roi_forecast.database.migrate import migrate
from roi_forecast.database.tables import model_versions, predictions
from roi_forecast.reading.track_record import read_track_record
from roi_local.postgres.server import EmbeddedPostgres

VIEWS = (
    "forecasts",
    "outcomes",
    "latest_forecasts",
    "latest_context",
)

TWO_AHEAD = {
    "horizon": 2,
    "method": "direct",
    "gap_roi_pct": None,
    "open_to_close_roi_pct": None,
    "context": None,
}


@pytest.fixture
def market(postgres: EmbeddedPostgres, market_template: str) -> Iterator[Planted]:
    with planted_market(
        postgres,
        market_template,
        {"assets": 2, "sessions": 30, "versions": 1, "context": ["^GSPC"]},
    ) as planted:
        of_context = {"^GSPC": {"move_pct": 0.8, "added_pct": 0.1}}
        with planted.engine.begin() as connection:
            connection.execute(update(predictions).values(context=of_context))
        yield planted


def forecasts(market: Planted) -> list[Row[Any]]:
    with market.engine.connect() as connection:
        order = predictions.c.as_of_date.desc()
        return list(connection.execute(select(predictions).order_by(order)))


def end_of_data(market: Planted, day: date) -> None:
    with market.engine.begin() as connection:
        connection.execute(update(model_versions).values(last_date=day))


def test_the_last_day_of_a_versions_data_is_its_first_as_of_date(
    market: Planted,
) -> None:
    newest = forecasts(market)[0]
    end_of_data(market, newest.as_of_date + timedelta(days=1))
    for days, is_known in ((0, True), (1, False)):
        changed = {
            **newest._mapping,
            "as_of_date": newest.as_of_date + timedelta(days=days),
            **TWO_AHEAD,
        }
        with market.engine.connect() as connection:
            if not is_known:
                connection.execute(insert(predictions), changed)
                continue
            with pytest.raises(IntegrityError, match="reference-version-00 knows the days up to"):
                connection.execute(insert(predictions), changed)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE roi.predictions DISABLE TRIGGER out_of_sample_when_inserted",
        "DROP TRIGGER out_of_sample_when_inserted ON roi.predictions",
        "CREATE OR REPLACE FUNCTION roi.refuse_forecasts_of_known_days() RETURNS trigger "  # noqa: ISC004
        "LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "DROP FUNCTION roi.refuse_forecasts_of_known_days() CASCADE",
    ],
)
def test_migrate_restores_the_rule(market: Planted, statement: str) -> None:
    newest = forecasts(market)[0]
    end_of_data(market, newest.as_of_date + timedelta(days=1))
    with market.engine.begin() as connection:
        connection.execute(text(statement))
    migrate(market.engine.url.render_as_string(hide_password=False))
    again = {**newest._mapping, **TWO_AHEAD}
    knows = pytest.raises(IntegrityError, match="knows the days up to")
    with knows, market.engine.begin() as connection:
        connection.execute(insert(predictions), again)


def test_one_known_day_among_many_forecasts_refuses_all_of_them(market: Planted) -> None:
    before = forecasts(market)
    newest = before[0]
    end_of_data(market, newest.as_of_date)
    values = [
        {
            **newest._mapping,
            "as_of_date": newest.as_of_date + timedelta(days=days),
            **TWO_AHEAD,
        }
        for days in (3, 2, -1, 1)
    ]
    with pytest.raises(IntegrityError), market.engine.begin() as connection:
        connection.execute(insert(predictions), values)
    assert forecasts(market) == before


def test_a_forecast_cannot_be_moved_into_the_data(market: Planted) -> None:
    newest = forecasts(market)[0]
    end_of_data(market, newest.as_of_date)
    with pytest.raises(IntegrityError), market.engine.begin() as connection:
        connection.execute(
            update(predictions)
            .where(predictions.c.as_of_date == newest.as_of_date)
            .values(as_of_date=newest.as_of_date - timedelta(days=400))
        )


@pytest.mark.parametrize("view", VIEWS)
def test_no_view_shows_a_forecast_of_a_known_day(market: Planted, view: str) -> None:
    days = sorted({row.as_of_date for row in forecasts(market)})
    shown = select(table(view, column("as_of_date"), schema="roi"))
    with market.reader.connect() as connection:
        assert connection.execute(shown).all()
    # Planted first: the database would refuse them now.
    end_of_data(market, days[20])
    with market.reader.connect() as connection:
        seen = set(connection.scalars(shown))
    assert seen <= set(days[20:])
    assert seen
    end_of_data(market, days[-1] + timedelta(days=1))
    with market.reader.connect() as connection:
        assert connection.execute(shown).all() == []


@pytest.mark.parametrize("include_backfills", [True, False])
def test_the_track_record_never_counts_them(market: Planted, include_backfills: bool) -> None:
    days = sorted({row.as_of_date for row in forecasts(market)})
    with market.engine.begin() as connection:
        connection.execute(
            update(predictions).where(predictions.c.as_of_date <= days[24]).values(backfill=True)
        )
    end_of_data(market, days[20])
    with market.reader.connect() as connection:
        record = read_track_record(
            connection, "reference", days[0].replace(day=1), include_backfills=include_backfills
        )
    # The target of the newest forecast lies ahead; those of 20 to 24 are backfills.
    counted = days[20:-1] if include_backfills else days[25:-1]
    assert record.total is not None
    assert record.total.forecasts == 2 * len(counted)
    assert record.backfills == (0 if include_backfills else 2 * 5)
    client = market.client()
    address = f"/track-record?model_name=reference&since={days[0]}"
    page = client.get(address + ("&backfills=on" if include_backfills else ""))
    assert page.status_code == 200


@pytest.mark.parametrize("path", ["forecasts", "outcomes"])
@pytest.mark.parametrize("query", [{}, {"backfill": "true"}, {"backfill": "false"}])
def test_the_api_never_returns_them(market: Planted, path: str, query: dict[str, str]) -> None:
    days = sorted({row.as_of_date for row in forecasts(market)})
    with market.engine.begin() as connection:
        connection.execute(
            update(predictions).values(backfill=predictions.c.as_of_date <= days[24])
        )
    end_of_data(market, days[20])
    address = f"/api/v1/{path}"
    answer = market.client().get(address, params={"model_name": "reference", **query})
    assert answer.status_code == 200, answer.text
    seen = {row["as_of_date"] for row in answer.json()["items"]}
    assert seen
    assert min(seen) >= str(days[20])


def test_the_pipelines_own_operators_do_not_evade_the_rule(market: Planted) -> None:
    newest = forecasts(market)[0]
    end_of_data(market, newest.as_of_date + timedelta(days=1))
    changed = {**newest._mapping, **TWO_AHEAD}
    with market.engine.connect() as connection:
        for statement in (
            "CREATE FUNCTION optuna.no(date, date) RETURNS boolean LANGUAGE sql RETURN false",
            "CREATE OPERATOR optuna.< (FUNCTION = optuna.no, LEFTARG = date, RIGHTARG = date)",
            "SET ROLE roi_writer",
            "SET search_path = optuna, pg_catalog",
        ):
            connection.execute(text(statement))
        with pytest.raises(IntegrityError, match="knows the days up to"):
            connection.execute(insert(predictions), changed)
