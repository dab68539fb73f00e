"""Nights on which the vendor of prices does not answer, and another one stands in for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, get_args

import pandas as pd
import pytest
from sqlalchemy import Engine, column, func, select, table

from daily_run import NOW, SMALL_RUN, Outcome, carry_out
from databases import fresh_market
from market.twelve_data_server import KEY, TwelveDataServer
from market.yahoo_server import AnswerFault, YahooServer
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.tables import daily_prices, model_versions, predictions, runs
from roi_forecast.errors import PreflightError, SourceUnavailableError
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.planning.resolve import resolve_backtest, resolve_run
from roi_forecast.registry.versions import find_champion
from roi_forecast.runs.resolved_run import ResolvedRun, load_run
from roi_forecast.settings import Settings
from roi_forecast.universe import load_universe
from roi_local.postgres.server import EmbeddedPostgres

SYMBOLS = ("RELIANCE.NS", "TCS.NS", "INFY.NS", "HDFCBANK.NS")
CONTEXT = ("AAPL", "INR=X")
FALLBACK = "reference_twelve_data"
RUN: dict[str, Any] = {
    **SMALL_RUN,
    "source": "yahoo",
    "fallback_source": "twelve_data",
    "symbols": SYMBOLS,
    "context_symbols": CONTEXT,
}


@dataclass(frozen=True)
class Vendors:
    """Two servers with the same market, whose prices differ a little, as those of vendors do."""

    yahoo: YahooServer
    twelve_data: TwelveDataServer

    def of(self, settings: Settings) -> Settings:
        """Return the settings of an installation that asks them."""
        urls = {"yahoo": self.yahoo.url, "twelve_data": self.twelve_data.url}
        return replace(settings, source_urls=urls, source_keys={"twelve_data": KEY})

    def yahoo_limits_everything(self) -> None:
        for symbol in (*SYMBOLS, *CONTEXT):
            self.yahoo.break_symbol(symbol, "rate_limit")

    def yahoo_recovers(self) -> None:
        for symbol in (*SYMBOLS, *CONTEXT):
            self.yahoo.heal_symbol(symbol)


def open_vendors(stack: ExitStack) -> Vendors:
    market = SimulatedSource()
    assets = load_universe().select((*SYMBOLS, *CONTEXT))
    prices = pd.concat(
        market.fetch(asset, date(2023, 6, 1), date(2024, 12, 31)).bars.assign(symbol=asset.symbol)
        for asset in assets
    )
    columns = ["open", "high", "low", "close"]
    adjusted = prices.assign(**{name: 1.001 * prices[name] for name in columns})
    return Vendors(
        stack.enter_context(YahooServer(prices)),
        stack.enter_context(TwelveDataServer(adjusted)),
    )


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with ExitStack() as stack:
        yield open_vendors(stack)


@dataclass(frozen=True)
class Nights:
    """What the runs of some nights gave and left."""

    engine: Engine
    outcomes: dict[str, Outcome]
    warnings: dict[str, list[str]]
    prices: dict[str, dict[str, tuple[int, date]]]
    histories: dict[str, list[tuple[Any, ...]]]
    asked: int

    def forecasts(self, model_name: str, as_of_date: date) -> list[tuple[str, int]]:
        """Return symbol and horizon of every forecast of a name for an as-of date."""
        statement = (
            select(predictions.c.symbol, predictions.c.horizon)
            .join(model_versions, model_versions.c.version_id == predictions.c.version_id)
            .where(
                model_versions.c.model_name == model_name,
                predictions.c.as_of_date == as_of_date,
            )
        )
        with self.engine.connect() as connection:
            return sorted(map(tuple, connection.execute(statement)))


class Warnings(logging.Handler):
    """Collects the messages of warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def stored_prices(engine: Engine) -> dict[str, tuple[int, date]]:
    statement = select(
        daily_prices.c.source, func.count(), func.max(daily_prices.c.trading_date)
    ).group_by(daily_prices.c.source)
    with engine.connect() as connection:
        return {source: (count, last) for source, count, last in connection.execute(statement)}


def run_history(engine: Engine) -> list[tuple[Any, ...]]:
    names = ("run_id", "model_name", "source", "state")
    history = table("run_history", *map(column, names), schema="roi")
    with engine.connect() as connection:
        return list(map(tuple, connection.execute(select(history).order_by(history.c.run_id))))


@pytest.fixture(scope="module")
def nights(
    postgres: EmbeddedPostgres, market_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nights]:
    """Thursday is sound, on Friday Yahoo limits everything, then Friday is repaired; Monday."""
    outcomes: dict[str, Outcome] = {}
    warnings: dict[str, list[str]] = {}
    prices: dict[str, dict[str, tuple[int, date]]] = {}
    histories: dict[str, list[tuple[Any, ...]]] = {}
    with ExitStack() as stack:
        url = stack.enter_context(fresh_market(postgres, market_template))
        vendors = open_vendors(stack)
        settings = vendors.of(Settings(url, tmp_path_factory.mktemp("nights")))
        engine = create_database_engine(url)
        stack.callback(engine.dispose)

        def carry_out_night(night: str, run_id: str, day: str) -> None:
            handler = Warnings()
            logging.getLogger().addHandler(handler)
            try:
                parameters = {**RUN, "as_of_date": day}
                outcomes[night] = carry_out(engine, settings, run_id, parameters)
            finally:
                logging.getLogger().removeHandler(handler)
            warnings[night] = handler.messages
            prices[night] = stored_prices(engine)
            histories[night] = run_history(engine)

        carry_out_night("thursday", "thursday", "2024-12-26")
        asked = len(vendors.twelve_data.paths)
        vendors.yahoo_limits_everything()
        carry_out_night("friday", "friday", "2024-12-27")
        vendors.yahoo_recovers()
        carry_out_night("repair", "friday", "2024-12-27")
        carry_out_night("monday", "monday", "2024-12-30")
        yield Nights(engine, outcomes, warnings, prices, histories, asked)


EVERY_FORECAST = sorted((symbol, horizon) for symbol in SYMBOLS for horizon in (1, 5, 20))


def test_nobody_asks_the_fallback_source_while_the_source_answers(nights: Nights) -> None:
    assert nights.asked == 0
    assert nights.outcomes["thursday"].run.model_name == "reference"
    assert set(nights.prices["thursday"]) == {"yahoo"}


def test_the_night_without_yahoo_has_forecasts_of_a_model_of_its_own(nights: Nights) -> None:
    friday = nights.outcomes["friday"]
    assert (friday.run.model_name, friday.run.source_key) == (FALLBACK, "twelve_data")
    assert (friday.dataset.source, friday.verdict.promoted) == ("twelve_data", True)
    assert friday.run.as_of_date == date(2024, 12, 27)
    assert nights.forecasts(FALLBACK, date(2024, 12, 27)) == EVERY_FORECAST
    with nights.engine.connect() as connection:
        champion = find_champion(connection, FALLBACK)
        assert champion is not None
        assert champion.run_id == "friday"


def test_prices_of_the_two_sources_do_not_mix(nights: Nights) -> None:
    before, after = nights.prices["thursday"], nights.prices["friday"]
    assert after["yahoo"] == before["yahoo"]
    assert after["twelve_data"][1] == date(2024, 12, 27)
    bars = daily_prices.c
    closes = select(bars.source, bars.close, bars.adj_close).where(
        bars.symbol == "TCS.NS", bars.trading_date == date(2024, 12, 24)
    )
    with nights.engine.connect() as connection:
        found = {row.source: row for row in connection.execute(closes)}
    assert found["twelve_data"].close == pytest.approx(1.001 * found["yahoo"].close)
    assert found["twelve_data"].adj_close == found["twelve_data"].close


def test_one_warning_names_what_failed_and_what_the_run_uses_instead(nights: Nights) -> None:
    (warning,) = [message for message in nights.warnings["friday"] if "answer" in message]
    for words in ("no answer from source yahoo", "429", "source twelve_data", FALLBACK):
        assert words in warning
    for night in ("thursday", "repair", "monday"):
        assert not any("twelve_data" in message for message in nights.warnings[night])


def test_a_repair_once_yahoo_is_back_forecasts_the_session_under_the_usual_name(
    nights: Nights,
) -> None:
    repaired = nights.outcomes["repair"].run
    assert (repaired.model_name, repaired.source_key) == ("reference", "yahoo")
    assert repaired.as_of_date == nights.outcomes["friday"].run.as_of_date
    for name in ("reference", FALLBACK):
        assert nights.forecasts(name, date(2024, 12, 27)) == EVERY_FORECAST
    with nights.engine.connect() as connection:
        kept = connection.execute(select(runs.c.run_id, runs.c.model_name).order_by(runs.c.run_id))
        assert list(map(tuple, kept)) == [
            (run_id, "reference") for run_id in ("friday", "monday", "thursday")
        ]


def test_the_next_night_continues_as_if_nothing_had_happened(nights: Nights) -> None:
    monday = nights.outcomes["monday"]
    assert monday.run.model_name == "reference"
    assert nights.forecasts("reference", date(2024, 12, 30)) == EVERY_FORECAST
    assert nights.forecasts(FALLBACK, date(2024, 12, 30)) == []
    assert nights.prices["monday"]["twelve_data"] == nights.prices["friday"]["twelve_data"]


def test_the_history_of_runs_shows_the_name_and_the_source_that_a_run_took(nights: Nights) -> None:
    assert nights.histories["friday"] == [
        ("friday", FALLBACK, "twelve_data", "done"),
        ("thursday", "reference", "yahoo", "done"),
    ]
    assert nights.histories["repair"][0] == ("friday", "reference", "yahoo", "done")


def resolve(
    engine: Engine, vendors: Vendors, settings: Settings, *, will_retry: bool = False, **values: Any
) -> ResolvedRun:
    return resolve_run(
        engine,
        vendors.of(settings),
        "run",
        {**RUN, **values},
        lambda other: True,
        now=NOW,
        will_retry=will_retry,
    )


@pytest.mark.parametrize(
    "fault", sorted(set(get_args(AnswerFault)) - {"rate_limit_once", "unknown", "empty", "hang"})
)
def test_any_way_of_not_answering_leads_to_the_fallback_source(
    fault: AnswerFault, market_engine: Engine, settings: Settings, vendors: Vendors
) -> None:
    vendors.yahoo.break_symbol(SYMBOLS[0], fault)
    run = resolve(market_engine, vendors, settings)
    assert (run.model_name, run.source_key) == (FALLBACK, "twelve_data")
    # The stages of the run open the source from what is stored.
    assert load_run(market_engine, "run").config.source == "twelve_data"


def test_an_asset_that_yahoo_does_not_know_is_no_reason_to_fall_back(
    market_engine: Engine, settings: Settings, vendors: Vendors
) -> None:
    vendors.yahoo.break_symbol(SYMBOLS[0], "unknown")
    assert resolve(market_engine, vendors, settings).source_key == "yahoo"


def nothing_is_stored(engine: Engine) -> bool:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(runs)) == 0


def test_the_source_is_tried_again_first(
    market_engine: Engine, settings: Settings, vendors: Vendors
) -> None:
    vendors.yahoo_limits_everything()
    with pytest.raises(SourceUnavailableError, match="429"):
        resolve(market_engine, vendors, settings, will_retry=True)
    assert nothing_is_stored(market_engine)
    assert vendors.twelve_data.paths == []


def test_a_name_of_ones_own_keeps_to_itself_too(
    market_engine: Engine, settings: Settings, vendors: Vendors
) -> None:
    vendors.yahoo_limits_everything()
    run = resolve(market_engine, vendors, settings, model_name="india")
    assert run.model_name == "india_twelve_data"


@pytest.mark.parametrize("given", [{}, {"fallback_source": None}])
def test_without_a_fallback_source_the_run_fails(
    given: dict[str, Any], market_engine: Engine, settings: Settings, vendors: Vendors
) -> None:
    vendors.yahoo_limits_everything()
    values = {name: value for name, value in RUN.items() if name != "fallback_source"} | given
    with pytest.raises(PreflightError, match=r"the run cannot start: .*429"):
        resolve_run(market_engine, vendors.of(settings), "run", values, lambda other: True, now=NOW)
    assert nothing_is_stored(market_engine)


def test_the_error_names_both_sources_if_neither_answers(
    market_engine: Engine, settings: Settings, vendors: Vendors
) -> None:
    vendors.yahoo_limits_everything()
    vendors.twelve_data.break_all("server_error")
    with pytest.raises(PreflightError) as failure:
        resolve(market_engine, vendors, settings)
    message = str(failure.value)
    for words in ("source yahoo: ", "429", "fallback_source twelve_data: ", "HTTP status 502"):
        assert words in message
    assert "\n" not in message
    assert nothing_is_stored(market_engine)


def test_the_error_names_the_key_that_the_fallback_source_lacks(
    market_engine: Engine, settings: Settings, vendors: Vendors
) -> None:
    vendors.yahoo_limits_everything()
    without_key = replace(vendors.of(settings), source_keys={})
    with pytest.raises(PreflightError, match=r"yahoo: .*429.*twelve_data: .*ROI_TWELVE_DATA_KEY"):
        resolve_run(market_engine, without_key, "run", RUN, lambda other: True, now=NOW)


def test_other_things_that_are_missing_are_not_the_sources_fault(
    market_engine: Engine, settings: Settings, vendors: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roi_forecast.planning.preflight.MIN_FREE_DISK_GIB", 1e9)
    vendors.yahoo_limits_everything()
    with pytest.raises(PreflightError, match=r"GiB free.*429"):
        resolve(market_engine, vendors, settings)
    assert vendors.twelve_data.paths == []


def test_a_backtest_fails_without_its_source(
    market_engine: Engine, settings: Settings, vendors: Vendors
) -> None:
    vendors.yahoo_limits_everything()
    values = {"source": "yahoo", "symbols": SYMBOLS, "as_of_date": "2024-12-27"}
    with pytest.raises(PreflightError, match=r"the run cannot start: .*429"):
        resolve_backtest(market_engine, vendors.of(settings), "run", values, now=NOW)
