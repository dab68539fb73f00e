from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, func, select, text, update

from daily_run import prepare
from roi_forecast.config import parse_run_config
from roi_forecast.database.tables import daily_prices, datasets
from roi_forecast.errors import DatasetError
from roi_forecast.features.build import align_moving_rows, assemble_dataset, build_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.leakage import audit_dataset
from roi_forecast.features.rows import align_rows
from roi_forecast.features.storage import load_dataset, save_dataset
from roi_forecast.features.windows import window_view
from roi_forecast.settings import Settings
from roi_forecast.universe import Context

from .prices import (
    AS_OF,
    ASSETS,
    CONTEXT,
    START,
    context_bars,
    simulated_bars,
    with_wild_future,
)

CONFIG = parse_run_config({"seq_len": 12})

# Everything again in SQL: rows are the dates of most assets' exchange, prices are carried.
ORACLE = text("""
WITH sessions AS (
    SELECT trading_date, row_number() OVER (ORDER BY trading_date) AS number
    FROM roi.daily_prices
    WHERE source = 'simulated' AND symbol = 'TCS.NS' AND trading_date <= :as_of
),
carried AS (
    SELECT session.trading_date, session.number, price.adj_close
    FROM sessions AS session
    CROSS JOIN LATERAL (
        SELECT adj_close FROM roi.daily_prices
        WHERE source = 'simulated' AND symbol = :symbol
          AND trading_date <= session.trading_date
        ORDER BY trading_date DESC LIMIT 1
    ) AS price
),
returns AS (
    SELECT trading_date, number, ln(adj_close / lag(adj_close) OVER (ORDER BY number)) AS log_roi
    FROM carried
),
smoothed AS (
    SELECT trading_date, log_roi,
           avg(log_roi) OVER (ORDER BY number ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) AS value
    FROM returns WHERE log_roi IS NOT NULL
),
numbered AS (
    SELECT *, row_number() OVER (ORDER BY trading_date) - 5 AS row FROM smoothed
),
bounds AS (
    SELECT min(value) AS low, max(value) AS high
    FROM numbered WHERE row BETWEEN 0 AND :last_training_row
)
SELECT row, log_roi, value, (value - low) / (high - low) AS scaled
FROM numbered CROSS JOIN bounds WHERE row >= 0 ORDER BY row
""")


@pytest.mark.parametrize("symbol", ["TCS.NS", "GC=F"])
def test_dataset_equals_what_sql_computes(
    market_engine: Engine, settings: Settings, symbol: str
) -> None:
    run, dataset = prepare(market_engine, settings, "run", {})
    values = {
        "symbol": symbol,
        "as_of": run.as_of_date,
        "last_training_row": dataset.split.train[-1],
    }
    with market_engine.connect() as connection:
        rows = connection.execute(ORACLE, values).all()
    column = dataset.symbols.index(symbol)
    assert len(rows) == len(dataset.dates)
    np.testing.assert_allclose(dataset.log_roi[:, column], [row.log_roi for row in rows])
    np.testing.assert_allclose(
        dataset.smoothed[:, column], [float(row.value) for row in rows], atol=1e-14
    )
    scaled = np.array([float(row.scaled) for row in rows])
    np.testing.assert_allclose(dataset.scaled[:, column], scaled, atol=1e-6)
    target = dataset.split.test.start
    window = window_view(dataset.scaled, range(target, target + 1), dataset.seq_len)[0, :, column]
    np.testing.assert_allclose(window, scaled[target - dataset.seq_len : target], atol=1e-6)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_wild_values_from_a_part_on_change_nothing_before_it(part: str, tmp_path: Path) -> None:
    bars = simulated_bars()
    clean = assemble_dataset(
        align_rows(bars, ASSETS, START, AS_OF, 0.1), CONFIG, "simulated", tmp_path
    )
    first = getattr(clean.split, part).start
    wild = assemble_dataset(
        align_rows(with_wild_future(bars, clean.dates[first].item()), ASSETS, START, AS_OF, 0.1),
        CONFIG,
        "simulated",
        tmp_path,
    )
    assert not np.array_equal(wild.scaled[first:], clean.scaled[first:])
    for name in (
        "prices",
        "log_roi",
        "smoothed",
        "scaled",
        "filled",
        "true_range",
        "gap",
        "volume",
    ):
        assert np.isfinite(getattr(clean, name)[1:first]).any()
        np.testing.assert_array_equal(getattr(wild, name)[:first], getattr(clean, name)[:first])
    for name in ("offset", "slope", "center", "log_roi_mean"):
        np.testing.assert_array_equal(getattr(wild.scaler, name), getattr(clean.scaler, name))


def test_stored_dataset_reads_back_as_it_was(market_engine: Engine, settings: Settings) -> None:
    _, dataset = prepare(market_engine, settings, "run", {})
    read = load_dataset(dataset.directory)
    for name in (
        "dates",
        "prices",
        "log_roi",
        "smoothed",
        "scaled",
        "filled",
        "true_range",
        "gap",
        "volume",
        "published_at",
        "context",
        "context_missing",
        "scaled_context",
    ):
        assert getattr(dataset, name).size
        np.testing.assert_array_equal(getattr(read, name), getattr(dataset, name))
    for name in ("split", "symbols", "context_symbols", "publish"):
        assert getattr(read, name) == getattr(dataset, name)


def test_same_prices_give_the_same_dataset_and_one_row(
    market_engine: Engine, settings: Settings
) -> None:
    run, first = prepare(market_engine, settings, "run", {})
    again = build_dataset(market_engine, run, settings.datasets_directory)
    assert again.dataset_id == first.dataset_id
    with market_engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(datasets)) == 1


def test_a_restated_price_gives_another_dataset(market_engine: Engine, settings: Settings) -> None:
    run, first = prepare(market_engine, settings, "run", {})
    with market_engine.begin() as connection:
        connection.execute(
            update(daily_prices)
            .where(
                daily_prices.c.symbol == "TCS.NS", daily_prices.c.trading_date < date(2024, 1, 1)
            )
            .values(adj_close=daily_prices.c.adj_close / 2)
        )
    again = build_dataset(market_engine, run, settings.datasets_directory)
    assert again.dataset_id != first.dataset_id


def test_a_damaged_dataset_is_rejected_and_written_again(
    market_engine: Engine, settings: Settings
) -> None:
    run, dataset = prepare(market_engine, settings, "run", {})
    (dataset.directory / "smoothed.npy").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"smoothed\.npy is damaged"):
        load_dataset(dataset.directory)
    build_dataset(market_engine, run, settings.datasets_directory)
    assert load_dataset(dataset.directory).dataset_id == dataset.dataset_id


def test_too_short_a_history_is_refused(tmp_path: Path) -> None:
    as_of = date(2023, 1, 6)
    rows = align_rows(simulated_bars(as_of), ASSETS, START, as_of, 0.1)
    with pytest.raises(DatasetError, match="too few for smoothing"):
        assemble_dataset(rows, CONFIG, "simulated", tmp_path)


def with_context_of(context: Context, bars: pd.DataFrame, directory: Path) -> Dataset:
    rows = align_rows(
        simulated_bars(), ASSETS, START, AS_OF, 0.1, context=context, context_bars=bars
    )
    return assemble_dataset(rows, CONFIG, "simulated", directory)


def test_context_is_stored_with_the_dataset(tmp_path: Path) -> None:
    dataset = with_context_of(replace(CONTEXT, publish="before_open"), context_bars(), tmp_path)
    save_dataset(dataset, audit_dataset(dataset, simulated_bars(), AS_OF, context_bars()))
    read = load_dataset(dataset.directory)
    assert read.scaler.to_json() == dataset.scaler.to_json()
    for name in set(vars(dataset)) - {"scaler"}:
        np.testing.assert_array_equal(getattr(read, name), getattr(dataset, name), strict=False)


def test_what_a_source_lacks_is_stored_with_the_dataset_and_makes_another_one(
    tmp_path: Path,
) -> None:
    bars = simulated_bars()
    rows = align_rows(bars, ASSETS, START, AS_OF, 0.1)
    # Nothing but the record tells an adjusted close that repeats the close from one that equals it.
    missing = {"TCS.NS": ("adj_close",), "GC=F": ("open", "volume")}
    plain, dataset = (
        assemble_dataset(rows, CONFIG, "simulated", tmp_path, each) for each in ({}, missing)
    )
    assert plain.dataset_id != dataset.dataset_id
    for each in (plain, dataset):
        save_dataset(each, audit_dataset(each, bars, AS_OF))
        assert load_dataset(each.directory).missing_columns == each.missing_columns


def test_another_context_or_publication_is_another_dataset(tmp_path: Path) -> None:
    contexts = (
        CONTEXT,
        replace(CONTEXT, publish="before_open"),
        replace(CONTEXT, assets=CONTEXT.assets[:1]),
        Context(),
    )
    bars = context_bars()
    gone = bars["trading_date"] == pd.Timestamp(2023, 6, 14)
    ids = [with_context_of(context, bars, tmp_path).dataset_id for context in contexts]
    ids.append(with_context_of(CONTEXT, bars[~gone], tmp_path).dataset_id)
    assert len(set(ids)) == 5
    assert with_context_of(CONTEXT, bars, tmp_path).dataset_id == ids[0]


def test_context_after_the_last_publication_changes_nothing(tmp_path: Path) -> None:
    later = context_bars(date(2024, 3, 1))
    wild = later["trading_date"] > pd.Timestamp(AS_OF)
    later.loc[wild, "adj_close"] = 1e6
    clean = with_context_of(CONTEXT, later[~wild], tmp_path)
    assert with_context_of(CONTEXT, later, tmp_path).dataset_id == clean.dataset_id


@pytest.mark.parametrize("bars", [[], [simulated_bars()]])
def test_context_without_any_bar_costs_no_dataset(bars: list[pd.DataFrame], tmp_path: Path) -> None:
    dataset = with_context_of(CONTEXT, bars, tmp_path)
    assert dataset.context_missing.all()
    assert not dataset.inputs[:, len(ASSETS) :].any()


def test_assets_that_are_left_out_do_not_decide_when_a_run_publishes() -> None:
    bars = simulated_bars()
    bars.loc[bars["symbol"] == "GC=F", ["open", "high", "low", "close", "adj_close"]] = 100.0
    with_gold, _ = align_moving_rows(bars, ASSETS, START, AS_OF, CONFIG, CONTEXT, context_bars())
    without, _ = align_moving_rows(
        bars, ASSETS[:3], START, AS_OF, CONFIG, replace(CONTEXT), context_bars()
    )
    assert with_gold.symbols == without.symbols
    np.testing.assert_array_equal(with_gold.published_at, without.published_at)
    np.testing.assert_array_equal(with_gold.context, without.context)
    assert np.abs(with_gold.context).any()
