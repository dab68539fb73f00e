"""A whole daily run on a day on which Yahoo lies in every known way, once for each asset."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
from sqlalchemy import select

from daily_run import SMALL_RUN
from installation import run_command
from roi_forecast.database.tables import extractions, predictions, price_checks
from roi_forecast.errors import SourceError
from roi_forecast.evaluation.evaluate import evaluate_model
from roi_forecast.features.build import build_dataset
from roi_forecast.gate.decide import decide_promotion
from roi_forecast.market.checks.price_checks import check_prices
from roi_forecast.market.extraction import extract_prices
from roi_forecast.market.sources.yahoo import YahooSource
from roi_forecast.planning.resolve import resolve_run
from roi_forecast.registry.candidates import train_candidate
from roi_forecast.serving.forecast_store import store_forecasts
from roi_forecast.serving.promotion import promote_model
from roi_forecast.settings import Settings, url_variable
from roi_local.commands.sql import QUERY_VARIABLE
from roi_local.environment import REPOSITORY, Home
from roi_local.run_parameters import CONF_VARIABLE, SOURCE_VARIABLE

from .yahoo_server import AnswerFault, ContentFault, Fault, YahooServer

NOW = datetime(2024, 12, 28, 12, tzinfo=UTC)
FAULTS: tuple[Fault, ...] = (*get_args(AnswerFault), *get_args(ContentFault))
RETRIED: tuple[Fault, ...] = ("rate_limit", "server_error", "html", "truncated", "hang")
SOUND = tuple(f"SOUND{number}.NS" for number in range(12))

# What costs an asset its place, and the words by which its owner learns of it.
EXCLUDING: dict[Fault, str] = {
    "rate_limit": "Yahoo answers 429",
    "unknown": "Yahoo does not know the symbol",
    "empty": "Yahoo has no prices for these dates",
    "server_error": "Yahoo answers with HTTP status 502",
    "html": "begins with '<!DOCTYPE html>",
    "truncated": "is not a price chart in JSON",
    "hang": "Yahoo did not answer within 5 seconds",
    "conflicting_day": "two different bars",
    "shifted": "mean that its dates are shifted",
    "gaps": "sessions of its calendar XBOM",
    "no_adjusted_close": "no adjusted close",
    "impossible_currency": "'U$' as currency",
    "other_time_zone": "time zone 'America/New_York'",
    "unknown_time_zone": "No time zone found with key Mars/Base",
}


def symbol_of(fault: Fault) -> str:
    return f"{fault.upper()}.NS"


def serve(prices: pd.DataFrame, faults: tuple[Fault, ...]) -> YahooServer:
    bars = prices[prices["symbol"] == "TCS.NS"]
    symbols = [*SOUND, *map(symbol_of, faults)]
    # Each at a level of its own, so that their returns are the same but not their prices.
    scaled = [
        bars.assign(
            symbol=symbol, **{name: bars[name] * (1 + number) for name in bars.columns[1:6]}
        )
        for number, symbol in enumerate(symbols)
    ]
    server = YahooServer(pd.concat(scaled))
    for fault in faults:
        server.break_symbol(symbol_of(fault), fault)
    return server


@pytest.mark.slow
def test_day_with_every_fault_forecasts_the_sound_assets_and_names_the_others(
    market_engine, settings, prices, tmp_path
):
    symbols = (*SOUND, *map(symbol_of, FAULTS))
    parameters = {**SMALL_RUN, "source": "yahoo", "symbols": symbols, "quorum": 0.5}
    with serve(prices, FAULTS) as server:
        served = Settings(
            settings.database_url, settings.data_directory, source_urls={"yahoo": server.url}
        )
        run = resolve_run(market_engine, served, "day", parameters, lambda other: True, now=NOW)
        source = YahooSource(tmp_path, server.url, timeout=5.0)
        for symbol in run.extraction_symbols:
            # As in the DAG, where the mapped task of one asset may fail alone.
            with suppress(SourceError):
                extract_prices(market_engine, run, symbol, source, now=NOW)
    report = check_prices(market_engine, run)
    assert set(report.missing) == {symbol_of(fault) for fault in EXCLUDING}
    for fault, words in EXCLUDING.items():
        assert words in report.missing[symbol_of(fault)]

    models = settings.models_directory
    dataset = build_dataset(market_engine, run, settings.datasets_directory)
    version_id = train_candidate(market_engine, run, dataset, models, now=NOW).version_id
    opponent = evaluate_model(market_engine, run, dataset, version_id, models)
    assert decide_promotion(market_engine, run, version_id, opponent).promoted
    promote_model(market_engine, models, version_id, run.run_id, "test")
    store_forecasts(
        market_engine, run, dataset.dataset_id, models, candidate_id=version_id, now=NOW
    )
    with market_engine.connect() as connection:
        forecast = set(connection.scalars(select(predictions.c.symbol)))
        failed = set(
            connection.scalars(
                select(extractions.c.symbol).where(
                    extractions.c.status == "failed", ~extractions.c.context
                )
            )
        )
        dropped = set(
            connection.scalars(
                select(price_checks.c.symbol).where(price_checks.c.severity == "drop_bar")
            )
        )
    assert forecast == set(symbols) - set(report.missing)
    assert failed == set(report.missing) - {"SHIFTED.NS", "GAPS.NS"}
    assert dropped == {
        symbol_of(fault) for fault in ("missing_last", "zero", "negative", "tenfold")
    }


@pytest.mark.slow
@pytest.mark.live
def test_the_dag_ends_green_on_a_day_with_every_fault_that_no_retry_mends(prices, tmp_path: Path):
    """Without the faults that are worth a retry, whose waiting takes minutes."""
    faults = tuple(fault for fault in FAULTS if fault not in RETRIED)
    home = Home(tmp_path / "roi", REPOSITORY / "dags")
    symbols = [*SOUND, *map(symbol_of, faults)]
    conf = {**SMALL_RUN, "source": "yahoo", "symbols": symbols, "quorum": 0.5}
    with serve(prices, faults) as server:
        variables = {
            SOURCE_VARIABLE: "yahoo",
            CONF_VARIABLE: json.dumps(conf),
            url_variable("yahoo"): server.url,
        }
        answer = run_command(home, "run", **variables)
    assert answer.returncode == 0, answer.stderr + answer.stdout
    missing = {symbol_of(fault) for fault in EXCLUDING if fault not in RETRIED}
    for symbol in missing - {"SHIFTED.NS", "GAPS.NS"}:
        assert f"{symbol}: " in answer.stdout
    rows = run_command(
        home, "sql", **{QUERY_VARIABLE: "SELECT symbol FROM roi.latest_forecasts"}
    ).stdout.split()
    assert set(rows[1:]) == set(symbols) - missing
