from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, func, select

from roi_forecast.database.tables import runs
from roi_forecast.errors import ConfigError, PreflightError
from roi_forecast.planning.resolve import resolve_run
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.settings import Settings

# Friday 2025-01-10, 17:15 in New York: every bar of that date is final.
FRIDAY_EVENING = datetime(2025, 1, 10, 22, 15, tzinfo=UTC)


def resolve(
    engine: Engine, settings: Settings, now: datetime = FRIDAY_EVENING, **parameters: Any
) -> ResolvedRun:
    values = {"source": "simulated", **parameters}
    return resolve_run(engine, settings, "run", values, lambda other: True, now=now)


def nothing_is_stored(engine: Engine) -> bool:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(runs)) == 0


@pytest.mark.parametrize(
    ("now", "as_of"),
    [
        (FRIDAY_EVENING, date(2025, 1, 10)),
        (datetime(2025, 1, 10, 22, 14, tzinfo=UTC), date(2025, 1, 9)),
        (datetime(2025, 1, 12, 12, tzinfo=UTC), date(2025, 1, 10)),
        # In summer New York is an hour closer to UTC.
        (datetime(2024, 7, 8, 21, 15, tzinfo=UTC), date(2024, 7, 8)),
        (datetime(2024, 7, 8, 21, 14, tzinfo=UTC), date(2024, 7, 5)),
    ],
)
def test_as_of_date_is_the_last_session_whose_bars_are_all_final(
    market_engine: Engine, settings: Settings, now: datetime, as_of: date
) -> None:
    assert resolve(market_engine, settings, now).as_of_date == as_of


def test_a_given_date_without_a_session_gives_the_session_before(
    market_engine: Engine, settings: Settings
) -> None:
    assert resolve(market_engine, settings, as_of_date="2025-01-05").as_of_date == date(2025, 1, 3)


def test_start_date_is_the_lookback_before_the_as_of_date(
    market_engine: Engine, settings: Settings
) -> None:
    assert resolve(market_engine, settings).start_date == date(2022, 7, 12)
    assert resolve(market_engine, settings, start_date="2023-01-02").start_date == date(2023, 1, 2)


def test_the_run_ends_where_a_shorter_file_ends(
    market_engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    days = pd.bdate_range("2024-01-01", "2024-11-29")
    frame = pd.DataFrame({"symbol": "TCS.NS", "date": days, "volume": 10})
    frame[["open", "high", "low", "close", "adj_close"]] = 100.0
    frame.to_csv(tmp_path / "prices.csv", index=False)
    run = resolve(
        market_engine,
        settings,
        source="csv",
        csv_path=str(tmp_path / "prices.csv"),
        symbols=["TCS.NS"],
    )
    assert run.as_of_date == date(2024, 11, 29)
    assert (run.source_key, run.model_name) == ("csv:prices", "csv")


def test_a_row_ahead_or_of_another_asset_does_not_move_the_end_of_a_file(
    market_engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "prices.csv"
    lines = ["2024-11-28,1", "2024-11-29,1", "2099-01-01,1"]
    rows = [f"TCS.NS,{line},1,1,1,1,1" for line in lines] + ["INFY.NS,2024-12-20,1,1,1,1,1,1"]
    path.write_text("\n".join(["symbol,date,open,high,low,close,adj_close,volume", *rows]))
    run = resolve(market_engine, settings, source="csv", csv_path=str(path), symbols=["TCS.NS"])
    assert run.as_of_date == date(2024, 11, 29)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"as_of_date": "2025-01-13"}, r"as_of_date: received 2025-01-13.*is 2025-01-10"),
        ({"start_date": "2025-01-11"}, r"start_date: received 2025-01-11.*before the as-of date"),
        ({"epoch": 3}, "unknown parameter"),
    ],
)
def test_a_wrong_parameter_is_refused_and_nothing_is_stored(
    market_engine: Engine, settings: Settings, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(market_engine, settings, **parameters)
    assert nothing_is_stored(market_engine)


def test_everything_that_is_missing_is_named_in_one_line(
    market_engine: Engine,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("roi_forecast.planning.preflight.MIN_FREE_DISK_GIB", 1e9)
    monkeypatch.setattr("roi_forecast.planning.preflight.MIN_FREE_MEMORY_GIB", 1e9)
    missing = tmp_path / "missing.csv"
    with pytest.raises(PreflightError) as refusal:
        resolve(market_engine, settings, source="csv", csv_path=str(missing))
    message = str(refusal.value)
    assert "\n" not in message
    for words in ("GiB free; at least", "GiB of memory are free", "missing.csv"):
        assert words in message
    assert nothing_is_stored(market_engine)
