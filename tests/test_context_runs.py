"""Runs with and without context, one after the other and on either side of the gate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, RowMapping, delete, insert, select

from daily_run import NOW, SYMBOLS, Outcome, carry_out, prepare
from databases import fresh_market
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.tables import daily_prices, evaluations, model_versions, predictions
from roi_forecast.features.build import build_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.linear.through_time import Linear
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.market.sources.simulated_markets import implied_by
from roi_forecast.registry.versions import find_champion
from roi_forecast.runs.claims import release_run
from roi_forecast.serving.forecast_store import store_forecasts
from roi_forecast.serving.rollback import roll_back_champion
from roi_forecast.settings import Settings
from roi_forecast.universe import load_universe
from roi_local.postgres.server import EmbeddedPostgres

CONTEXT = tuple(asset.symbol for asset in load_universe().context)
OVERRIDE = {"gate_override_reason": "the test wants it to serve"}
NONE: dict[str, Any] = {"context_symbols": []}

US_SYMBOLS = ("AAPL", "JPM", "KO", "MSFT", "NVDA", "XOM")
NSE_SYMBOLS = ("^NSEI.NS", "RELIANCE.NS", "TCS.NS")
BEFORE_OPEN: dict[str, Any] = {
    "symbols": US_SYMBOLS,
    "context_symbols": NSE_SYMBOLS,
    "publish": "before_open",
    "start_date": "2015-01-01",
    "half_life": 1000,
    "model_name": "before_open",
    **OVERRIDE,
}
FRIDAY, MONDAY, TUESDAY = date(2024, 12, 27), date(2024, 12, 30), date(2024, 12, 31)


@dataclass(frozen=True)
class Life:
    """The outcomes of the runs, in order, and where to look."""

    engine: Engine
    settings: Settings
    outcomes: dict[str, Outcome]

    def forecasts(self, run_id: str) -> list[RowMapping]:
        """Read the next-session forecasts of a run."""
        statement = select(predictions).filter_by(run_id=run_id, horizon=1)
        with self.engine.connect() as connection:
            return list(connection.execute(statement).mappings())

    def figure(self, run_id: str, target: str, metric: str, predictor: str = "model") -> float:
        """Read a figure of a run's test rows, over all assets."""
        score = evaluations.c
        with self.engine.connect() as connection:
            return connection.execute(
                select(score.value).where(
                    score.run_id == run_id,
                    score.target == target,
                    score.metric == metric,
                    score.predictor == predictor,
                    score.split == "test",
                    score.horizon == 1,
                    score.symbol.is_(None),
                )
            ).scalar_one()


@pytest.fixture(scope="module")
def life(
    postgres: EmbeddedPostgres, market_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Life]:
    runs: dict[str, dict[str, Any]] = {
        "with": {"as_of_date": "2024-12-26", "model_name": "loses_it", **OVERRIDE},
        "rejected_without": {"as_of_date": "2024-12-27", "model_name": "loses_it", **NONE},
        "without": {"as_of_date": "2025-01-06", "model_name": "loses_it", **NONE, **OVERRIDE},
        "first_without": {"as_of_date": "2024-12-26", "model_name": "gains", **NONE, **OVERRIDE},
        "then_with": {"as_of_date": "2025-01-06", "model_name": "gains", **OVERRIDE},
        "before_open": {"as_of_date": str(FRIDAY), **BEFORE_OPEN},
    }
    with fresh_market(postgres, market_template) as url:
        settings = Settings(url, tmp_path_factory.mktemp("data"))
        engine = create_database_engine(url)
        outcomes = {
            run_id: carry_out(engine, settings, run_id, parameters)
            for run_id, parameters in runs.items()
        }
        yield Life(engine, settings, outcomes)
        engine.dispose()


def test_a_run_without_context_forecasts_without_it_and_lacks_none(life: Life) -> None:
    outcome = life.outcomes["first_without"]
    assert outcome.dataset.context_symbols == ()
    assert outcome.dataset.context.shape == (len(outcome.dataset.dates), 0)
    rows = life.forecasts("first_without")
    assert len(rows) == len(SYMBOLS)
    assert all(row["context"] == {} and row["missing_context"] == [] for row in rows)
    assert not set(CONTEXT) & set(outcome.run.extraction_symbols)


def test_a_champion_with_context_forecasts_with_it_after_a_run_without(life: Life) -> None:
    run = life.outcomes["rejected_without"].run
    assert not life.outcomes["rejected_without"].verdict.promoted
    assert run.context.symbols == ()
    assert set(run.extraction_symbols) == {*SYMBOLS, *CONTEXT}
    rows = life.forecasts("rejected_without")
    assert {row["version_id"] for row in rows} == {life.outcomes["with"].version_id}
    for row in rows:
        assert set(row["context"]) == set(CONTEXT)
        # On a Friday the champion's run waits for London's day to end, which this run does not.
        assert row["missing_context"] == ["INR=X"]


@pytest.mark.parametrize(("first", "later"), [("with", "without"), ("first_without", "then_with")])
def test_versions_with_and_without_context_are_compared_on_common_rows(
    life: Life, first: str, later: str
) -> None:
    outcome, before = life.outcomes[later], life.outcomes[first]
    rulings = {ruling.rule: ruling for ruling in outcome.verdict.rulings}
    dates, test = outcome.dataset.dates, outcome.dataset.split.test
    fitted = before.dataset.dates[before.dataset.split.validation.stop - 1]
    common = dates[test.start : test.stop] > fitted
    assert rulings["compared_sessions"].observed == common.sum() >= 60
    for predictor in ("model", "champion"):
        assert np.isfinite(life.figure(later, "next_day_common", "r2_against_zero", predictor))
    assert rulings["champion"].observed is not None
    assert rulings["champion_intervals"].observed is not None


@pytest.mark.parametrize(
    ("run_id", "context"), [("without", ()), ("then_with", CONTEXT), ("with", CONTEXT)]
)
def test_a_promoted_version_forecasts_with_its_own_context(
    life: Life, run_id: str, context: tuple[str, ...]
) -> None:
    outcome = life.outcomes[run_id]
    assert outcome.verdict.promoted
    rows = life.forecasts(run_id)
    assert len(rows) == len(SYMBOLS)
    for row in rows:
        assert row["version_id"] == outcome.version_id
        assert set(row["context"]) == set(context)
        assert row["missing_context"] == []


def test_after_a_rollback_within_a_run_its_context_is_missing_and_in_the_next_it_is_there(
    life: Life,
) -> None:
    models = life.settings.models_directory
    without: dict[str, Any] = {"model_name": "loses_it", **NONE}
    tuesday = {"as_of_date": "2025-01-07", **without}
    # The champion that serves when this run is resolved has no context, so none is extracted.
    run, dataset = prepare(life.engine, life.settings, "meanwhile", tuesday)
    back = roll_back_champion(
        life.engine, models, "loses_it", None, rolled_back_by="test", reason="context again"
    )
    assert back.version_id == life.outcomes["with"].version_id
    store_forecasts(life.engine, run, dataset.dataset_id, models, candidate_id=None, now=NOW)
    release_run(life.engine, run.run_id, now=NOW)
    rows = life.forecasts(run.run_id)
    assert len(rows) == len(SYMBOLS)
    assert {tuple(row["missing_context"]) for row in rows} == {CONTEXT}

    next_week = {"as_of_date": "2025-01-14", "min_sessions_between_promotions": 50, **without}
    outcome = carry_out(life.engine, life.settings, "after_rollback", next_week)
    assert outcome.forecasts.version_id == back.version_id
    rows = life.forecasts("after_rollback")
    assert len(rows) == len(SYMBOLS)
    for row in rows:
        assert set(row["context"]) == set(CONTEXT)
        assert row["missing_context"] == []


def prices_of(symbol: str) -> pd.Series[float]:
    asset = load_universe().asset(symbol)
    bars = SimulatedSource(MONDAY).fetch(asset, date(2014, 11, 1), MONDAY).bars
    return bars.set_index("trading_date")["adj_close"]


def test_before_the_opening_the_context_of_the_same_date_is_known(life: Life) -> None:
    outcome = life.outcomes["before_open"]
    run, dataset = outcome.run, outcome.dataset
    # An hour before New York opens on Monday, when Mumbai is closed.
    assert run.published_at == datetime(2024, 12, 30, 13, 30, tzinfo=UTC)
    assert dataset.published_at[-1] == np.datetime64("2024-12-30T13:30:00")
    assert dataset.publish == "before_open"
    known_up_to = pd.DatetimeIndex([*dataset.dates[1:], np.datetime64(MONDAY)])
    for column, symbol in enumerate(dataset.context_symbols):
        levels = np.log(prices_of(symbol).reindex(known_up_to, method="ffill"))
        expected = levels.diff().to_numpy()[1:]
        assert dataset.context[1:, column] == pytest.approx(expected, abs=1e-5)
    assert not dataset.context_missing.any()
    for row in life.forecasts("before_open"):
        assert set(row["context"]) == set(NSE_SYMBOLS)
        assert row["target_date"] == MONDAY
        assert row["as_of_date"] == FRIDAY


def test_what_is_known_before_the_opening_tells_of_the_gap(life: Life) -> None:
    dataset = life.outcomes["before_open"].dataset
    universe = load_universe()
    context = universe.select(dataset.context_symbols)
    implied = np.mean(
        [implied_by(context, asset).gap_r2 for asset in universe.select(dataset.symbols)]
    )
    gap = life.figure("before_open", "gap_pct", "r2_against_zero")
    assert life.figure("before_open", "gap_pct", "r2_against_zero_lower_95") > 0
    assert 0.4 * implied < gap < 1.6 * implied
    # Nothing is planted in what follows the opening.
    assert abs(life.figure("before_open", "open_to_close_pct", "r2_against_zero")) < 0.01
    # After the close before, the session that leads has not begun.
    _, control = prepare(
        life.engine,
        life.settings,
        "after_close",
        {**BEFORE_OPEN, "as_of_date": str(FRIDAY), "publish": "after_close", "model_name": "x"},
    )
    assert gap_r2(control) < 0.2 * implied < gap_r2(dataset)


def gap_r2(dataset: Dataset) -> float:
    """R2 against zero of the unshrunk gap forecasts of the linear part on test rows."""
    test = dataset.split.test
    forecast = Linear.fit(dataset, 1000).predict(dataset, test).gap
    actual = dataset.gap[test.start : test.stop]
    known = np.isfinite(actual)
    errors = (actual - forecast)[known]
    return float(1 - (errors**2).sum() / (actual[known] ** 2).sum())


def test_no_bar_that_was_not_final_before_the_opening_counts(life: Life) -> None:
    run, models = life.outcomes["before_open"].run, life.settings.models_directory

    def outcome() -> tuple[str, list[tuple[Any, ...]]]:
        built = build_dataset(life.engine, run, life.settings.datasets_directory)
        ours = predictions.c.run_id == run.run_id
        with life.engine.begin() as connection:
            connection.execute(delete(predictions).where(ours))
        store_forecasts(life.engine, run, built.dataset_id, models, candidate_id=None, now=NOW)
        statement = (
            select(*(each for each in predictions.c if each.name != "dataset_id"))
            .where(ours)
            .order_by(predictions.c.symbol, predictions.c.horizon)
        )
        with life.engine.connect() as connection:
            return built.dataset_id, [tuple(row) for row in connection.execute(statement)]

    def plant(symbol: str, day: date) -> None:
        huge = dict.fromkeys(("open", "high", "low", "close", "adj_close"), 1e6)
        at = (daily_prices.c.symbol == symbol) & (daily_prices.c.trading_date == day)
        bar = {"source": "simulated", "symbol": symbol, "trading_date": day, "volume": 1}
        with life.engine.begin() as connection:
            connection.execute(delete(daily_prices).where(at))
            connection.execute(insert(daily_prices), {**bar, **huge, "fetched_at": NOW})

    before = outcome()
    assert before[0] == life.outcomes["before_open"].dataset.dataset_id
    for symbol in NSE_SYMBOLS:
        plant(symbol, TUESDAY)
    for symbol in US_SYMBOLS:
        plant(symbol, MONDAY)
    assert outcome() == before
    plant("TCS.NS", MONDAY)
    after = outcome()
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_each_version_says_when_it_publishes(life: Life) -> None:
    with life.engine.connect() as connection:
        version = find_champion(connection, "before_open")
        assert version is not None
        publish = connection.scalar(
            select(model_versions.c.publish).filter_by(version_id=version.version_id)
        )
    assert version.version_id == life.outcomes["before_open"].version_id
    assert publish == "before_open"
