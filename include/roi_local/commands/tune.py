"""`make tune`: a search for better hyperparameters, and its best trials."""

from __future__ import annotations

import json
import os
from typing import TextIO

from sqlalchemy import Engine

from roi_forecast.config import TuningRunConfig
from roi_forecast.number_text import written
from roi_forecast.runs.resolved_run import load_run
from roi_forecast.tuning.best_trials import best_trials
from roi_local.command import run_command
from roi_local.commands.run import run_once
from roi_local.run_parameters import run_parameters
from roi_local.run_progress.next_steps import NextStep, sql_step

TUNING_DAG = "tune_roi_forecast"


def print_best_trials(engine: Engine, run_id: str, out: TextIO) -> list[NextStep]:
    """Print the best trials of a search's study; return how a daily run uses the best one.

    Args:
        engine: Market database.
        run_id: A finished search.
        out: Where to print.
    """
    tuning = load_run(engine, run_id).tuning
    if tuning is None:
        return []
    print(f"\nBest trials of study {tuning.study}, by smoothed R2 on validation rows:", file=out)
    for trial in best_trials(engine, tuning.study):
        print(f"  {written(trial.validation_r2, 5):>9}  {trial.words}", file=out)
    conf = json.dumps({"tuned_study": tuning.study})
    question = (
        "SELECT rank, trial, state, validation_r2, epochs, parameters FROM roi.tuning_trials "  # nosec B608 # noqa: S608, it is shown, not run
        f"WHERE study = '{tuning.study}' ORDER BY rank"
    )
    return [
        sql_step("all trials", question),
        NextStep("a run with the best set", f"make run CONF='{conf}'"),
        NextStep("more about searches", "docs/tuning.md"),
    ]


if __name__ == "__main__":
    run_command(
        "tune",
        lambda: run_once(
            TUNING_DAG,
            run_parameters(os.environ, TuningRunConfig),
            print_best_trials,
            "/roi/tuning",
        ),
    )
