from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from roi_forecast.config import (
    BacktestConfig,
    BacktestRunConfig,
    ResolvedSearch,
    TuningRunConfig,
    parse_config,
    parse_run_config,
)
from roi_forecast.database.tables import runs
from roi_forecast.errors import PreflightError, RunConflictError
from roi_forecast.runs.claims import claim_run, release_run, store_unclaimed
from roi_forecast.runs.resolved_run import ResolvedRun, load_run

NOW = datetime(2025, 1, 15, 12, tzinfo=UTC)


def run(run_id: str, model_name: str = "reference", **parameters: Any) -> ResolvedRun:
    return ResolvedRun(
        run_id=run_id,
        config=parse_run_config(parameters),
        model_name=model_name,
        source_key="yahoo",
        start_date=date(2022, 7, 1),
        as_of_date=date(2024, 12, 31),
        published_at=NOW,
        resolved_at=NOW,
    )


def active(run_id: str) -> bool:
    return True


def ended(run_id: str) -> bool:
    return False


def test_a_claimed_run_reads_back_unchanged(market_engine: Engine) -> None:
    claimed = run("first", epochs=7, start_date="2022-07-01")
    claim_run(market_engine, claimed, active, now=NOW)
    assert load_run(market_engine, "first") == claimed


def test_a_second_run_of_the_name_has_to_wait(market_engine: Engine) -> None:
    claim_run(market_engine, run("first"), active, now=NOW)
    with pytest.raises(RunConflictError, match=r"'first' of model name 'reference'.*still going"):
        claim_run(market_engine, run("second"), active, now=NOW)
    with pytest.raises(PreflightError, match="'second' was never resolved"):
        load_run(market_engine, "second")


def test_a_run_of_another_name_does_not_wait(market_engine: Engine) -> None:
    claim_run(market_engine, run("first"), active, now=NOW)
    claim_run(market_engine, run("second", "trial"), active, now=NOW)


def test_a_released_name_is_free(market_engine: Engine) -> None:
    claim_run(market_engine, run("first"), active, now=NOW)
    release_run(market_engine, "first", now=NOW)
    claim_run(market_engine, run("second"), active, now=NOW)


def test_the_claim_of_a_run_that_ended_is_taken_over(market_engine: Engine) -> None:
    claim_run(market_engine, run("killed"), active, now=NOW)
    claim_run(market_engine, run("second"), ended, now=NOW + timedelta(minutes=5))
    with market_engine.connect() as connection:
        released = connection.scalar(select(runs.c.released_at).where(runs.c.run_id == "killed"))
    assert released == NOW + timedelta(minutes=5)


def test_a_repeated_run_replaces_its_own_claim(market_engine: Engine) -> None:
    claim_run(market_engine, run("first", epochs=7), active, now=NOW)
    claim_run(market_engine, run("first", epochs=9), active, now=NOW)
    assert load_run(market_engine, "first").config.epochs == 9


def test_a_second_release_keeps_the_time_of_the_first(market_engine: Engine) -> None:
    claim_run(market_engine, run("first"), active, now=NOW)
    release_run(market_engine, "first", now=NOW)
    release_run(market_engine, "first", now=NOW + timedelta(hours=1))
    with market_engine.connect() as connection:
        assert connection.scalar(select(runs.c.released_at)) == NOW


def backtest(run_id: str, model_name: str = "reference") -> ResolvedRun:
    walk: BacktestConfig = parse_config(BacktestRunConfig, {}).walk()
    return run(run_id, model_name).model_copy(update={"backtest": walk})


def search(run_id: str, model_name: str = "reference") -> ResolvedRun:
    tuning: ResolvedSearch = parse_config(TuningRunConfig, {"study": "a_study"}).search()
    return run(run_id, model_name).model_copy(update={"tuning": tuning})


def test_a_backtest_and_a_search_leave_the_claim_of_a_daily_run(market_engine: Engine) -> None:
    claim_run(market_engine, run("daily"), active, now=NOW)
    store_unclaimed(market_engine, backtest("backtest"), now=NOW)
    store_unclaimed(market_engine, search("search"), now=NOW)
    with market_engine.connect() as connection:
        claimed = connection.scalars(select(runs.c.run_id).where(runs.c.released_at.is_(None)))
        assert claimed.all() == ["daily"]
    with pytest.raises(RunConflictError, match="'daily'"):
        claim_run(market_engine, run("second"), active, now=NOW)


def test_a_daily_run_does_not_wait_for_a_backtest(market_engine: Engine) -> None:
    store_unclaimed(market_engine, backtest("backtest"), now=NOW)
    claim_run(market_engine, run("daily"), active, now=NOW)
    release_run(market_engine, "daily", now=NOW + timedelta(hours=1))
    assert load_run(market_engine, "backtest") == backtest("backtest")


@pytest.mark.parametrize("model_name", ["reference", "another"])
@pytest.mark.parametrize(
    ("first", "kind"), [(run, "daily run"), (backtest, "backtest"), (search, "search")]
)
@pytest.mark.parametrize("second", [run, backtest, search])
def test_a_run_never_replaces_one_of_another_kind(
    market_engine: Engine, first: Any, kind: str, second: Any, model_name: str
) -> None:
    def store(resolved: ResolvedRun, minutes: int) -> None:
        now = NOW + timedelta(minutes=minutes)
        if resolved.backtest is resolved.tuning is None:
            claim_run(market_engine, resolved, active, now=now)
        else:
            store_unclaimed(market_engine, resolved, now=now)

    store(first("one id"), 0)
    if first is second:
        store(second("one id", model_name), 1)
        assert load_run(market_engine, "one id").model_name == model_name
        return
    with market_engine.connect() as connection:
        before = connection.execute(select(runs)).all()
    with pytest.raises(PreflightError, match=f"'one id', which belongs to a {kind}; start"):
        store(second("one id", model_name), 1)
    with market_engine.connect() as connection:
        assert connection.execute(select(runs)).all() == before
