"""A market database of its own for a benchmark."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "include"))

from roi_forecast.database.migrate import migrate
from roi_local.postgres import EmbeddedPostgres, start_postgres


@contextmanager
def market_database() -> Iterator[tuple[EmbeddedPostgres, Path]]:
    """Give a server with the migrated, empty database `market`, and a folder beside it."""
    with tempfile.TemporaryDirectory(prefix="roi-speed-") as directory:
        path = Path(directory)
        # PostgreSQL's own user has to reach its folder.
        path.chmod(0o755)
        with start_postgres(path / "postgres") as server:
            server.create_database("market")
            migrate(server.url("market"))
            yield server, path
