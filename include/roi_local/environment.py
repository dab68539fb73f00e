"""The folders of a local installation, and the environment of Airflow's processes."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from roi_forecast.quoting import quoted
from roi_forecast.settings import (
    DATA_DIRECTORY_VARIABLE,
    DATABASE_URL_VARIABLE,
    METADATA_URL_VARIABLE,
    READER_DATABASE_URL_VARIABLE,
)
from roi_local.errors import LocalError
from roi_local.postgres.server import AIRFLOW_DRIVER, EmbeddedPostgres
from roi_local.private_files import create_private_folder, resolve_own_path, write_private
from roi_local.process_environment import process_environment

HOME_VARIABLE = "ROI_HOME"
PORT_VARIABLE = "ROI_PORT"
DAGS_FOLDER_VARIABLE = "ROI_DAGS_FOLDER"

REPOSITORY = Path(__file__).resolve().parents[2]
AIRFLOW_DATABASE = "airflow"
MARKET_DATABASE = "market"
ADMINISTRATOR = "admin"
PIPELINE_LOGIN = "roi_pipeline"
PAGES_LOGIN = "roi_pages"
PERSON_LOGIN = "roi_person"
RUN_PURPOSE = "run"
UP_PURPOSE = "up"


@dataclass(frozen=True)
class Home:
    """The folder that holds all files of a local installation.

    Attributes:
        directory: The folder itself, absolute.
        dags_folder: Folder of the DAGs.
    """

    directory: Path
    dags_folder: Path = REPOSITORY / "dags"

    @classmethod
    def from_environment(cls) -> Home:
        """Return the folder named by `ROI_HOME`, or `.roi` in the repository.

        Raises:
            LocalError: The path leads through a link of another user.
        """
        directory = os.environ.get(HOME_VARIABLE) or REPOSITORY / ".roi"
        dags_folder = os.environ.get(DAGS_FOLDER_VARIABLE) or REPOSITORY / "dags"
        return cls(resolve_own_path(Path(directory)), resolve_own_path(Path(dags_folder)))

    @property
    def postgres_directory(self) -> Path:
        """PostgreSQL's data directory."""
        return self.directory / "postgres"

    @property
    def airflow_directory(self) -> Path:
        """AIRFLOW_HOME."""
        return self.directory / "airflow"

    @property
    def task_logs_directory(self) -> Path:
        """Logs of the tasks of the live stack."""
        return self.airflow_directory / "logs"

    @property
    def logs_directory(self) -> Path:
        """Logs of `make run` and of the processes of `make up`."""
        return self.directory / "logs"

    @property
    def data_directory(self) -> Path:
        """Datasets, models and caches."""
        return self.directory / "data"

    @property
    def secrets_file(self) -> Path:
        """The secrets that are generated once."""
        return self.directory / "secrets.json"

    @property
    def stack_file(self) -> Path:
        """Where the live stack answers, for other commands."""
        return self.directory / "stack.json"

    def lock(self, purpose: str) -> Path:
        """Return the file whose lock `make run` or `make up` holds.

        `make up` holds that of `make run` as well while it starts.
        """
        return self.directory / f"{purpose}.lock"

    def events_file(self, purpose: str) -> Path:
        """Return the file of the events of runs that `make run` or `make up` carries out."""
        return self.directory / f"{purpose}_events.jsonl"

    def mark(self, purpose: str) -> str:
        """Return the mark of the processes that `make run` or `make up` starts."""
        return f"{self.directory}:{purpose}"


@dataclass(frozen=True)
class Secrets:
    """Generated once per installation."""

    administrator_password: str
    fernet_key: str
    jwt_secret: str
    api_secret: str


def load_secrets(home: Home) -> Secrets:
    """Read the installation's secrets, generating them on first use (file mode 600)."""
    path = home.secrets_file
    if not path.exists():
        create_private_folder(home.directory)
        content = {
            "administrator_password": secrets.token_urlsafe(12),
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "jwt_secret": secrets.token_urlsafe(64),
            "api_secret": secrets.token_urlsafe(32),
        }
        write_private(path, json.dumps(content, indent=2))
    return Secrets(**json.loads(path.read_text(encoding="utf-8")))


def airflow_environment(
    home: Home,
    postgres: EmbeddedPostgres,
    *,
    port: int = 8080,
    inherited: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """Return the environment of Airflow's processes and of the tasks they run.

    It starts from the variables that `process_environment` lets through. Writes the file with the
    administrator's password, which Airflow's simple login reads.

    Args:
        home: The installation.
        postgres: The server that holds both databases.
        port: TCP port of the API server on 127.0.0.1.
        inherited: The environment to start from.
    """
    known = load_secrets(home)
    passwords_file = home.airflow_directory / "passwords.json"
    create_private_folder(home.airflow_directory)
    write_private(passwords_file, json.dumps({ADMINISTRATOR: known.administrator_password}))
    metadata_url = postgres.url(AIRFLOW_DATABASE, AIRFLOW_DRIVER)
    address = f"http://127.0.0.1:{port}"
    return process_environment(inherited) | {
        DATABASE_URL_VARIABLE: postgres.url(MARKET_DATABASE, login=PIPELINE_LOGIN),
        READER_DATABASE_URL_VARIABLE: postgres.url(MARKET_DATABASE, login=PAGES_LOGIN),
        DATA_DIRECTORY_VARIABLE: str(home.data_directory),
        METADATA_URL_VARIABLE: metadata_url,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "SCARF_ANALYTICS": "false",
        "AIRFLOW_HOME": str(home.airflow_directory),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home.dags_folder),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(max(4, min(16, os.cpu_count() or 4))),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": known.fernet_key,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMINISTRATOR}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords_file),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": postgres.url(AIRFLOW_DATABASE),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__SECRET_KEY": known.api_secret,
        "AIRFLOW__API_AUTH__JWT_SECRET": known.jwt_secret,
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        # A file that changes is read at once; this is for what its DAG reads elsewhere.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
    }


def chosen_port(default: int) -> int:
    """Return the TCP port that PORT names, or the default.

    Raises:
        LocalError: PORT is no port.
    """
    text = os.environ.get(PORT_VARIABLE) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise LocalError(f"PORT: received {quoted(text)}; it has to be a number from 1 to 65535")
    return int(text)
