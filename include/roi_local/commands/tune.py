"""`make tune`: a search for better hyperparameters, and its best trials."""

from __future__ import annotations

import json
import os
import sys
from typing import TextIO

from sqlalchemy import Engine

from roi_forecast.config import TuningRunConfig
from roi_forecast.runs.resolved_run import load_run
from roi_forecast.tuning.best_trials import best_trials
from roi_local.command import run_command
from roi_local.commands.run import run_once
from roi_local.environment import Home
from roi_local.run_parameters import run_parameters

TUNING_DAG = "tune_roi_forecast"


def print_best_trials(engine: Engine, run_id: str, out: TextIO) -> None:
    """Print the best trials of a search's study, and how a daily run takes the best one.

    Args:
        engine: Market database.
        run_id: A search that ended.
        out: Where to print.
    """
    tuning = load_run(engine, run_id).tuning
    if tuning is None:
        return
    print(f"\nBest trials of study {tuning.study}, by R2 on validation rows:", file=out)
    for trial in best_trials(engine, tuning.study):
        print(f"  {trial.validation_r2:>9.5f}  {json.dumps(dict(trial.parameters))}", file=out)
    conf = json.dumps({"tuned_study": tuning.study})
    print(f"\nTake the best set: make run CONF='{conf}'", file=out)
    print("All trials:        make sql QUERY='SELECT * FROM roi.tuning_trials'", file=out)


if __name__ == "__main__":
    run_command(
        "tune",
        lambda: run_once(
            Home.from_environment(),
            TUNING_DAG,
            run_parameters(os.environ, TuningRunConfig),
            print_best_trials,
            sys.stdout,
        ),
    )
