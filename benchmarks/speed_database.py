"""A market database of its own for a benchmark, empty or planted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from planted_market import plant_market, run_id_of, symbols_of, trading_dates
from planted_monitoring import plant_monitoring, plant_rows_by_asset

from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.migrate import migrate
from roi_local.postgres.server import EmbeddedPostgres, start_postgres


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


@contextmanager
def planted_database(assets: int, sessions: int) -> Iterator[tuple[str, dict[str, object]]]:
    """Give the URL of a database with years of forecasts, and a symbol, a day and a run of it."""
    with market_database() as (server, _):
        url = server.url("market")
        engine = create_database_engine(url)
        plant_market(engine, assets=assets, sessions=sessions, versions=5)
        plant_monitoring(engine)
        plant_rows_by_asset(engine)
        engine.dispose()
        yield (
            url,
            {
                "symbol": symbols_of(assets)[assets // 2],
                "day": trading_dates(sessions)[sessions // 2],
                "run_id": quote(run_id_of("reference", trading_dates(sessions)[-1])),
            },
        )
