"""Where a backtest keeps its files."""

from __future__ import annotations

import re

from roi_forecast.data_path import DataPath
from roi_forecast.files.artifacts import create_folder, write_file, write_manifest


def backtest_directory(backtests_directory: DataPath, run_id: str) -> DataPath:
    """Return the folder of one backtest."""
    return backtests_directory / re.sub(r"[^A-Za-z0-9_.-]", "_", run_id)


def write_plot(backtests_directory: DataPath, run_id: str, content: bytes) -> DataPath:
    """Write the plot of a backtest's folds with its checksum, and return its path.

    Raises:
        OSError: It cannot be written.
    """
    path = plot_path(backtests_directory, run_id)
    create_folder(path.parent)
    write_file(path, content)
    write_manifest(path.parent, {"run_id": run_id})
    return path


def plot_path(backtests_directory: DataPath, run_id: str) -> DataPath:
    """Return the plot of a backtest's folds."""
    return backtest_directory(backtests_directory, run_id) / "folds.png"


def networks_directory(backtests_directory: DataPath) -> DataPath:
    """Return the folder of the networks that all backtests share.

    A network depends on the rows and settings it was trained with, not on the run that asked for
    it, so that a backtest that was killed and started again continues, under whatever run id.
    """
    return backtests_directory / "networks"
