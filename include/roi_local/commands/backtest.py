"""`make backtest`: a walk-forward backtest once, to its end, and its figures."""

from __future__ import annotations

import os
from typing import TextIO

from sqlalchemy import Engine, column, select, table

from roi_forecast.backtest.files import plot_path
from roi_forecast.config import BacktestRunConfig
from roi_forecast.data_path import DataPath
from roi_forecast.database.tables import SCHEMA
from roi_forecast.labels import figure_label, predictor_label
from roi_forecast.number_text import written
from roi_forecast.settings import Settings
from roi_local.command import run_command
from roi_local.commands.run import run_once
from roi_local.environment import Home
from roi_local.run_parameters import run_parameters
from roi_local.run_progress.next_steps import NextStep, sql_step
from roi_local.run_progress.report import print_table

BACKTEST_DAG = "backtest_roi_forecast"

_FIGURES = (
    "smoothed_r2",
    "next_day_r2_against_zero",
    "next_day_r2_against_zero_t",
    "rank_correlation",
    "rank_correlation_t",
    "directional_accuracy",
    "coverage_80",
    "coverage_95",
    "interval_score_80",
    "interval_score_95",
)
_backtest_folds = table(
    "backtest_folds",
    *(column(name) for name in ("run_id", "fold", "predictor", "first_date", "last_date")),
    *(column(name) for name in _FIGURES),
    schema=SCHEMA,
)


def print_backtest(
    engine: Engine, run_id: str, backtests_directory: DataPath, out: TextIO
) -> list[NextStep]:
    """Print the figures of all folds together; return where the plot and the folds are.

    Args:
        engine: Market database.
        run_id: A finished backtest.
        backtests_directory: Folder of all backtests.
        out: Where to print.
    """
    view = _backtest_folds.c
    with engine.connect() as connection:
        rows = connection.execute(
            select(_backtest_folds).where(view.run_id == run_id).order_by(view.fold, view.predictor)
        ).all()
    together = [row for row in rows if row.fold is None]
    if not together:
        print(f"Run {run_id} left no backtest in the market database.", file=out)
        return []
    folds = {row.fold for row in rows} - {None}
    print(
        f"\nAll {len(folds)} folds together, {together[0].first_date} to {together[0].last_date}:",
        file=out,
    )
    header = ("", *(predictor_label(row.predictor) for row in together))
    lines = [
        (figure_label(name), *(written(getattr(row, name)) for row in together))
        for name in _FIGURES
    ]
    print_table(lines, out, header)
    print(
        "The smoothed ROI is mostly known a day ahead; the next-day ROI is not. Interval scores "
        "are in percentage points.",
        file=out,
    )
    question = (
        "SELECT fold, predictor, first_date, smoothed_r2, next_day_r2_against_zero, coverage_80 "  # nosec B608 # noqa: S608, it is shown, not run
        f"FROM roi.backtest_folds WHERE run_id = '{run_id}' ORDER BY fold, predictor"
    )
    return [
        NextStep("a plot of the folds", str(plot_path(backtests_directory, run_id))),
        sql_step("every fold", question),
        NextStep("what the figures mean", "docs/evaluation.md"),
    ]


def _report(engine: Engine, run_id: str, out: TextIO) -> list[NextStep]:
    settings = Settings("", Home.from_environment().data_directory)
    return print_backtest(engine, run_id, settings.backtests_directory, out)


if __name__ == "__main__":
    run_command(
        "backtest",
        lambda: run_once(
            BACKTEST_DAG, run_parameters(os.environ, BacktestRunConfig), _report, "/roi/backtests"
        ),
    )
