"""`make check-csv`: what a run would understand of a price file."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from installation import command_environment
from roi_forecast.errors import ConfigError
from roi_local.commands.check_csv import check_csv
from roi_local.environment import Home
from roi_local.errors import LocalError

ROWS = "Symbol,Date,Close\nTCS,13/02/2024,1.5\nTCS,14/02/2024,1.75\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "p.csv"
    path.write_text(ROWS)
    return path


def checked(**environment: str) -> str:
    out = io.StringIO()
    check_csv({f"ROI_{name}": value for name, value in environment.items()}, out)
    return out.getvalue()


def test_a_file_is_described_with_the_parameters_of_conf(path: Path) -> None:
    text = checked(CSV=str(path), CONF='{"csv_suffix": ".NS"}')
    assert "TCS.NS" in text
    assert "day first: '13/02/2024' in line 2" in text
    assert "1 symbol, 2024-02-13 to 2024-02-14, 2 rows" in text


@pytest.mark.parametrize("csv", [{}, {"CSV": ""}])
def test_without_a_file_the_command_is_shown(csv: dict[str, str]) -> None:
    with pytest.raises(LocalError, match="make check-csv CSV=path"):
        checked(**csv)


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"no file or folder .*missing\.csv"):
        checked(CSV=str(tmp_path / "missing.csv"))


def test_a_wrong_parameter_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match="csv_dates"):
        checked(CSV=str(path), CONF='{"csv_dates": "backwards"}')


def test_the_command_ends_with_one_line_and_a_status_if_nothing_is_usable(tmp_path: Path) -> None:
    path = tmp_path / "AAPL.csv"
    path.write_text("Date,Return\n2024-02-13,0.5\n")
    done = subprocess.run(
        [sys.executable, "-m", "roi_local.commands.check_csv"],
        env=command_environment(Home(tmp_path / "home")) | {"ROI_CSV": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "'Return' is neither a close nor a symbol" in done.stderr
    assert not (tmp_path / "home").exists()
