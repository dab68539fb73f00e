"""`make run` without a live stack: one process of Airflow, and what a killed one leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_runs import metadata_engine, read_run_states
from installation import create_installation, remaining_processes, run_command, start_command
from roi_local.environment import AIRFLOW_DATABASE, Home
from roi_local.postgres.server import start_postgres
from roi_local.run_parameters import CONF_VARIABLE

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return create_installation(tmp_path)


def run_states(home: Home) -> list[str]:
    with start_postgres(home.postgres_directory) as postgres:
        engine = metadata_engine(postgres.url(AIRFLOW_DATABASE))
        states = read_run_states(engine)
        engine.dispose()
    return states


def test_run_after_a_killed_one_settles_it_and_ends_with_nothing_left(home: Home) -> None:
    killed = start_command(home, "run", **{CONF_VARIABLE: '{"seed": 9}'})
    assert killed.stdout is not None
    for line in killed.stdout:
        if "epoch 2/2" in line:
            break
    second = run_command(home, "run")
    killed.kill()
    killed.communicate()
    assert remaining_processes(home)

    failing = run_command(home, "run", **{CONF_VARIABLE: '{"seed": 7}'})

    assert second.returncode == 1
    assert "another `make run` or `make up` is just at work" in second.stderr
    assert failing.returncode == 1
    assert "train_model      failed after" in failing.stdout
    assert failing.stderr.startswith(
        "make run: train_model failed: ValueError: seed 7 fails None (log: "
    )
    log_path = Path(failing.stderr.partition("(log: ")[2].rstrip(")\n"))
    assert "INFO roi_forecast.training epoch 2/2: loss 0.5" in log_path.read_text()
    assert remaining_processes(home) == []
    assert run_states(home) == ["failed", "failed"]


def test_dag_that_does_not_import_is_one_line(home: Home) -> None:
    (home.dags_folder / "daily.py").write_text("import nonsense_module  # of an airflow dag\n")

    result = run_command(home, "run")

    assert result.returncode == 1
    assert result.stderr.startswith(
        "make run: daily_roi_forecast did not start: "
        "ModuleNotFoundError: No module named 'nonsense_module' (log: "
    )
    assert result.stderr.count("\n") == 1
    assert remaining_processes(home) == []
