"""An environment and a home folder that are set up for everything but this project."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

POSTGRES = {
    "PGHOST": "elsewhere.invalid",
    "PGHOSTADDR": "192.0.2.1",
    "PGPORT": "1",
    "PGDATABASE": "another",
    "PGUSER": "nobody",
    "PGPASSWORD": "wrong",
    "PGPASSFILE": "/dev/null/passwords",
    "PGSERVICE": "another",
    "PGSERVICEFILE": "/dev/null/services",
    "PGSYSCONFDIR": "/nonexistent",
    "PGOPTIONS": "-c search_path=nowhere -c default_transaction_read_only=on",
    "PGTZ": "Pacific/Auckland",
    "PGDATESTYLE": "SQL, DMY",
    "PGCLIENTENCODING": "LATIN5",
    "PGGEQO": "off",
    "PGAPPNAME": "another",
    "PGCONNECT_TIMEOUT": "-1",
    "PGTARGETSESSIONATTRS": "standby",
    "PGLOADBALANCEHOSTS": "random",
    "PGDATA": "/nonexistent",
}
KERAS = {
    "KERAS_BACKEND": "torch",
    "KERAS_MAX_EPOCHS": "1",
    "KERAS_MAX_STEPS_PER_EPOCH": "1",
    "TF_USE_LEGACY_KERAS": "1",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
    "XLA_FLAGS": "--no_such_flag=1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}
PYTHON = {
    "PYTHONWARNINGS": "error",
    "PYTHONHOME": "/nonexistent",
    "PYTHONPATH": "/nonexistent",
    "PYTHONSTARTUP": "/nonexistent",
    "PYTHONOPTIMIZE": "2",
    "PYTHONINSPECT": "1",
    "PYTHONHASHSEED": "7",
    "PYTHONUTF8": "0",
    "PYTHONIOENCODING": "ascii",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONDEVMODE": "1",
    "PANDAS_FUTURE": "nonsense",
    "PANDAS_COPY_ON_WRITE": "warn",
    "MPLBACKEND": "nonsense",
    "LC_ALL": "tr_TR.ISO-8859-9",
    "TZ": "Pacific/Auckland",
    "GIT_DIR": "/nonexistent",
}
AIRFLOW = {
    "AIRFLOW_HOME": "/nonexistent",
    "AIRFLOW_CONFIG": "/nonexistent/airflow.cfg",
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CORE__DAGS_FOLDER": "/nonexistent",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://elsewhere.invalid/another",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "NONSENSE",
    "AIRFLOW_CONN_X": "nonsense",
    "ALEMBIC_CONFIG": "/nonexistent",
    "SQLALCHEMY_WARN_20": "1",
    "WEB_CONCURRENCY": "9",
    "http_proxy": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
}
VARIABLES = POSTGRES | KERAS | PYTHON | AIRFLOW

KERAS_FILES = {
    "float64": json.dumps({"floatx": "float64", "epsilon": 0.5}),
    "float16": json.dumps({"floatx": "float16", "image_data_format": "channels_first"}),
    "another backend": json.dumps({"backend": "torch", "floatx": "decimal"}),
}
"""What ~/.keras/keras.json may hold."""


def write_home(folder: Path, keras: str = KERAS_FILES["float64"]) -> Path:
    """Write what a home folder may hold for other programs."""
    files = {
        ".keras/keras.json": keras,
        ".pgpass": "*:*:*:*:wrong\n",
        ".pg_service.conf": "[another]\nhost=elsewhere.invalid\n",
        ".psqlrc": "DROP SCHEMA roi CASCADE;\n\\pset format html\n",
        ".config/matplotlib/matplotlibrc": "text.usetex: True\nsavefig.dpi: 1\n",
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o600)
    return folder


def run(
    command: list[str], environment: dict[str, str], place: Path
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command,
        env=environment,
        cwd=place,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
