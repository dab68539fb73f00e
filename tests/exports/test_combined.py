from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, text, update

from daily_run import SYMBOLS, prepare
from features.prices import price_rows
from roi_forecast.database.tables import daily_prices
from roi_forecast.errors import ExportError
from roi_forecast.exports.combined import combined_table, export_combined
from roi_forecast.settings import Settings

# The oracle: SQL's own lag over the bars of an asset whose bars all fall on rows.
ROI_BY_SQL = text(
    "SELECT trading_date::text, adj_close, "
    "100 * (adj_close / lag(adj_close) OVER (ORDER BY trading_date) - 1) AS roi_pct "
    "FROM roi.daily_prices WHERE source = 'simulated' AND symbol = 'TCS.NS' "
    "AND trading_date BETWEEN CAST(:first AS date) AND CAST(:last AS date) ORDER BY trading_date"
)


def test_the_table_holds_prices_and_roi_of_the_newest_run(
    market_engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    run, dataset = prepare(market_engine, settings, "run", {})
    path = tmp_path / "dataset_combined.csv"

    rows = export_combined(market_engine, path)

    table = pd.read_csv(path, index_col="trading_date")
    assert len(table) == rows == len(dataset.dates) + dataset.smoothing
    assert [name.removesuffix(" adj_close") for name in table.columns[::2]] == list(SYMBOLS)
    assert table.index[-1] == str(run.as_of_date)
    with market_engine.connect() as connection:
        period = {"first": table.index[0], "last": table.index[-1]}
        bars = pd.read_sql(ROI_BY_SQL, connection, params=period).set_index("trading_date")
    found = table.loc[bars.index]
    assert len(bars) > 300
    np.testing.assert_allclose(found["TCS.NS adj_close"], bars["adj_close"])
    np.testing.assert_allclose(found["TCS.NS roi_pct"][1:], bars["roi_pct"][1:], atol=1e-9)


def test_a_price_after_the_as_of_date_changes_nothing(
    market_engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    prepare(market_engine, settings, "long", {"as_of_date": "2024-12-27"})
    prepare(market_engine, settings, "short", {"as_of_date": "2024-12-20", "model_name": "short"})
    before, after = tmp_path / "before.csv", tmp_path / "after.csv"
    export_combined(market_engine, before, "short")
    with market_engine.begin() as connection:
        later = daily_prices.c.trading_date > pd.Timestamp("2024-12-20").date()
        connection.execute(update(daily_prices).where(later).values(adj_close=1e6))

    export_combined(market_engine, after, "short")

    assert after.read_bytes() == before.read_bytes()


def test_a_carried_price_has_an_roi_of_zero_and_the_first_row_none() -> None:
    dates = np.array(["2024-01-01", "2024-01-02", "2024-01-03"], dtype="datetime64[D]")
    prices = np.array([[100.0], [100.0], [80.0]])
    filled = np.array([[False], [True], [False]])
    rows = price_rows(("TCS.NS",), dates, prices, filled)

    table = combined_table(rows)

    assert table["trading_date"].tolist() == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert np.isnan(table["TCS.NS roi_pct"][0])
    assert table["TCS.NS roi_pct"][1:].tolist() == pytest.approx([0.0, -20.0])


def test_without_a_run_the_error_says_what_to_do_and_leaves_no_file(
    market_engine: Engine, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match="no run to export yet; start one with `make run`"):
        export_combined(market_engine, tmp_path / "out.csv")
    with pytest.raises(ExportError, match="model name 'absent'; names with runs: none yet"):
        export_combined(market_engine, tmp_path / "out.csv", "absent")
    assert list(tmp_path.iterdir()) == []
