"""The logins of an installation on several machines, from the environment of the job `init`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import URL
from sqlalchemy.engine import make_url

from roi_forecast.settings import (
    DATABASE_URL_VARIABLE,
    METADATA_URL_VARIABLE,
    READER_DATABASE_URL_VARIABLE,
)
from roi_local.errors import LocalError

ADMIN_URL_VARIABLE = "ROI_POSTGRES_ADMIN_URL"
OWNER_URL_VARIABLE = "ROI_OWNER_DATABASE_URL"
ADMINISTRATOR_PASSWORD_VARIABLE = "ROI_ADMINISTRATOR_PASSWORD"  # nosec B105 # noqa: S105, a name

_VARIABLES = {
    "superuser": ADMIN_URL_VARIABLE,
    "owner": OWNER_URL_VARIABLE,
    "pipeline": DATABASE_URL_VARIABLE,
    "pages": READER_DATABASE_URL_VARIABLE,
    "airflow": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "results": "AIRFLOW__CELERY__RESULT_BACKEND",
    "pool_reader": METADATA_URL_VARIABLE,
}
_RESULTS_PREFIX = "db+"


@dataclass(frozen=True)
class Addresses:
    """The logins at PostgreSQL, as SQLAlchemy URLs with user, password and database.

    Attributes:
        superuser: Creates roles and databases.
        owner: Owns the market database and migrates it.
        pipeline: The stages.
        pages: Pages and API, read-only.
        airflow: Owns Airflow's database.
        results: Writes Celery's results, in a schema of its own in Airflow's database.
        pool_reader: Reads the pools in Airflow's database.
    """

    superuser: URL
    owner: URL
    pipeline: URL
    pages: URL
    airflow: URL
    results: URL
    pool_reader: URL

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Addresses:
        """Read the addresses.

        Raises:
            LocalError: A variable is not set, or its URL has no user, password or database.
        """
        return cls(**{name: _read(environment, variable) for name, variable in _VARIABLES.items()})


def _read(environment: Mapping[str, str], variable: str) -> URL:
    text = environment.get(variable, "").removeprefix(_RESULTS_PREFIX)
    if not text:
        raise LocalError(f"the environment variable {variable} is not set")
    url = make_url(text)
    missing = [part for part in ("username", "password", "database") if not getattr(url, part)]
    if missing:
        raise LocalError(f"{variable}: the URL has no {', '.join(missing)}")
    return url
