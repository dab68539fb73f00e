"""What must hold after every session, recomputed from the planted prices and from SQL alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Engine, text

from manifests import read_manifest
from roi_forecast.errors import DatasetError, RegistryError
from roi_forecast.registry.training_inputs import candidate_path
from roi_forecast.serving.serving_version import open_champion
from roi_forecast.settings import Settings

SOURCE = "yahoo"
_BAR = ["open", "high", "low", "close", "adj_close", "volume"]
_EXACT = 1e-9


@dataclass
class Memory:
    """What was there after the session before, and what the vendor gave last of each symbol."""

    forecasts: dict[tuple[object, ...], str] = field(default_factory=dict)
    given: dict[str, pd.DataFrame] = field(default_factory=dict)


def check_everything(
    engine: Engine, settings: Settings, model_name: str, memory: Memory, *, scored: bool
) -> None:
    """Check all invariants of a model name.

    Args:
        engine: Market database.
        settings: The installation.
        model_name: The name under which the sessions run.
        memory: Updated to what is there now; `given` holds what the vendor gave.
        scored: Whether the newest run ended with its monitoring, so that live skill is of now.
    """
    with engine.connect() as connection:
        _no_forecast_of_a_past_is_rewritten(connection, model_name, memory)
        _stored_prices_are_those_given(connection, memory)
        _outcomes_are_those_of_the_prices(connection, model_name, memory, scored=scored)
        _nothing_is_claimed(connection, model_name)
        _no_forecast_knows_its_future(connection, model_name)
        _one_version_serves(connection, model_name)
        _files_are_whole(connection, settings, model_name)
    if _has_champion(engine, model_name):
        serving = open_champion(engine, settings.models_directory, model_name)
        link = settings.models_directory / model_name / "champion"
        assert link.resolve() == serving.files.directory.resolve()


def _has_champion(engine: Engine, model_name: str) -> bool:
    query = "SELECT count(*) FROM roi.model_versions WHERE model_name = :name AND state = :state"
    with engine.connect() as connection:
        values = {"name": model_name, "state": "champion"}
        return connection.scalar(text(query), values) == 1


def _no_forecast_of_a_past_is_rewritten(
    connection: Connection, model_name: str, memory: Memory
) -> None:
    rows = connection.execute(
        text(
            "SELECT version_id, symbol, as_of_date, horizon, md5(prediction::text) AS content "
            "FROM roi.predictions AS prediction JOIN roi.model_versions USING (version_id) "
            "WHERE model_name = :name"
        ),
        {"name": model_name},
    ).all()
    found = {tuple(row[:4]): row.content for row in rows}
    assert len(found) == len(rows)
    changed = [key for key, content in memory.forecasts.items() if found.get(key) != content]
    assert not changed, f"forecasts of the past that changed or are lost: {changed[:5]}"
    memory.forecasts = found


def stored_bars(connection: Connection, symbols: list[str]) -> pd.DataFrame:
    """Return all stored bars of the symbols, oldest first."""
    rows = connection.execute(
        text(
            "SELECT symbol, trading_date, open, high, low, close, adj_close, volume "
            "FROM roi.daily_prices WHERE source = :source AND symbol = ANY(:symbols) "
            "ORDER BY symbol, trading_date"
        ),
        {"source": SOURCE, "symbols": symbols},
    )
    return pd.DataFrame(rows.all(), columns=list(rows.keys()))


def _stored_prices_are_those_given(connection: Connection, memory: Memory) -> None:
    stored = dict(list(stored_bars(connection, list(memory.given)).groupby("symbol")))
    for symbol, given in memory.given.items():
        bars = stored[symbol].set_index("trading_date")
        wanted = given.set_index(given["trading_date"].dt.date)
        wanted = wanted[wanted.index >= bars.index[0]]
        lost, more = wanted.index.difference(bars.index), bars.index.difference(wanted.index)
        assert lost.empty, f"{symbol}: bars are lost: {list(lost)[:5]}"
        assert more.empty, f"{symbol}: bars that nobody gave, or of the future: {list(more)[:5]}"
        differ = ~np.isclose(
            bars[_BAR].to_numpy(float), wanted[_BAR].to_numpy(float), rtol=_EXACT, atol=0
        )
        assert not differ.any(), (
            f"{symbol}: stored otherwise than given on {list(bars.index[differ.any(1)])[:5]}"
        )


def _closes(memory: Memory) -> dict[str, pd.Series]:
    return {
        symbol: given.set_index(given["trading_date"].dt.date)["adj_close"]
        for symbol, given in memory.given.items()
    }


def expected_outcomes(forecasts: pd.DataFrame, closes: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Return the forecasts that have an outcome, with the actual ROI in percent."""
    rows = []
    for row in forecasts.itertuples():
        prices = closes[row.symbol]
        if prices.index[-1] < row.target_date:
            continue
        at_start = prices[prices.index <= row.as_of_date].iloc[-1]
        at_target = prices[prices.index <= row.target_date].iloc[-1]
        actual = 100 * (at_target / at_start - 1)
        filled = row.target_date not in prices.index
        rows.append({**row._asdict(), "actual": actual, "filled": filled})
    return pd.DataFrame(rows)


def _outcomes_are_those_of_the_prices(
    connection: Connection, model_name: str, memory: Memory, *, scored: bool
) -> None:
    found = connection.execute(
        text(
            "SELECT prediction.* FROM roi.predictions AS prediction "
            "JOIN roi.model_versions USING (version_id) WHERE model_name = :name"
        ),
        {"name": model_name},
    )
    forecasts = pd.DataFrame(found.all(), columns=list(found.keys()))
    if forecasts.empty:
        return
    expected = expected_outcomes(forecasts, _closes(memory))
    found = connection.execute(
        text("SELECT * FROM roi.outcomes WHERE model_name = :name"),
        {"name": model_name},
    )
    outcomes = pd.DataFrame(found.all(), columns=list(found.keys()))
    assert len(outcomes) == len(expected)
    if expected.empty:
        return
    key = ["version_id", "symbol", "as_of_date", "horizon"]
    both = expected.merge(outcomes, on=key, validate="one_to_one", suffixes=("", "_stored"))
    assert len(both) == len(expected)
    assert np.allclose(both["actual"], both["realised_roi_pct"].astype(float), rtol=0, atol=1e-7)
    assert (both["filled"] == both["filled_target"]).all()
    inside = both["actual"].between(both["lower_80_pct"], both["upper_80_pct"])
    assert (inside == both["inside_80"]).all()
    _track_record_is_that_of_the_outcomes(connection, model_name, expected)
    if scored:
        _live_skill_is_that_of_the_outcomes(connection, model_name, expected)


def _track_record_is_that_of_the_outcomes(
    connection: Connection, model_name: str, outcomes: pd.DataFrame
) -> None:
    own = outcomes[(outcomes["horizon"] == 1) & ~outcomes["filled"]]
    error = (own["actual"] - own["predicted_roi_pct"]).abs()
    inside = own["actual"].between(own["lower_80_pct"], own["upper_80_pct"])
    values = own.assign(forecasts=1, inside_80=inside, sum_of_errors_pct=error)
    names = ["forecasts", "inside_80", "sum_of_errors_pct"]
    expected = values.groupby(["target_date", "backfill"])[names].sum().sort_index()
    found = connection.execute(
        text(
            "SELECT target_date, backfill, forecasts, inside_80, sum_of_errors_pct "
            "FROM roi.track_record_days WHERE model_name = :name"
        ),
        {"name": model_name},
    )
    days = pd.DataFrame(found.all(), columns=["target_date", "backfill", *names])
    stored = days.set_index(["target_date", "backfill"]).sort_index()
    assert stored.index.equals(expected.index)
    assert np.allclose(stored.astype(float), expected.astype(float), rtol=1e-7, atol=1e-7)


def live_skill(outcomes: pd.DataFrame) -> dict[str, float]:
    """Score outcomes of one horizon; the last forecast of an asset and a target counts."""
    own = outcomes.sort_values("created_at", kind="stable")
    own = own.drop_duplicates(["target_date", "symbol"], keep="last")
    error = own["actual"] - own["predicted_roi_pct"]
    # An asset's errors count by the size of its own moves.
    usual = own["actual"].pow(2).groupby(own["symbol"]).transform("mean")
    return {
        "sessions": own["target_date"].nunique(),
        "rows": len(own),
        "mae_pct": error.abs().mean(),
        "mae_of_zero_pct": own["actual"].abs().mean(),
        "r2_against_zero": ((own["actual"].pow(2) - error.pow(2)) / usual).mean(),
        "coverage_80": own["actual"].between(own["lower_80_pct"], own["upper_80_pct"]).mean(),
        "coverage_95": own["actual"].between(own["lower_95_pct"], own["upper_95_pct"]).mean(),
    }


def _live_skill_is_that_of_the_outcomes(
    connection: Connection, model_name: str, outcomes: pd.DataFrame
) -> None:
    as_of = connection.scalar(
        text(
            "SELECT as_of_date FROM roi.runs WHERE model_name = :name "
            "ORDER BY claimed_at DESC LIMIT 1"
        ),
        {"name": model_name},
    )
    known = outcomes[~outcomes["filled"] & ~outcomes["backfill"]]
    known = known[known["target_date"] <= as_of]
    stored = {
        row["horizon"]: row
        for row in connection.execute(
            text(
                "SELECT * FROM roi.live_skill WHERE model_name = :name AND scope = 'model_name' "
                "AND split = 'live' AND newest_sessions IS NULL"
            ),
            {"name": model_name},
        ).mappings()
    }
    for horizon, own in known.groupby("horizon"):
        for name, value in live_skill(own).items():
            got = stored[horizon][name]
            assert np.isclose(got, value, rtol=1e-7), (horizon, name, got, value)


def _nothing_is_claimed(connection: Connection, model_name: str) -> None:
    query = "SELECT run_id FROM roi.runs WHERE model_name = :name AND released_at IS NULL"
    claims = connection.scalars(text(query), {"name": model_name}).all()
    assert len(claims) <= 1


def _no_forecast_knows_its_future(connection: Connection, model_name: str) -> None:
    late = connection.execute(
        text(
            "SELECT count(*) FROM roi.predictions AS prediction "
            "JOIN roi.model_versions AS version USING (version_id) "
            "JOIN roi.datasets AS dataset ON dataset.dataset_id = prediction.dataset_id "
            "WHERE version.model_name = :name AND (version.last_date > prediction.as_of_date "
            "OR dataset.last_date > prediction.as_of_date "
            "OR prediction.target_date <= prediction.as_of_date)"
        ),
        {"name": model_name},
    ).scalar_one()
    assert late == 0


def _one_version_serves(connection: Connection, model_name: str) -> None:
    serving = connection.execute(
        text(
            "SELECT count(*) FILTER (WHERE state = 'champion') AS champions, "
            "(SELECT count(*) FROM roi.promotions WHERE model_name = :name) AS promotions "
            "FROM roi.model_versions WHERE model_name = :name"
        ),
        {"name": model_name},
    ).one()
    assert serving.champions == (1 if serving.promotions else 0)


def _files_are_whole(connection: Connection, settings: Settings, model_name: str) -> None:
    for directory in settings.datasets_directory.glob("[!.]*"):
        read_manifest(directory, DatasetError)
    paths = connection.scalars(
        text(
            "SELECT path FROM roi.model_versions "
            "WHERE model_name = :name AND files_deleted_at IS NULL"
        ),
        {"name": model_name},
    ).all()
    assert len(set(paths)) == len(paths)
    for path in paths:
        read_manifest(settings.models_directory / path, RegistryError)
    runs = connection.scalars(text("SELECT run_id FROM roi.runs")).all()
    known = {settings.models_directory / path for path in paths}
    # A version that serves was copied from the folder of its run's candidate.
    known |= {settings.models_directory / candidate_path(model_name, run) for run in runs}
    folders = {
        folder
        for place in ("versions", "candidates")
        for folder in (settings.models_directory / model_name / place).glob("[!.]*")
    }
    assert folders <= known, f"folders without a version: {folders - known}"


def leftovers(folder: Path, older_than: float) -> list[Path]:
    """Return half-written files and folders whose time stamp is older."""
    return [
        path
        for path in folder.rglob(".*")
        if path.name.endswith((".partial", ".deleted")) and path.lstat().st_mtime < older_than
    ]


def restated(before: pd.DataFrame | None, now: pd.DataFrame) -> tuple[float, float] | None:
    """Return by how much a vendor has rescaled the closes of old bars, None if it has not."""
    if before is None:
        return None
    both = now.merge(before, on="trading_date", suffixes=("", "_before"))
    oldest = both.iloc[0]
    ratios = tuple(
        float(oldest[name] / oldest[f"{name}_before"]) for name in ("close", "adj_close")
    )
    return None if np.allclose(ratios, 1, rtol=1e-5) else (ratios[0], ratios[1])


def corrected(before: pd.DataFrame, now: pd.DataFrame) -> list[tuple[date, float]]:
    """Return the days whose bar a vendor has corrected, with the former closes."""
    both = now.merge(before, on="trading_date", suffixes=("", "_before"))
    other = both[~np.isclose(both["close"], both["close_before"], rtol=_EXACT, atol=0)]
    return list(zip(other["trading_date"].dt.date, other["close_before"], strict=True))
