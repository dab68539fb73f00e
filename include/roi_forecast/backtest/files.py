"""Where a backtest keeps its files."""

from __future__ import annotations

import re
from pathlib import Path


def backtest_directory(backtests_directory: Path, run_id: str) -> Path:
    """Return the folder of one backtest."""
    return backtests_directory / re.sub(r"[^A-Za-z0-9_.-]", "_", run_id)


def plot_path(backtests_directory: Path, run_id: str) -> Path:
    """Return the plot of a backtest's folds."""
    return backtest_directory(backtests_directory, run_id) / "folds.png"


def networks_directory(backtests_directory: Path) -> Path:
    """Return the folder of the networks that all backtests share.

    A network depends on the rows and settings it was trained with, not on the run that asked for
    it, so that a backtest that was killed and started again continues, under whatever run id.
    """
    return backtests_directory / "networks"
