"""The job `init`, which runs first: databases, migrations, pools, roles, a first login."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

from roi_forecast.database.migrate import migrate
from roi_forecast.settings import POOLS
from roi_local.command import run_command
from roi_local.errors import LocalError
from roi_production.databases import create_databases, grant_pools
from roi_production.settings import ADMINISTRATOR_PASSWORD_VARIABLE, Addresses

logger = logging.getLogger(__name__)

ADMINISTRATOR = "admin"


def initialise(addresses: Addresses, administrator_password: str) -> None:
    """Prepare a server for this code; runs again at every upgrade.

    Args:
        addresses: Every login at PostgreSQL.
        administrator_password: Password of Airflow's user `admin` if this creates that user.

    Raises:
        LocalError: Airflow's migration failed.
    """
    create_databases(addresses)
    migrate(addresses.owner.render_as_string(hide_password=False))
    logger.info("the market database is up to date")
    # This includes the tables of its login manager.
    _airflow("db", "migrate")
    create_pools()
    grant_pools(addresses)
    create_administrator(administrator_password)
    logger.info("the installation is ready")


def create_pools() -> None:
    """Create the missing pools; the slots of others stay as a person has set them."""
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session

    with create_session() as session:
        for name, slots in POOLS.items():
            if Pool.get_pool(name, session=session) is None:
                Pool.create_or_update_pool(name, slots, "", include_deferred=False, session=session)


def create_administrator(password: str) -> None:
    """Create Airflow's roles and, if missing, the user `admin`."""
    # Airflow's command takes the password as an argument, which every process can read.
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as application:
        manager = application.sm
        manager.sync_roles()
        # Airflow shows the pages of plugins only to roles that may read plugins.
        permission = manager.create_permission("can_read", "Plugins")
        for name in ("Viewer", "User"):
            manager.add_permission_to_role(manager.find_role(name), permission)
        if manager.find_user(username=ADMINISTRATOR) is None:
            role = manager.find_role("Admin")
            manager.add_user(ADMINISTRATOR, "", "", "admin@localhost", role, password=password)
            logger.info("created the user %s", ADMINISTRATOR)


def _airflow(*arguments: str) -> None:
    command = [sys.executable, "-m", "airflow", *arguments]
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if answer.returncode != 0:
        output = answer.stdout.decode(errors="replace").strip()
        raise LocalError(f"airflow {' '.join(arguments)} failed:\n{output}")


def _main() -> None:
    logging.getLogger().setLevel(logging.INFO)
    password = os.environ.get(ADMINISTRATOR_PASSWORD_VARIABLE)
    if not password:
        raise LocalError(f"the environment variable {ADMINISTRATOR_PASSWORD_VARIABLE} is not set")
    initialise(Addresses.from_environment(), password)


if __name__ == "__main__":
    run_command("init", _main)
