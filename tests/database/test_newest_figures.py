"""The newest drift and live scores, compared with Python and with the plain views."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from planted_monitoring import plant_monitoring
from sqlalchemy import Connection, delete, select, text, update

from database.plain_views import assert_rows_are_those_of_the_plain_view
from planted import Planted, planted_market
from roi_forecast.database.tables import drift, evaluations
from roi_local.postgres.server import EmbeddedPostgres


@pytest.fixture(scope="module")
def watched(postgres: EmbeddedPostgres, market_template: str) -> Iterator[Planted]:
    """Two model names, monitored every session; an old run was repeated today."""
    with planted_market(
        postgres,
        market_template,
        {"assets": 3, "sessions": 8, "versions": 3},
        {"assets": 3, "sessions": 5, "versions": 1, "model_name": "other", "source": "simulated"},
    ) as market:
        plant_monitoring(market.engine)
        with market.engine.begin() as connection:
            _repeat_a_run_of_the_past(connection)
        yield market


def _repeat_a_run_of_the_past(connection: Connection) -> None:
    past = connection.execute(
        select(drift.c.run_id)
        .where(drift.c.model_name == "reference")
        .order_by(drift.c.as_of_date)
        .limit(1)
    ).scalar_one()
    connection.execute(
        update(drift)
        .where(drift.c.run_id == past)
        .values(measured_at=drift.c.measured_at + timedelta(days=365))
    )
    rows = connection.execute(select(evaluations).where(evaluations.c.run_id == past)).mappings()
    again = [{name: value for name, value in row.items() if name != "id"} for row in rows]
    connection.execute(delete(evaluations).where(evaluations.c.run_id == past))
    connection.execute(evaluations.insert(), again)


@pytest.mark.parametrize("view", ["latest_drift", "live_skill", "versions"])
def test_rows_equal_those_of_the_plain_view(watched: Planted, view: str) -> None:
    assert_rows_are_those_of_the_plain_view(watched.engine, view)


def test_drift_is_from_the_newest_session_of_each_name(watched: Planted) -> None:
    with watched.engine.connect() as connection:
        found = connection.execute(text("SELECT * FROM roi.latest_drift")).mappings().all()
        rows = connection.execute(select(drift)).all()
    newest = {
        name: max(row.as_of_date for row in rows if row.model_name == name)
        for name in ("reference", "other")
    }
    expected = {
        (row.model_name, row.symbol, row.wasserstein, row.run_id)
        for row in rows
        if row.as_of_date == newest[row.model_name]
    }
    assert {
        (row["model_name"], row["symbol"], row["wasserstein"], row["run_id"]) for row in found
    } == expected
    assert len(found) == 6


def test_the_skill_of_a_name_is_from_its_newest_target_session(watched: Planted) -> None:
    with watched.engine.connect() as connection:
        found = connection.execute(text("SELECT * FROM roi.live_skill")).mappings().all()
        scores = connection.execute(select(evaluations).where(evaluations.c.split == "live")).all()
    of_name = [
        row for row in found if row["model_name"] == "reference" and row["scope"] == "model_name"
    ]
    assert {row["newest_sessions"] for row in of_name} == {60, None}
    last = max(row.last_date for row in scores if row.version_id.startswith("reference"))
    for row in of_name:
        (mae,) = (
            score.value
            for score in scores
            if score.version_id.startswith("reference")
            and score.predictor == "served"
            and score.metric == "mae"
            and score.newest_sessions == row["newest_sessions"]
            and score.last_date == last
        )
        assert (row["last_target_date"], row["mae_pct"]) == (last, mae)
