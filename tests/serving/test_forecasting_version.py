"""A champion whose data end after the as-of date knows the day: it never forecasts it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from daily_run import NOW
from roi_forecast.database.tables import datasets, model_versions, predictions
from roi_forecast.errors import DamagedVersionError, NothingToForecastError
from roi_forecast.serving.forecast_store import StoredForecasts, store_forecasts
from serving_version import Served

AS_OF = date(2024, 12, 27)
"""Last day of the data of the served version and of every candidate made from it."""
LATER = date(2024, 12, 30)


def change(served: Served, version_id: str, **values: Any) -> None:
    with served.engine.begin() as connection:
        connection.execute(
            update(model_versions).where(model_versions.c.version_id == version_id).values(values)
        )


def forecast(served: Served, candidate_id: str | None, **changes: Any) -> StoredForecasts:
    return store_forecasts(
        served.engine,
        served.outcome.run.model_copy(update=changes),
        served.outcome.dataset.dataset_id,
        served.models,
        candidate_id=candidate_id,
        now=NOW,
    )


def rows(served: Served) -> int:
    with served.engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(predictions)) or 0


def add_own(served: Served) -> str:
    """Add the run's own candidate, whose data end on its as-of date."""
    own = served.add_candidate("own")
    change(served, own, last_date=AS_OF)
    return own


@pytest.fixture
def knowing(served: Served) -> Served:
    """A champion whose data end after the run's as-of date, and no forecast."""
    with served.engine.begin() as connection:
        connection.execute(delete(predictions))
    change(served, served.champion.version_id, last_date=LATER)
    return served


def test_the_champion_forecasts_from_the_last_day_of_its_data_on(served: Served) -> None:
    assert served.champion.last_date == AS_OF
    with served.engine.begin() as connection:
        connection.execute(delete(predictions))
    stored = forecast(served, served.add_candidate("next"))
    assert stored.version_id == served.champion.version_id
    assert stored.added > 0


@pytest.mark.parametrize("state", ["candidate", "rejected"])
def test_the_runs_candidate_forecasts_a_day_that_the_champion_knows(
    knowing: Served, state: str
) -> None:
    own = add_own(knowing)
    change(knowing, own, state=state)
    stored = forecast(knowing, own)
    run = knowing.outcome.run
    assert stored == StoredForecasts(own, len(run.config.symbols) * len(run.config.horizons))
    with knowing.engine.connect() as connection:
        made = connection.execute(
            select(predictions.c.version_id, predictions.c.backfill).distinct()
        ).all()
    # Also of sessions that had not opened yet: nobody was told these forecasts.
    assert made == [(own, True)]
    assert forecast(knowing, own) == StoredForecasts(own, 0)


def test_without_a_candidate_a_known_day_is_not_forecast(knowing: Served) -> None:
    with pytest.raises(
        NothingToForecastError,
        match=r"knows the days up to 2024-12-30, so it cannot forecast as of 2024-12-27, and the "
        r"run's candidate is not decided on yet",
    ):
        forecast(knowing, None)
    assert rows(knowing) == 0


def test_a_candidate_that_knows_the_day_too_does_not_forecast_it(knowing: Served) -> None:
    own = add_own(knowing)
    change(knowing, own, last_date=LATER)
    with pytest.raises(NothingToForecastError, match="own knows the days up to 2024-12-30"):
        forecast(knowing, own)
    assert rows(knowing) == 0


def test_a_candidate_from_another_source_does_not_take_the_champions_place(
    knowing: Served,
) -> None:
    own = add_own(knowing)
    change(knowing, own, source="csv:other")
    with pytest.raises(NothingToForecastError, match="own has prices of csv:other, the champion"):
        forecast(knowing, own)
    assert rows(knowing) == 0


def test_a_candidate_that_would_not_serve_alone_either_does_not_forecast(knowing: Served) -> None:
    own = add_own(knowing)
    metrics = knowing.version(own).metrics
    change(knowing, own, metrics={**metrics, "next_day_r2_against_zero_upper_95": -0.01})
    with pytest.raises(NothingToForecastError, match=r"own was rejected: next-day R2"):
        forecast(knowing, own)
    run = knowing.outcome.run
    config = run.config.model_copy(update={"gate_override_reason": "wanted all the same"})
    assert forecast(knowing, own, config=config).added > 0


def test_nothing_overrides_a_leak(knowing: Served) -> None:
    own = add_own(knowing)
    with knowing.engine.begin() as connection:
        connection.execute(update(datasets).values(manifest={}))
    run = knowing.outcome.run
    config = run.config.model_copy(update={"gate_override_reason": "wanted all the same"})
    with pytest.raises(
        NothingToForecastError, match="own was rejected: its dataset was never audited"
    ):
        forecast(knowing, own, config=config)
    assert rows(knowing) == 0


def test_a_damaged_candidate_does_not_forecast(knowing: Served) -> None:
    own = add_own(knowing)
    (knowing.version(own).directory(knowing.models) / "scaler.json").write_text("{}")
    with pytest.raises(DamagedVersionError, match=r"scaler\.json is damaged"):
        forecast(knowing, own)
    assert rows(knowing) == 0
