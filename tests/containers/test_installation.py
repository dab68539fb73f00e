"""docker-compose.yaml on a real engine: install, upgrade, kill, back up, destroy, restore.

The tests follow each other in the order of this file.
"""

from __future__ import annotations

import json
import logging
import re
import time

import pytest

from containers.compose import Compose
from containers.conftest import Prepared, use_images
from containers.engine import Engine
from containers.installation import SERVICES, Installation, wait_until
from documentation import all_commands
from roi_production.environment_file import SECRETS

pytestmark = pytest.mark.containers
logger = logging.getLogger(__name__)

# It trains for about half a minute.
LONG = {"epochs": 200, "early_stopping_patience": 200}
MODEL = "in-containers"
TABLES = ("runs", "daily_prices", "model_versions", "predictions", "promotions")


def operations() -> list[str]:
    """Return the commands of docs/operations.md in their order."""
    return [each.text for each in all_commands() if each.page == "docs/operations.md"]


def backup_commands() -> list[str]:
    """Return the documented commands that save an installation, for root."""
    texts = operations()
    first = next(number for number, text in enumerate(texts) if text.startswith("sudo install"))
    last = next(number for number, text in enumerate(texts) if "pg_dump" in text)
    return [text.removeprefix("sudo ") for text in texts[first : last + 1]]


def restore_commands() -> list[str]:
    """Return the documented commands from an empty installation to the restored one."""
    texts = operations()
    first = texts.index("docker compose up --detach postgres")
    return texts[first : texts.index("docker compose up --detach", first) + 1]


def history(installation: Installation) -> dict[str, list[list[str]]]:
    """Return the number of rows of each table, and a checksum over all of them."""
    checksum = "md5(string_agg(row::text, ',' ORDER BY row::text))"
    return {
        table: installation.sql(f"SELECT count(*), {checksum} FROM roi.{table} AS row")
        for table in TABLES
    }


def has_forecasts(installation: Installation, model_name: str) -> bool:
    by_rest = installation.forecasts(model_name)
    assert by_rest == pytest.approx(installation.stored_forecasts(model_name))
    return {symbol for symbol, _ in by_rest} == {"TCS.NS", "GC=F"}


def test_the_revision_before_forecasts(installation: Installation, prepared: Prepared) -> None:
    run_id = installation.trigger(MODEL)
    assert installation.wait_for_end(run_id) == "success"
    assert has_forecasts(installation, MODEL)
    assert f'"{prepared.earlier_revision}"' in str(
        installation.python(
            "worker-cpu", "import os, json; print(json.dumps(os.environ['ROI_CODE_REVISION']))"
        )
    )


def test_upgrade_keeps_forecasts_and_goes_on(
    installation: Installation, prepared: Prepared, engine: Engine
) -> None:
    before = history(installation)
    use_images(engine, "present")
    installation.compose = Compose(engine, prepared.present)
    started = time.monotonic()
    installation.compose("up", "--detach")
    installation.wait_until_healthy()
    logger.info("upgraded in %.0f s", time.monotonic() - started)
    assert history(installation) == before
    assert has_forecasts(installation, MODEL)
    for service in ("api-server", "worker-cpu"):
        statement = "import os; print(os.environ['ROI_CODE_REVISION'])"
        assert installation.python(service, statement) == prepared.revision
    assert installation.wait_for_end(installation.trigger(MODEL)) == "success"


def test_a_run_completes_when_its_worker_is_killed_in_the_middle_of_training(
    installation: Installation,
) -> None:
    run_id = installation.trigger("killed", **LONG)
    state = "/var/lib/roi/data/models/killed/candidates/*/training_state/state.npz"
    found = f"import glob; print(len(glob.glob({state!r})))"
    wait_until(lambda: installation.python("worker-cpu", found) == "1", 300)
    container = installation.container("worker-cpu")
    installation.compose.engine.kill_process(container)
    logger.info("killed the worker")
    assert installation.wait_for_end(run_id) == "success"
    attempts = installation.sql(
        "SELECT max(try_number) FROM task_instance "
        f"WHERE run_id = '{run_id}' AND task_id = 'train_member'",
        "airflow",
    )
    assert attempts == [["2"]]
    log = installation.log(run_id, "train_member", map_index=0)
    assert re.search(r"resuming after epoch \d+ of", log)
    # The engine started it again; nobody else did.
    assert installation.container("worker-cpu") == container
    assert has_forecasts(installation, "killed")
    installation.wait_until_healthy()


def test_a_run_completes_when_postgres_restarts_in_the_middle(installation: Installation) -> None:
    run_id = installation.trigger("restarted", **LONG)
    state = (
        "SELECT count(*) FROM task_instance WHERE state = 'running' "
        f"AND run_id = '{run_id}' AND task_id = 'train_member'"
    )
    wait_until(lambda: installation.sql(state, "airflow") == [["1"]], 300)
    installation.compose("restart", "postgres")
    logger.info("restarted PostgreSQL")
    assert installation.wait_for_end(run_id) == "success"
    assert has_forecasts(installation, "restarted")
    installation.wait_until_healthy()


def test_the_queue_survives_a_restart_of_redis(installation: Installation) -> None:
    installation.compose("restart", "redis")
    assert installation.wait_for_end(installation.trigger("queued")) == "success"
    installation.wait_until_healthy()


def test_no_secret_is_in_a_log_or_in_a_database(installation: Installation) -> None:
    compose = installation.compose
    places = {"output of containers": compose("logs", "--no-color")}
    for name in ("airflow", "market"):
        dump = ["pg_dump", "--username=postgres", "--data-only", name]
        places[name] = compose("exec", "-T", "postgres", *dump)
    every_log = "find /var/lib/roi/logs -type f -exec cat {} +"
    places["logs of tasks"] = compose("exec", "-T", "worker-cpu", "sh", "-c", every_log)
    for image in ("roi-forecast-services", "roi-forecast-cpu"):
        places[image] = compose.engine.docker("history", "--no-trunc", image)
    assert "resolve_run" in places["logs of tasks"]
    for name in SECRETS:
        secret = installation.variables[name]
        assert [place for place, text in places.items() if secret in text] == [], name


def test_a_database_that_this_code_does_not_know_is_refused(installation: Installation) -> None:
    table = "roi.model_versions"
    installation.sql(f"ALTER TABLE {table} ADD COLUMN of_another_revision integer")
    try:
        answer = installation.compose.run("run", "--rm", "init")
        assert answer.returncode != 0
        output = (answer.stdout + answer.stderr).decode()
        assert "of_another_revision" in output
        assert "Traceback" not in output
    finally:
        installation.sql(f"ALTER TABLE {table} DROP COLUMN of_another_revision")
    ((revision,),) = installation.sql("SELECT version_num FROM roi.alembic_version")
    installation.sql("UPDATE roi.alembic_version SET version_num = 'later'")
    try:
        run_id = installation.trigger("refused")
        assert installation.wait_for_end(run_id) == "failed"
        log = installation.log(run_id, "resolve_run")
        assert "ahead of this code, at the unknown revision later" in log
    finally:
        installation.sql(f"UPDATE roi.alembic_version SET version_num = '{revision}'")
    assert installation.compose.run("run", "--rm", "init").returncode == 0


def test_backup_destroy_and_restore_as_documented(
    installation: Installation, prepared: Prepared
) -> None:
    compose = installation.compose
    for command in backup_commands():
        compose.shell(command, prepared.revision)
    before = history(installation)
    forecasts = installation.forecasts(MODEL)
    runs = installation.sql("SELECT count(*) FROM dag_run", "airflow")

    compose("down", "--volumes")
    assert compose.engine.docker("volume", "ls", "--quiet").strip() == ""
    started = time.monotonic()
    for command in restore_commands():
        compose.shell(command, prepared.revision)
    installation.wait_until_healthy()
    logger.info("restored in %.0f s", time.monotonic() - started)

    assert history(installation) == before
    assert installation.forecasts(MODEL) == forecasts
    # Scheduled and triggered runs of the old installation, with their logs' places.
    assert installation.sql("SELECT count(*) FROM dag_run", "airflow") >= runs
    assert installation.wait_for_end(installation.trigger(MODEL)) == "success"


def test_services_stop_once_a_running_task_has_ended_and_the_run_continues_later(
    installation: Installation,
) -> None:
    run_id = installation.trigger(MODEL)
    tasks = f"SELECT state FROM task_instance WHERE run_id = '{run_id}' AND task_id = 'resolve_run'"
    wait_until(lambda: installation.sql(tasks, "airflow") == [["running"]], 120)
    started = time.monotonic()
    installation.compose("stop")
    seconds = time.monotonic() - started
    codes = {}
    for service in SERVICES:
        state = installation.compose.engine.docker(
            "inspect", "--format", "{{json .State}}", installation.container(service)
        )
        codes[service] = json.loads(state)["ExitCode"]
    logger.info("stopped in %.0f s: %s", seconds, codes)
    installation.compose("start")
    installation.wait_until_healthy()
    # 137 would be a kill after the time to stop.
    assert 137 not in codes.values(), codes
    attempts = tasks.replace("SELECT state", "SELECT state, try_number")
    assert installation.sql(attempts, "airflow") == [["success", "1"]]
    assert installation.wait_for_end(run_id) == "success"
