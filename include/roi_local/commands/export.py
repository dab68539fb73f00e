"""`make export`: the combined price and ROI table, or a view, as a CSV file."""

from __future__ import annotations

import os
from pathlib import Path

from roi_local.command import run_command
from roi_local.environment import Home
from roi_local.postgres.databases import open_market

WHAT_VARIABLE = "ROI_WHAT"
MODEL_VARIABLE = "ROI_MODEL"
OUT_VARIABLE = "ROI_OUT"
COMBINED = "combined"


def export(home: Home, what: str, model_name: str | None, path: Path) -> None:
    """Write a CSV file and print the number of its rows.

    Args:
        home: The installation; its PostgreSQL is started if it does not run, and stopped again.
        what: `combined`, or the name of a view.
        model_name: With `combined`, the model whose newest run counts; None means any.
        path: The file.

    Raises:
        ExportError: Nothing has this name, or the file cannot be written.
    """
    with open_market(home) as engine:
        if what == COMBINED:
            from roi_forecast.exports.combined import export_combined

            rows = export_combined(engine, path, model_name)
        else:
            from roi_forecast.exports.views import export_view

            rows = export_view(engine, what, path)
    print(f"{path}: {rows} rows")


def main() -> None:
    """Export what the environment names."""
    what = os.environ.get(WHAT_VARIABLE) or COMBINED
    out = os.environ.get(OUT_VARIABLE) or f"{'dataset_' if what == COMBINED else ''}{what}.csv"
    model_name = os.environ.get(MODEL_VARIABLE) or None
    export(Home.from_environment(), what, model_name, Path(out))


if __name__ == "__main__":
    run_command("export", main)
