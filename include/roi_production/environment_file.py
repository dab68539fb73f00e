"""`make env`: writes the file `.env` for docker-compose.yaml, with new secrets."""

from __future__ import annotations

import base64
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from roi_local.command import run_command
from roi_local.environment import REPOSITORY, write_private
from roi_local.errors import LocalError

ENVIRONMENT_FILE = REPOSITORY / ".env"


def _password() -> str:
    # Letters, digits, - and _ only, for URLs and for a file that Compose expands.
    return secrets.token_urlsafe(24)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _long_secret() -> str:
    return secrets.token_urlsafe(64)


SECRETS: dict[str, tuple[str, Callable[[], str]]] = {
    "POSTGRES_PASSWORD": ("PostgreSQL's superuser; only the job init uses it", _password),
    "AIRFLOW_DATABASE_PASSWORD": ("owner of Airflow's database", _password),
    "AIRFLOW_RESULTS_PASSWORD": ("writes Celery's results, and nothing else", _password),
    "ROI_OWNER_PASSWORD": ("owner of the market database; only the job init uses it", _password),
    "ROI_PIPELINE_PASSWORD": ("the stages: member of roi_writer", _password),
    "ROI_PAGES_PASSWORD": ("pages and API: member of roi_reader", _password),
    "ROI_POOL_READER_PASSWORD": ("reads the names of Airflow's pools", _password),
    "REDIS_PASSWORD": ("the queue of tasks", _password),
    "AIRFLOW_FERNET_KEY": ("encrypts connections in Airflow's database", _fernet_key),
    "AIRFLOW_API_SECRET": ("signs sessions of the pages", _long_secret),
    "AIRFLOW_JWT_SECRET": ("signs the tokens of people and tasks", _long_secret),
    "AIRFLOW_ADMINISTRATOR_PASSWORD": ("login of the user admin, until changed", _password),
}
"""The purpose of each secret, and how to create it."""

SETTINGS = {
    "ROI_CPU_QUEUES": (
        "queues of the CPU worker; `default` alone once a GPU worker runs",
        "default,gpu",
    ),
    "COMPOSE_PROFILES": ("any of gpu, tensorboard, separated by commas", ""),
    "ROI_CPUS": ("processors that one service may use; at most what the machine has", "2"),
    "AIRFLOW_PORT": ("port on 127.0.0.1 at which pages and API answer", "8080"),
}
"""The purpose of each setting, and its first value."""


def write_environment(path: Path) -> list[str]:
    """Add what is missing to the file and keep the rest. Only its owner may read it.

    Args:
        path: The file; it need not exist.

    Returns:
        The names that were added.

    Raises:
        LocalError: A line is neither empty, a comment nor NAME=value, or the path is not a regular
            file.
    """
    lines = []
    if path.is_file() and not path.is_symlink():
        lines = path.read_text(encoding="utf-8").splitlines()
    known = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = re.match(r"([A-Za-z_][A-Za-z0-9_]*)=", line)
        if found is None:
            raise LocalError(f"{path}, line {number}: expected NAME=value, a comment or nothing")
        known.add(found[1])
    added = []
    wanted = {name: (purpose, make()) for name, (purpose, make) in SECRETS.items()} | SETTINGS
    for name, (purpose, value) in wanted.items():
        if name not in known:
            added.append(name)
            lines += [f"# {purpose}", f"{name}={value}"]
    write_private(path, "\n".join(lines) + "\n")
    return added


def _main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ENVIRONMENT_FILE
    added = write_environment(path)
    print(f"{path}: {', '.join(added)} added" if added else f"{path} is complete")
    print(
        "It contains the secrets of the installation: keep it private, and a copy in a safe place."
    )


if __name__ == "__main__":
    run_command("env", _main)
