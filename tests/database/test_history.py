"""Every change or deletion records the old row, the time and the login."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, case, delete, insert, select, text, update
from sqlalchemy.exc import ProgrammingError

from databases import ensure_login
from planted import planted_market
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.migrate import migrate
from roi_forecast.database.roles import WRITER_ROLE
from roi_forecast.database.tables import (
    daily_prices,
    evaluations,
    history_changes,
    metadata,
    price_checks,
    runs,
)
from roi_forecast.database.tables.track_record import DERIVED
from roi_forecast.market.store import replace_bars, upsert_bars
from roi_local.postgres.server import EmbeddedPostgres

RUN = {
    "run_id": "first",
    "model_name": "reference",
    "source": "yahoo",
    "as_of_date": "2024-12-31",
    "published_at": "2024-12-31 22:00+00",
    "resolved": {"seed": 1},
}
CHECK = {
    "run_id": "first",
    "source": "yahoo",
    "check_name": "quorum",
    "severity": "stop_run",
    "passed": True,
    "message": "enough",
}


@pytest.fixture
def pipeline(market_engine: Engine) -> Iterator[Engine]:
    """A login that is a member of the pipeline's role."""
    with market_engine.begin() as connection:
        ensure_login(connection, "history_test", WRITER_ROLE)
    url = market_engine.url.set(username="history_test").update_query_dict(
        {"application_name": "stage"}
    )
    engine = create_database_engine(url.render_as_string(hide_password=False))
    yield engine
    engine.dispose()


def changes(engine: Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        rows = connection.execute(select(history_changes).order_by(history_changes.c.id))
        return [dict(row) for row in rows.mappings()]


def test_a_changed_row_is_recorded_with_its_old_values_and_login(
    market_engine: Engine, pipeline: Engine
) -> None:
    with pipeline.begin() as connection:
        connection.execute(insert(runs).values(RUN))
        before = connection.execute(select(runs)).mappings().one()
    with pipeline.begin() as connection:
        connection.execute(update(runs).values(resolved={"seed": 2}))
    (change,) = changes(market_engine)
    old = change["old_values"]
    assert (old["run_id"], old["resolved"]) == ("first", {"seed": 1})
    # PostgreSQL writes no trailing zeros of a second into JSON, Python all six digits.
    assert datetime.fromisoformat(old["claimed_at"]) == before["claimed_at"]
    assert change["table_name"] == "runs"
    assert (change["operation"], change["rows"]) == ("UPDATE", 1)
    assert (change["changed_by"], change["application_name"]) == ("history_test", "stage")
    assert change["changed_at"] > before["claimed_at"]


def test_only_the_rows_that_an_update_changes_are_recorded(
    market_engine: Engine, pipeline: Engine
) -> None:
    rows = [{**RUN, "run_id": str(number), "model_name": str(number)} for number in range(3)]
    with pipeline.begin() as connection:
        connection.execute(insert(runs), rows)
        connection.execute(update(runs).values(source="yahoo"))
        connection.execute(update(runs).where(runs.c.run_id == "1").values(source="other"))
        connection.execute(update(runs).values(source="other"))
    recorded = [change["old_values"]["run_id"] for change in changes(market_engine)]
    assert recorded[0] == "1"
    assert sorted(recorded[1:]) == ["0", "2"]


def test_two_rows_that_an_update_swaps_are_both_recorded(
    market_engine: Engine, pipeline: Engine
) -> None:
    with pipeline.begin() as connection:
        connection.execute(insert(runs), [{**RUN, "run_id": name} for name in "a"])
        connection.execute(
            insert(runs), [{**RUN, "run_id": "b", "model_name": "b", "source": "other"}]
        )
        exchanged = case((runs.c.source == "yahoo", "other"), else_="yahoo")
        connection.execute(update(runs).values(source=exchanged))
    found = {
        (change["old_values"]["run_id"], change["old_values"]["source"])
        for change in changes(market_engine)
    }
    assert found == {("a", "yahoo"), ("b", "other")}


def test_each_deleted_row_is_recorded(market_engine: Engine, pipeline: Engine) -> None:
    with pipeline.begin() as connection:
        connection.execute(insert(price_checks), [CHECK, {**CHECK, "check_name": "gaps"}])
        connection.execute(delete(price_checks))
    found = [(c["operation"], c["old_values"]["check_name"]) for c in changes(market_engine)]
    assert sorted(found) == [("DELETE", "gaps"), ("DELETE", "quorum")]


def test_deleted_figures_leave_one_row_per_version_with_their_values_where_they_are_few(
    postgres: EmbeddedPostgres, market_template: str
) -> None:
    market = {"assets": 3, "sessions": 5, "versions": 2}
    with planted_market(postgres, market_template, market) as planted:
        with planted.engine.connect() as connection:
            stored = connection.execute(select(evaluations).order_by(evaluations.c.id)).all()
        first, second = (stored[0].id, stored[1].id)
        with planted.engine.begin() as connection:
            connection.execute(delete(evaluations).where(evaluations.c.id.in_([first, second])))
            connection.execute(delete(evaluations))
        recorded = changes(planted.engine)
    few, *many = (change["old_values"] for change in recorded)
    assert [(row["metric"], row["value"]) for row in few["figures"]] == [
        (row.metric, row.value) for row in stored[:2]
    ]
    left = Counter((row.run_id, row.version_id, row.split) for row in stored[2:])
    assert len(left) > 1
    assert sum(left.values()) > 20
    assert {
        (change["run_id"], change["version_id"], change["split"]): recorded[number]["rows"]
        for number, change in enumerate(many, start=1)
    } == left
    assert all("figures" not in change for change in many)


def bars(dates: list[str], close: float) -> pd.DataFrame:
    prices = dict.fromkeys(("open", "high", "low", "close", "adj_close"), close)
    frame = pd.DataFrame(
        [{"trading_date": pd.Timestamp(day), "volume": 1, **prices} for day in dates]
    )
    frame["trading_date"] = frame["trading_date"].dt.as_unit("us")
    return frame


def test_restated_and_removed_bars_leave_one_row_per_series(
    market_engine: Engine, pipeline: Engine
) -> None:
    dates = ["2024-12-26", "2024-12-27", "2024-12-30", "2024-12-31"]
    both = [bars(dates, 1.0).assign(symbol=symbol) for symbol in ("TCS.NS", "GC=F")]
    with pipeline.begin() as connection:
        upsert_bars(connection, "yahoo", pd.concat(both))
        # The same bars, and new ones: nothing that was stored changes.
        upsert_bars(connection, "yahoo", both[0])
        upsert_bars(connection, "yahoo", bars(["2025-01-02"], 1.0).assign(symbol="TCS.NS"))
    assert changes(market_engine) == []
    with pipeline.begin() as connection:
        restated = [frame.assign(close=2.0)[1:3] for frame in both]
        upsert_bars(connection, "yahoo", pd.concat(restated))
        replace_bars(connection, "yahoo", "GC=F", bars(dates[:1], 1.0))
    recorded = changes(market_engine)
    olds = [change["old_values"].pop("bars") for change in recorded]
    assert [[bar["close"] for bar in old] for old in olds] == [[1.0, 1.0]] * 2 + [[2.0, 2.0, 1.0]]
    assert [bar["trading_date"] for bar in olds[0]] == dates[1:3]
    found = [(change["rows"], change["old_values"]) for change in recorded]
    middle = {"source": "yahoo", "first_date": "2024-12-27", "last_date": "2024-12-30"}
    assert sorted(found[:2], key=lambda pair: pair[1]["symbol"]) == [
        (2, middle | {"symbol": "GC=F"}),
        (2, middle | {"symbol": "TCS.NS"}),
    ]
    removed = {"symbol": "GC=F", "first_date": "2024-12-27", "last_date": "2024-12-31"}
    assert found[2:] == [(3, {"source": "yahoo"} | removed)]
    with market_engine.connect() as connection:
        assert len(connection.execute(select(daily_prices)).all()) == 6


def test_every_table_also_records_changes_by_its_owner(market_engine: Engine) -> None:
    with market_engine.connect() as connection:
        recorded = connection.execute(
            text(
                "SELECT relation.relname, count(*) FROM pg_trigger JOIN pg_class AS relation "
                "ON relation.oid = tgrelid WHERE tgfoid = 'roi.record_change()'::regprocedure "
                "AND tgenabled = 'O' GROUP BY 1"
            )
        ).all()
    assert {tuple(row) for row in recorded} == {
        (table.name, 2) for table in metadata.tables.values() if table not in DERIVED
    }
    with market_engine.begin() as connection:
        connection.execute(insert(runs).values(RUN))
        connection.execute(delete(runs))
        connection.execute(delete(history_changes))
    assert [change["table_name"] for change in changes(market_engine)] == ["history_changes"]


def test_many_restated_bars_leave_their_range_alone(
    market_engine: Engine, pipeline: Engine
) -> None:
    days = [str(day) for day in pd.bdate_range("2024-11-01", periods=21).date]
    with pipeline.begin() as connection:
        replace_bars(connection, "yahoo", "GC=F", bars(days, 1.0))
        replace_bars(connection, "yahoo", "GC=F", bars(days, 2.0))
    (change,) = changes(market_engine)
    assert change["rows"] == len(days)
    assert "bars" not in change["old_values"]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE roi.runs DISABLE TRIGGER record_delete",
        "ALTER TABLE roi.runs DISABLE TRIGGER USER",
        "DROP TRIGGER record_delete ON roi.runs",
        "CREATE OR REPLACE FUNCTION roi.record_change() RETURNS trigger LANGUAGE plpgsql "  # noqa: ISC004
        "AS 'BEGIN RETURN NULL; END'",
        "DROP FUNCTION roi.record_change() CASCADE",
    ],
)
def test_migrate_restores_triggers_that_no_longer_record_changes(
    market_url: str, market_engine: Engine, statement: str
) -> None:
    with market_engine.begin() as connection:
        connection.execute(text(statement))
    migrate(market_url)
    with market_engine.begin() as connection:
        connection.execute(insert(runs).values(RUN))
        connection.execute(delete(runs))
    assert [change["table_name"] for change in changes(market_engine)] == ["runs"]


def test_the_pipeline_cannot_write_history_with_its_own_trigger(pipeline: Engine) -> None:
    with pipeline.begin() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE forged (run_id text)"))
        with pytest.raises(ProgrammingError, match="permission denied for function"):
            connection.execute(
                text(
                    "CREATE TRIGGER forge AFTER DELETE ON forged REFERENCING OLD TABLE AS old_rows "
                    "FOR EACH STATEMENT EXECUTE FUNCTION roi.record_change()"
                )
            )


def test_a_callers_own_table_does_not_divert_the_record(
    market_engine: Engine, pipeline: Engine
) -> None:
    with pipeline.begin() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE history_changes (id integer)"))
        connection.execute(text("SET LOCAL search_path = pg_temp, roi"))
        connection.execute(insert(runs).values(RUN))
        connection.execute(update(runs).values(source="other"))
    assert len(changes(market_engine)) == 1


def test_a_reader_sees_the_history(market_engine: Engine) -> None:
    with market_engine.begin() as connection:
        connection.execute(insert(runs).values(RUN))
        connection.execute(delete(runs))
        connection.execute(text("SET LOCAL ROLE roi_reader"))
        rows = connection.execute(text("SELECT * FROM roi.changed_rows")).mappings().all()
    assert [(row["table_name"], row["old_values"]["run_id"]) for row in rows] == [("runs", "first")]
