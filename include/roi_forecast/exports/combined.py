"""The combined table of a run's prices and ROIs, one row per reference session."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from sqlalchemy import Engine, select

from roi_forecast.database.tables import runs
from roi_forecast.errors import ExportError
from roi_forecast.features.rows import PriceRows, load_rows
from roi_forecast.files.artifacts import write_file
from roi_forecast.runs.resolved_run import ResolvedRun


def export_combined(engine: Engine, path: Path, model_name: str | None = None) -> int:
    """Write the combined table of the newest run, completely or not at all.

    The rows are those of the run's dataset: its assets and source, from its start date to its
    as-of date. No later price is read.

    Args:
        engine: Market database.
        path: The CSV file; an existing one is replaced.
        model_name: The model name of the run; None takes the newest run of all.

    Returns:
        The number of rows.

    Raises:
        ExportError: There is no such run, or the file cannot be written.
        DatasetError: The stored prices do not cover the run.
    """
    run = _newest_run(engine, model_name)
    with engine.connect() as connection:
        rows = load_rows(
            connection,
            run.source_key,
            run.assets,
            run.start_date,
            run.as_of_date,
        )
    table = combined_table(rows)
    try:
        write_file(path, table.to_csv(index=False, lineterminator="\n").encode())
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}") from error
    return len(table)


def combined_table(rows: PriceRows) -> pd.DataFrame:
    """Return the prices and ROIs of all assets.

    Args:
        rows: Carried prices, shape (rows, assets).

    Returns:
        `trading_date`, then for each asset `<symbol> adj_close`, in its currency, and
        `<symbol> roi_pct`, in percent: the price over that of the row before, minus 1. It is empty
        in the first row, and 0 if the bar is missing and the price was carried.
    """
    prices = pd.DataFrame(rows.prices, columns=list(rows.symbols))
    roi_pct = 100 * (prices / prices.shift(1) - 1)
    columns = {"trading_date": pd.Series(rows.dates).dt.strftime("%Y-%m-%d")}
    for symbol in rows.symbols:
        columns[f"{symbol} adj_close"] = prices[symbol]
        columns[f"{symbol} roi_pct"] = roi_pct[symbol]
    return pd.DataFrame(columns)


def _newest_run(engine: Engine, model_name: str | None) -> ResolvedRun:
    statement = select(runs.c.resolved).order_by(runs.c.claimed_at.desc()).limit(1)
    if model_name is not None:
        statement = statement.where(runs.c.model_name == model_name)
    with engine.connect() as connection:
        resolved = connection.scalar(statement)
        if resolved is None:
            known = connection.scalars(select(runs.c.model_name).distinct().order_by("model_name"))
            names = ", ".join(known) or "none yet"
            raise ExportError(
                f"no run of the model name {model_name!r}; names with runs: {names}"
                if model_name is not None
                else "there is no run to export yet; start one with `make run`"
            )
    return ResolvedRun.model_validate(resolved)
