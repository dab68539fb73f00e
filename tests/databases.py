"""Fresh market databases, and where the real prices lie."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from sqlalchemy import Connection, text

from roi_local.postgres.server import EmbeddedPostgres

REAL_PRICES = Path(__file__).parents[2] / "shared" / "market" / "daily_prices.csv.gz"

_numbers = count()


def new_name(purpose: str) -> str:
    """Return a database name that no other test of this session has."""
    return f"{purpose}_{next(_numbers)}"


def ensure_login(connection: Connection, name: str, role: str) -> None:
    """Create a login that is a member of a role; it stays, as roles belong to the whole server."""
    known = connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name})
    if known is None:
        connection.execute(text(f"CREATE ROLE {name} LOGIN IN ROLE {role}"))


@contextmanager
def fresh_market(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    """Give the URL of a fresh, migrated market database."""
    name = new_name("market")
    postgres.create_database(name, template=template)
    yield postgres.url(name)
    postgres.drop_database(name)
