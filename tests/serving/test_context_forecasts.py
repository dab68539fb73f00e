"""Forecasts with context: what is stored of it, and what happens without it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import RowMapping, column, delete, insert, select, table, update

from daily_run import NOW, carry_out, prepare
from roi_forecast.database.tables import daily_prices, model_versions, predictions, price_checks
from roi_forecast.errors import SourceDataError
from roi_forecast.features.build import build_dataset
from roi_forecast.forecaster.forecaster import Forecaster
from roi_forecast.forecaster.through_time import ThroughTime
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.market.sources.source import FetchedBars
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.serving.forecast_store import store_forecasts
from roi_forecast.universe import Asset, load_universe
from serving_version import PARAMETERS, Served

AS_OF = date(2024, 12, 27)
NEXT = np.datetime64("2024-12-30")
ONE = "HDB"
CONTEXT = tuple(asset.symbol for asset in load_universe().context)


def stored(served: Served, **wanted: Any) -> dict[str, RowMapping]:
    """The next-session forecasts by symbol."""
    given = {"horizon": 1, "as_of_date": AS_OF, **wanted}
    statement = select(predictions).filter_by(**given)
    with served.engine.connect() as connection:
        return {row["symbol"]: row for row in connection.execute(statement).mappings()}


def forecast_again(served: Served, run: ResolvedRun | None = None, now: datetime = NOW) -> int:
    """Forget every forecast and make them again."""
    with served.engine.begin() as connection:
        connection.execute(delete(predictions))
    return store_forecasts(
        served.engine,
        run or served.outcome.run,
        served.outcome.dataset.dataset_id,
        served.models,
        candidate_id=None,
        now=now,
    ).added


def log_roi(pct: float) -> float:
    return float(np.log1p(pct / 100))


def test_the_version_says_which_context_it_has_and_when_it_publishes(served: Served) -> None:
    statement = select(model_versions.c.context_symbols, model_versions.c.publish)
    with served.engine.connect() as connection:
        version = connection.execute(statement).one()
    assert tuple(version.context_symbols) == served.outcome.dataset.context_symbols == CONTEXT
    assert version.publish == "after_close"


def test_the_stored_parts_add_up_to_the_next_session_and_lie_nowhere_else(served: Served) -> None:
    for row in stored(served).values():
        parts = log_roi(row["gap_roi_pct"]) + log_roi(row["open_to_close_roi_pct"])
        assert parts == pytest.approx(log_roi(row["predicted_roi_pct"]), abs=1e-12)
        assert row["missing_context"] == []
    for horizon in (5, 20):
        for row in stored(served, horizon=horizon).values():
            assert row["gap_roi_pct"] is row["open_to_close_roi_pct"] is row["context"] is None
            assert row["missing_context"] == []


def test_an_asset_without_opens_has_a_forecast_without_parts(served: Served) -> None:
    forecaster = served.forecaster()
    for fit in forecaster.linear.fits:
        fit.has_opens[served.outcome.dataset.symbols.index("GC=F")] = False
    (served.champion_directory / "linear.npz").write_bytes(forecaster.linear.to_bytes())
    served.calibrate()
    forecast_again(served)
    rows = stored(served)
    assert rows["GC=F"]["gap_roi_pct"] is rows["GC=F"]["open_to_close_roi_pct"] is None
    assert np.isfinite(rows["GC=F"]["predicted_roi_pct"])
    assert rows["TCS.NS"]["gap_roi_pct"] is not None


def test_context_and_own_lags_add_up_to_a_forecast_without_the_network(served: Served) -> None:
    served.calibrate(network=0.0)
    forecast_again(served)
    dataset, linear = served.outcome.dataset, served.forecaster().linear
    place = int(np.searchsorted(linear.dates, NEXT, side="right")) - 1
    fit, factor = linear.fits[place], linear.factors[place]
    rows = stored(served)
    assert set(rows) == set(dataset.symbols)
    for number, symbol in enumerate(dataset.symbols):
        context = rows[symbol]["context"]
        assert tuple(sorted(context)) == tuple(sorted(CONTEXT))
        own = factor * sum(
            dataset.log_roi[-1 - lag, number] * fit.lags[lag, number] for lag in range(5)
        )
        added = {name: log_roi(figures["added_pct"]) for name, figures in context.items()}
        forecast = log_roi(rows[symbol]["predicted_roi_pct"])
        assert own + sum(added.values()) == pytest.approx(forecast, abs=1e-12)
        for column_, name in enumerate(CONTEXT):
            move = dataset.context[-1, column_]
            weight = fit.gap[column_, number] + fit.rest[column_, number]
            assert log_roi(context[name]["move_pct"]) == pytest.approx(move, abs=1e-12)
            assert added[name] == pytest.approx(factor * move * weight, abs=1e-15)
    # The simulated New York leads the NSE, so there is something to add up.
    assert any(figures["added_pct"] != 0 for figures in rows["TCS.NS"]["context"].values())


def lose_newest_bar(served: Served) -> None:
    with served.engine.begin() as connection:
        newest = daily_prices.c.trading_date == AS_OF
        connection.execute(delete(daily_prices).where(daily_prices.c.symbol == ONE, newest))


def lose_all_bars(served: Served) -> None:
    with served.engine.begin() as connection:
        connection.execute(delete(daily_prices).where(daily_prices.c.symbol == ONE))


def refuse(served: Served) -> None:
    with served.engine.begin() as connection:
        refused = connection.execute(
            update(price_checks)
            .where(price_checks.c.check_name == "usable_context", price_checks.c.symbol == ONE)
            .values(passed=False)
        )
    assert refused.rowcount == 1


LOST = {"stale": lose_newest_bar, "absent": lose_all_bars, "refused": refuse}


@pytest.mark.parametrize("how", LOST)
def test_forecasts_without_a_context_asset_are_stored_marked_and_warned_of(
    served: Served, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    served.calibrate(network=0.0)
    forecast_again(served)
    before = stored(served)
    LOST[how](served)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert forecast_again(served) == 2 * len(served.outcome.run.config.horizons)
    assert f"due of {ONE}: the forecasts are made without it and marked" in caplog.text
    for horizon in served.outcome.run.config.horizons:
        for row in stored(served, horizon=horizon).values():
            assert row["missing_context"] == [ONE]
    for symbol, row in stored(served).items():
        assert row["context"][ONE] == {"move_pct": 0.0, "added_pct": 0.0}
        others = {name: row["context"][name] for name in CONTEXT if name != ONE}
        assert others == {name: before[symbol]["context"][name] for name in others}
        # All that changes is what the missing asset added.
        lost = log_roi(before[symbol]["context"][ONE]["added_pct"])
        assert log_roi(row["predicted_roi_pct"]) == pytest.approx(
            log_roi(before[symbol]["predicted_roi_pct"]) - lost, abs=1e-12
        )
    view = table(
        "latest_context", *map(column, ("symbol", "context_symbol", "missing")), schema="roi"
    )
    with served.engine.connect() as connection:
        marked = connection.execute(select(view)).all()
    assert len(marked) == 2 * len(CONTEXT)
    assert {row.context_symbol for row in marked if row.missing} == {ONE}


def test_context_of_an_exchange_that_is_no_longer_declared_is_missing(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    path = served.champion_directory / "scaler.json"
    path.write_text(path.read_text().replace(f'"{ONE}"', f'"{ONE}.ZZ"'))
    served.calibrate()
    with caplog.at_level(logging.WARNING):
        assert forecast_again(served) > 0
    assert "suffix '.ZZ' is not declared" in caplog.text
    assert {tuple(row["missing_context"]) for row in stored(served).values()} == {(f"{ONE}.ZZ",)}


def test_without_any_context_every_forecast_is_stored_and_names_all_of_it(served: Served) -> None:
    with served.engine.begin() as connection:
        connection.execute(delete(daily_prices).where(daily_prices.c.symbol.in_(CONTEXT)))
    assert forecast_again(served) > 0
    for row in stored(served).values():
        assert tuple(row["missing_context"]) == CONTEXT
        assert np.isfinite(row["predicted_roi_pct"])
        assert row["lower_95_pct"] < row["lower_80_pct"] < row["upper_80_pct"]


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, *symbols: str) -> Iterator[None]:
    """Let the simulated source refuse some symbols."""
    fetch = SimulatedSource.fetch

    def fetch_some(self: SimulatedSource, asset: Asset, start: date, end: date) -> FetchedBars:
        if asset.symbol in symbols:
            raise SourceDataError(f"{asset.symbol}: the source is out of order")
        return fetch(self, asset, start, end)

    with monkeypatch.context() as patched:
        patched.setattr(SimulatedSource, "fetch", fetch_some)
        yield


def test_a_whole_run_goes_on_without_context_that_cannot_be_fetched(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monday = {**PARAMETERS, "as_of_date": "2024-12-30"}
    with failing(monkeypatch, ONE, "^GSPC"):
        outcome = carry_out(served.engine, served.settings, "monday", monday)
    assert outcome.forecasts.added == 2 * len(outcome.run.config.horizons)
    assert outcome.forecasts.version_id == served.champion.version_id
    rows = stored(served, as_of_date=date(2024, 12, 30))
    assert {tuple(row["missing_context"]) for row in rows.values()} == {("^GSPC", ONE)}


def test_a_forecast_made_months_later_is_that_from_all_rows(served: Served) -> None:
    """The version stores its fits up to its own last date; those since are made to forecast."""
    now = datetime(2025, 4, 1, tzinfo=UTC)
    parameters = {**PARAMETERS, "as_of_date": "2025-03-14"}
    run, dataset = prepare(served.engine, served.settings, "later", parameters, now)
    forecast_again(served, run, now)
    found = {
        horizon: stored(served, horizon=horizon, as_of_date=run.as_of_date)
        for horizon in run.config.horizons
    }
    forecaster = served.forecaster()
    assert forecaster.linear.dates[-1] < np.datetime64("2025-01-01")
    assert dataset.dates[0] == served.outcome.dataset.dates[0]
    rows = forecaster.preprocessing.read(dataset)
    monday, next_row = np.datetime64("2025-03-17"), len(dataset.dates)
    # Fitted at once on all rows, and not as the months passed.
    fresh = ThroughTime.fit(rows, forecaster.linear.half_life)
    assert fresh.linear.dates[-1] == np.datetime64("2025-03-03")
    assert (np.diff(fresh.linear.dates.astype("datetime64[M]")).astype(int) == 1).all()
    calibration = forecaster.calibration
    whole = Forecaster(
        forecaster.preprocessing,
        fresh.linear,
        forecaster.predictor,
        type(calibration)(**{**vars(calibration), "scale": fresh.scale}),
    )
    expected = whole.forecast(
        rows,
        range(next_row, next_row + 1),
        run.config.horizons,
        run.config.multi_step,
        next_date=monday,
    )
    for number, horizon in enumerate(run.config.horizons):
        at_80, at_95 = expected.intervals[number]
        for column_, symbol in enumerate(rows.symbols):
            row = found[horizon][symbol]
            assert row["target_date"] > run.as_of_date
            for name, values in {
                "predicted_roi_pct": expected.roi_pct[number],
                "lower_80_pct": at_80.lower,
                "upper_80_pct": at_80.upper,
                "lower_95_pct": at_95.lower,
                "upper_95_pct": at_95.upper,
            }.items():
                assert row[name] == pytest.approx(values[0, column_], rel=1e-6, abs=1e-9), name


def plant(served: Served, symbol: str, day: date) -> None:
    """Store a huge bar of a day."""
    huge = dict.fromkeys(("open", "high", "low", "close", "adj_close"), 1e6)
    at = (daily_prices.c.symbol == symbol) & (daily_prices.c.trading_date == day)
    bar = {"source": "simulated", "symbol": symbol, "trading_date": day, "volume": 1}
    with served.engine.begin() as connection:
        connection.execute(delete(daily_prices).where(at))
        connection.execute(insert(daily_prices), {**bar, **huge, "fetched_at": NOW})


def test_only_context_that_was_final_at_publication_changes_data_and_forecasts(
    served: Served,
) -> None:
    monday = date(2024, 12, 30)
    parameters = {**PARAMETERS, "as_of_date": str(monday)}
    run, dataset = prepare(served.engine, served.settings, "monday", parameters)
    # Gold opens again at 18:00 in New York, when London's day is not over.
    assert run.published_at == datetime(2024, 12, 30, 22, 15, tzinfo=UTC)

    def outcome() -> tuple[str, list[tuple[Any, ...]]]:
        built = build_dataset(served.engine, run, served.settings.datasets_directory)
        forecast_again(served, run)
        statement = select(predictions).order_by(predictions.c.symbol, predictions.c.horizon)
        with served.engine.connect() as connection:
            return built.dataset_id, [tuple(row) for row in connection.execute(statement)]

    before = outcome()
    assert before[0] == dataset.dataset_id
    assert len(before[1]) == 2 * len(run.config.horizons)
    for symbol in CONTEXT:
        plant(served, symbol, date(2024, 12, 31))
    # A currency's bar of the as-of date is final two hours too late.
    plant(served, "INR=X", monday)
    assert outcome() == before

    for symbol, day in (("INR=X", AS_OF), ("^GSPC", monday)):
        plant(served, symbol, day)
        after = outcome()
        assert after[0] != before[0], symbol
        assert after[1] != before[1], symbol
        before = after
