"""`make export`: what a person types and what they get."""

from __future__ import annotations

from pathlib import Path

import pytest

from roi_forecast.errors import ExportError
from roi_local.commands.export import export
from roi_local.environment import Home


def test_a_view_is_exported_and_an_error_says_that_there_are_no_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, path = Home(tmp_path / "home"), tmp_path / "history.csv"

    export(home, "champion_history", None, path)

    assert capsys.readouterr().out == f"{path}: 0 rows\n"
    assert path.read_text().startswith("model_name,version_id,served_from")
    with pytest.raises(ExportError, match="start one with `make run`"):
        export(home, "combined", None, path)
