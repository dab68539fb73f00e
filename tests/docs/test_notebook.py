"""The notebook of the documentation works on a database with forecasts, and is stored clean."""

from __future__ import annotations

import json

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from sqlalchemy import text

from planted import Planted
from roi_local.environment import REPOSITORY

NOTEBOOK = REPOSITORY / "docs" / "forecasts.ipynb"


def test_it_shows_forecasts_a_picture_errors_and_coverage(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = planted.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("ROI_DATABASE_URL", f"{url}&options=-c%20role%3Droi_reader")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    last = nbformat.v4.new_code_cell("print(model_name, coverage.to_json())")
    notebook.cells.append(last)
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    *shown, check = (cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    tables = [
        output for outputs in shown for output in outputs if "text/html" in output.get("data", {})
    ]
    pictures = [
        output for outputs in shown for output in outputs if "image/png" in output.get("data", {})
    ]
    assert (len(tables), len(pictures)) == (4, 1)
    name, found = check[0]["text"].split(maxsplit=1)
    months = pd.DataFrame(json.loads(found))
    with planted.engine.connect() as connection:
        inside = connection.execute(
            text(
                "SELECT count(*), avg(inside_80::int) FROM roi.outcomes WHERE model_name = :name "
                "AND horizon = 1 AND NOT backfill AND NOT filled_target"
            ),
            {"name": name},
        ).one()
    assert months["forecasts"].sum() == inside[0] > 0
    weighted = (months["forecasts"] * months["coverage_80"]).sum() / months["forecasts"].sum()
    assert weighted == pytest.approx(float(inside[1]))


def test_it_is_stored_without_answers() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [(cell.outputs, cell.execution_count) for cell in code] == [([], None)] * len(code)
