from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, func, select, text, update

from daily_run import prepare
from roi_forecast.config import parse_run_config
from roi_forecast.database.tables import daily_prices, datasets
from roi_forecast.errors import DatasetError
from roi_forecast.features.build import assemble_dataset, build_dataset
from roi_forecast.features.rows import align_rows
from roi_forecast.features.storage import load_dataset
from roi_forecast.features.windows import window_view
from roi_forecast.settings import Settings

from .prices import AS_OF, ASSETS, START, simulated_bars, with_wild_future

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
        "scaled_log_roi",
        "filled",
        "true_range",
    ):
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
        "scaled_log_roi",
        "filled",
        "true_range",
    ):
        np.testing.assert_array_equal(getattr(read, name), getattr(dataset, name))
    assert (read.split, read.symbols) == (dataset.split, dataset.symbols)


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
