from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, text

from roi_forecast.errors import ExportError
from roi_forecast.exports.views import export_view
from special_files import SPECIAL_FILES

if TYPE_CHECKING:
    from serving_version import Served


def test_a_view_is_written_with_a_header_and_all_its_rows(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "latest.csv"
    path.write_text("an older export")

    rows = export_view(served.engine, "latest_forecasts", path)

    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    with served.engine.connect() as connection:
        expected = connection.execute(text("SELECT * FROM roi.latest_forecasts")).mappings().all()
    assert len(table) == rows == len(expected) == 6
    assert list(table[0]) == list(expected[0])
    written = {
        (row["symbol"], int(row["horizon"])): float(row["predicted_roi_pct"]) for row in table
    }
    assert written == {
        (row["symbol"], row["horizon"]): row["predicted_roi_pct"] for row in expected
    }


@pytest.mark.parametrize("name", ["daily_prices", "latest_forecasts; DROP TABLE roi.runs", ""])
def test_an_unknown_view_is_refused_with_the_known_names(
    market_engine: Engine, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ExportError, match=r"no view '.*champion_history, .*latest_forecasts"):
        export_view(market_engine, name, tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_named(market_engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"absent/out.csv cannot be written: No such file"):
        export_view(market_engine, "champion_history", tmp_path / "absent" / "out.csv")


@pytest.mark.parametrize("kind", SPECIAL_FILES)
def test_an_irregular_file_is_neither_written_nor_replaced(
    market_engine: Engine, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "out.csv"
    SPECIAL_FILES[kind](path)
    before = {entry: entry.lstat() for entry in tmp_path.iterdir()}

    with pytest.raises(
        ExportError, match=r"out\.csv cannot be written: it is a .*; name a regular"
    ):
        export_view(market_engine, "champion_history", path)

    assert {entry: entry.lstat() for entry in tmp_path.iterdir()} == before
