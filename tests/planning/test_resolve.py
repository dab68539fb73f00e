from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, func, insert, select

from market.yahoo_server import YahooServer
from roi_forecast.database.tables import datasets, model_versions, runs
from roi_forecast.errors import ConfigError, PreflightError, SourceDataError
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.planning.resolve import resolve_backtest, resolve_run, resolve_tuning
from roi_forecast.runs.resolved_run import ResolvedRun, load_run
from roi_forecast.settings import Settings
from roi_forecast.universe import load_universe

# Friday 2025-01-10, 17:15 in New York: every bar of that date is final.
FRIDAY_EVENING = datetime(2025, 1, 10, 22, 15, tzinfo=UTC)


def resolve(
    engine: Engine, settings: Settings, now: datetime = FRIDAY_EVENING, **parameters: Any
) -> ResolvedRun:
    values = {"source": "simulated", "context_symbols": [], **parameters}
    return resolve_run(engine, settings, "run", values, lambda other: True, now=now)


def bars_of(symbol: str) -> pd.DataFrame:
    asset = load_universe().asset(symbol)
    bars = SimulatedSource().fetch(asset, date(2024, 11, 1), date(2024, 12, 31)).bars
    return bars.assign(symbol=symbol)


def plant_champion(engine: Engine, symbols: list[str], context_symbols: list[str]) -> None:
    day = date(2024, 12, 2)
    common = {"dataset_id": "d", "source": "simulated", "symbols": symbols, "path": "p"}
    dates = {"first_date": day, "last_date": day}
    version = {
        "version_id": "v",
        "model_name": "simulated",
        "state": "champion",
        "fingerprint": "f",
        "run_id": "r",
        "hyperparameters": {},
        "seed": 0,
        "code_revision": "c",
        "checksum": "s",
    }
    manifest = {"context_symbols": context_symbols}
    with engine.begin() as connection:
        connection.execute(
            insert(datasets).values(**common, **dates, as_of_date=day, rows=1, manifest=manifest)
        )
        connection.execute(insert(model_versions).values(**common, **dates, **version))


def nothing_is_stored(engine: Engine) -> bool:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(runs)) == 0


@pytest.mark.parametrize(
    ("now", "as_of"),
    [
        (FRIDAY_EVENING, date(2025, 1, 10)),
        (datetime(2025, 1, 10, 22, 14, tzinfo=UTC), date(2025, 1, 9)),
        (datetime(2025, 1, 12, 12, tzinfo=UTC), date(2025, 1, 10)),
        # In summer New York is an hour closer to UTC.
        (datetime(2024, 7, 8, 21, 15, tzinfo=UTC), date(2024, 7, 8)),
        (datetime(2024, 7, 8, 21, 14, tzinfo=UTC), date(2024, 7, 5)),
    ],
)
def test_as_of_date_is_the_last_session_whose_bars_are_all_final(
    market_engine: Engine, settings: Settings, now: datetime, as_of: date
) -> None:
    assert resolve(market_engine, settings, now).as_of_date == as_of


def test_a_given_date_without_a_session_gives_the_session_before(
    market_engine: Engine, settings: Settings
) -> None:
    assert resolve(market_engine, settings, as_of_date="2025-01-05").as_of_date == date(2025, 1, 3)


def test_start_date_is_the_lookback_before_the_as_of_date(
    market_engine: Engine, settings: Settings
) -> None:
    assert resolve(market_engine, settings).start_date == date(2022, 7, 12)
    assert resolve(market_engine, settings, start_date="2023-01-02").start_date == date(2023, 1, 2)


def test_the_run_ends_where_a_shorter_file_ends(
    market_engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    days = pd.bdate_range("2024-01-01", "2024-11-29")
    frame = pd.DataFrame({"symbol": "TCS.NS", "date": days, "volume": 10})
    frame[["open", "high", "low", "close", "adj_close"]] = 100.0
    frame.to_csv(tmp_path / "prices.csv", index=False)
    run = resolve(
        market_engine,
        settings,
        source="csv",
        csv_path=str(tmp_path / "prices.csv"),
        symbols=["TCS.NS"],
    )
    assert run.as_of_date == date(2024, 11, 29)
    assert (run.source_key, run.model_name) == ("csv:prices", "csv_prices")


def test_a_row_ahead_or_of_another_asset_does_not_move_the_end_of_a_file(
    market_engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "prices.csv"
    lines = ["2024-11-28,1", "2024-11-29,1", "2099-01-01,1"]
    rows = [f"TCS.NS,{line},1,1,1,1,1" for line in lines] + ["INFY.NS,2024-12-20,1,1,1,1,1,1"]
    path.write_text("\n".join(["symbol,date,open,high,low,close,adj_close,volume", *rows]))
    run = resolve(market_engine, settings, source="csv", csv_path=str(path), symbols=["TCS.NS"])
    assert run.as_of_date == date(2024, 11, 29)


def test_a_run_without_symbols_takes_and_stores_those_of_the_file_in_its_order(
    market_engine: Engine, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "prices.csv"
    symbols = ("TCS.NS", "AAPL", "INFY.NS")
    old = bars_of("ACC.NS").assign(trading_date=pd.bdate_range("2022-01-03", periods=43)[: len(
        bars_of("ACC.NS"))])  # fmt: skip
    frame = pd.concat([old, *map(bars_of, symbols)])
    frame.rename(columns={"trading_date": "date"}).to_csv(path, index=False)
    run = resolve(market_engine, settings, source="csv", csv_path=str(path))
    assert run.config.symbols == symbols
    assert "ACC.NS (2022-" in caplog.text
    assert load_run(market_engine, "run").config.symbols == symbols


def test_a_file_without_a_usable_symbol_is_refused_with_the_reason(
    market_engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("symbol,date,close\nFOO.XX,2024-12-02,1.5\nFOO.XX,2024-12-03,1.5\n")
    with pytest.raises(
        (PreflightError, SourceDataError), match=r"prices\.csv: no symbol of .*FOO\.XX"
    ):
        resolve(market_engine, settings, source="csv", csv_path=str(path))
    assert nothing_is_stored(market_engine)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"as_of_date": "2025-01-13"}, r"as_of_date: received 2025-01-13.*is 2025-01-10"),
        ({"start_date": "2025-01-11"}, r"start_date: received 2025-01-11.*before the as-of date"),
        ({"epoch": 3}, "unknown parameter"),
    ],
)
def test_a_wrong_parameter_is_refused_and_nothing_is_stored(
    market_engine: Engine, settings: Settings, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(market_engine, settings, **parameters)
    assert nothing_is_stored(market_engine)


def test_everything_that_is_missing_is_named_in_one_line(
    market_engine: Engine,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("roi_forecast.planning.preflight.MIN_FREE_DISK_GIB", 1e9)
    monkeypatch.setattr("roi_forecast.planning.preflight.MIN_FREE_MEMORY_GIB", 1e9)
    missing = tmp_path / "missing.csv"
    with pytest.raises(PreflightError) as refusal:
        resolve(market_engine, settings, source="csv", csv_path=str(missing))
    message = str(refusal.value)
    assert "\n" not in message
    for words in ("GiB free; at least", "GiB of memory are free", "missing.csv"):
        assert words in message
    assert nothing_is_stored(market_engine)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"source": "yahoo"}, "default"),
        ({"source": "simulated"}, "default"),
        ({"source": "csv"}, ()),
        ({"source": "simulated", "context_symbols": []}, ()),
        ({"source": "csv", "context_symbols": ["KO", "GC=F"]}, ("KO", "GC=F")),
    ],
)
def test_context_is_given_or_the_default_of_the_source(
    market_engine: Engine,
    settings: Settings,
    tmp_path: Path,
    parameters: dict[str, Any],
    expected: tuple[str, ...] | str,
) -> None:
    path = tmp_path / "prices.csv"
    bars_of("TCS.NS").rename(columns={"trading_date": "date"}).to_csv(path, index=False)
    values: dict[str, Any] = {"context_symbols": None, "symbols": ["TCS.NS"], **parameters}
    if parameters["source"] == "csv":
        values["csv_path"] = str(path)
    with YahooServer(bars_of("TCS.NS")) as server:
        run = resolve(market_engine, replace(settings, source_urls={"yahoo": server.url}), **values)
    default = tuple(asset.symbol for asset in load_universe().context)
    assert run.context.symbols == (default if expected == "default" else expected)
    # What a later universe file declares changes no stored run.
    assert load_run(market_engine, "run").config.context_symbols == run.context.symbols


def test_what_is_extracted_is_each_asset_and_context_asset_of_run_and_champion_once(
    market_engine: Engine, settings: Settings
) -> None:
    plant_champion(market_engine, ["INFY.NS", "TCS.NS"], ["KO", "JPM", "ABC.XX"])
    run = resolve(
        market_engine,
        settings,
        symbols=["TCS.NS", "GC=F"],
        context_symbols=["GC=F", "AAPL", "INFY.NS", "KO"],
    )
    assert run.asset_symbols == ("TCS.NS", "GC=F", "INFY.NS")
    # The exchange of ABC.XX is not declared any more.
    assert run.all_context_symbols == ("GC=F", "AAPL", "INFY.NS", "KO", "JPM")
    assert run.extraction_symbols == ("TCS.NS", "GC=F", "INFY.NS", "AAPL", "KO", "JPM")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["KO", "KO"], r"context_symbols.*list each symbol once; duplicates: KO"),
        (["ABC.XX"], r"context_symbols.*suffix '\.XX' is not declared"),
        (["non/sense"], r"context_symbols.*symbol 'NON/SENSE' is not a Yahoo symbol"),
    ],
)
def test_a_wrong_context_symbol_is_refused_like_a_wrong_symbol(
    market_engine: Engine, settings: Settings, given: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(market_engine, settings, context_symbols=given)
    assert nothing_is_stored(market_engine)


@pytest.mark.parametrize(
    ("now", "as_of", "not_due"),
    [
        # The NSE opens at 03:45 UTC; forecasts of Friday are due an hour before that of Monday.
        (datetime(2025, 1, 13, 2, 44, 59, tzinfo=UTC), date(2025, 1, 9), "2025-01-10"),
        (datetime(2025, 1, 13, 2, 45, tzinfo=UTC), date(2025, 1, 10), "2025-01-13"),
    ],
)
def test_before_the_opening_a_session_counts_once_its_forecasts_are_due(
    market_engine: Engine, settings: Settings, now: datetime, as_of: date, not_due: str
) -> None:
    parameters: dict[str, Any] = {"symbols": ["TCS.NS", "INFY.NS"], "publish": "before_open"}
    run = resolve(market_engine, settings, now, **parameters)
    assert run.as_of_date == as_of
    assert run.published_at <= now
    message = rf"received {not_due}.*publish: before_open.* is {as_of}"
    with pytest.raises(ConfigError, match=message):
        resolve(market_engine, settings, now, as_of_date=not_due, **parameters)


def test_currencies_of_a_friday_are_waited_for_where_nothing_opens_before_they_are_final(
    market_engine: Engine, settings: Settings
) -> None:
    # 00:14 in London.
    due = datetime(2025, 1, 11, 0, 14, tzinfo=UTC)
    before = resolve(market_engine, settings, due - timedelta(seconds=1), context_symbols=None)
    assert before.as_of_date == date(2025, 1, 9)
    run = resolve(market_engine, settings, due, context_symbols=None)
    assert (run.as_of_date, run.published_at) == (date(2025, 1, 10), due)


def test_a_run_for_a_session_is_about_it_although_its_own_forecasts_are_due_later(
    market_engine: Engine, settings: Settings
) -> None:
    values = {"source": "simulated", "symbols": ["TCS.NS"], "publish": "before_open"}
    session = date(2025, 1, 8)
    # As a backfill with the default schedule, which publishes after the close.
    after_close = datetime(2025, 1, 8, 22, 15, tzinfo=UTC)
    run = resolve_backtest(market_engine, settings, "run", values, now=after_close, session=session)
    assert run.as_of_date == session
    assert run.resolved_at == run.published_at == datetime(2025, 1, 9, 2, 45, tzinfo=UTC)


@pytest.mark.parametrize("resolver", [resolve_backtest, resolve_tuning])
def test_backtests_and_searches_resolve_the_same_context_and_date(
    market_engine: Engine, settings: Settings, resolver: Callable[..., ResolvedRun]
) -> None:
    values = {"source": "simulated", "symbols": ["TCS.NS"], "publish": "before_open"}
    moment = datetime(2025, 1, 13, 2, 45, tzinfo=UTC)
    daily = resolve(market_engine, settings, moment, **values, context_symbols=None)
    other = resolver(market_engine, settings, "other", values, now=moment)
    assert other.extraction_symbols == daily.extraction_symbols
    assert (other.context, other.as_of_date) == (daily.context, daily.as_of_date)
    assert other.published_at == daily.published_at


def test_the_log_names_the_context_assets_that_a_run_comes_to(
    market_engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        resolve(market_engine, settings, context_symbols=None)
    assert "parameter context_symbols = ['^GSPC', '^NDX', 'INR=X'" in caplog.text
