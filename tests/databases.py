"""Fresh market databases, and where the real prices lie."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from roi_local.postgres import EmbeddedPostgres

REAL_PRICES = Path(__file__).parents[2] / "shared" / "market" / "daily_prices.csv.gz"

_numbers = count()


def new_name(purpose: str) -> str:
    """Return a database name that no other test of this session has."""
    return f"{purpose}_{next(_numbers)}"


@contextmanager
def fresh_market(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    """Give the URL of a fresh, migrated market database."""
    name = new_name("market")
    postgres.create_database(name, template=template)
    yield postgres.url(name)
    postgres.drop_database(name)
