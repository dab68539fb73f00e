"""A market database as it would look after years of daily runs, without the runs.

Prices are random walks, forecasts are close to zero and their intervals about right, so that pages
and API can be shown, tested and timed with any number of assets and sessions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Engine, Table, insert, text

from roi_forecast.database import tables
from roi_forecast.database.counting import count_outcomes
from roi_forecast.evaluation.overall_figures import overall_figures
from roi_forecast.evaluation.scores import Score
from roi_forecast.labels import rule_label

LAST_DATE = date(2026, 11, 20)
RULES = ("no_skill", "next_day", "coverage_80", "pace", "champion", "r2_target", "verdict")
LIVE_SESSIONS = 63

_MISSING = ("high", "low")
_STAGES = (
    "resolve_run",
    "extract_prices",
    "check_prices",
    "build_dataset",
    "plan_training",
    "train_member",
    "combine_members",
    "evaluate_model",
    "decide_promotion",
    "reject_model",
    "forecast",
    "monitor_champion",
)
_STEP_PCT = 1.3
_Z_80, _Z_95 = 1.2816, 1.96
_COPY = 20_000


def trading_dates(sessions: int, last_date: date = LAST_DATE) -> list[date]:
    """Return that many weekdays up to a date, oldest first."""
    dates: list[date] = []
    day = last_date
    while len(dates) < sessions:
        if day.weekday() < 5:
            dates.append(day)
        day -= timedelta(days=1)
    return dates[::-1]


def symbols_of(assets: int) -> list[str]:
    """Return made-up Yahoo symbols; the first ones carry every odd character that real ones do."""
    odd = ["GC=F", "M&M.NS", "^NSEI"]
    return [*odd, *(f"ASSET{number:03}.NS" for number in range(assets))][:assets]


def plant_market(
    engine: Engine,
    *,
    assets: int,
    sessions: int,
    model_name: str = "reference",
    source: str = "yahoo",
    versions: int = 3,
    seed: int = 0,
    context: Sequence[str] = (),
) -> str:
    """Store prices, versions, runs and a forecast of every session by the version then serving.

    The newest version serves; the one before it was rejected, all others are retired. The newest
    run has one failed extraction and one failed check where there is more than one asset.

    With context assets, each moves and adds something every session; the last of them lacks its
    newest bar.

    Returns:
        The version that serves.
    """
    random = np.random.default_rng(seed)
    symbols, dates = symbols_of(assets), trading_dates(sessions)
    steps = random.standard_t(5, (sessions, assets)) * _STEP_PCT / np.sqrt(5 / 3)
    prices = random.uniform(20, 3000, assets) * np.cumprod(1 + steps / 100, axis=0)
    names = [f"{model_name}-version-{number:02}" for number in range(versions)]
    serving = [name for name in names if name != names[-2]] if versions > 1 else names
    _store(
        engine,
        tables.assets,
        (
            {
                "symbol": symbol,
                "name": f"{symbol.partition('.')[0].title()} Company",
                "asset_class": "stock",
                "exchange": "NSE",
                "calendar": "XBOM",
                "currency": "INR",
            }
            for symbol in symbols
        ),
        skip_known=True,
    )
    _store(
        engine,
        tables.assets,
        (
            {
                "symbol": symbol,
                "name": f"Context {number}",
                "asset_class": "index",
                "exchange": "NYSE",
                "calendar": "XNYS",
                "currency": "USD",
            }
            for number, symbol in enumerate(context)
        ),
        skip_known=True,
    )
    _store_prices(engine, source, symbols, dates, prices)
    _store_versions(engine, model_name, source, symbols, dates, names, serving, context)
    _store_forecasts(engine, model_name, source, symbols, dates, serving, random, context)
    _store_runs(engine, model_name, source, symbols, dates)
    with engine.begin() as connection:
        count_outcomes(connection)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return names[-1]


def _store(
    engine: Engine, table: Table, rows: Iterable[dict[str, Any]], *, skip_known: bool = False
) -> None:
    values = list(rows)
    statement = insert(table)
    if skip_known:
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        statement = postgresql_insert(table).on_conflict_do_nothing()
    with engine.begin() as connection:
        for first in range(0, len(values), _COPY):
            connection.execute(statement, values[first : first + _COPY])


def _copy(
    engine: Engine, table: Table, columns: list[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    statement = f"COPY {table.fullname} ({', '.join(columns)}) FROM STDIN"
    connection = engine.raw_connection()
    try:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
        connection.commit()
    finally:
        connection.close()


def _moment(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def run_id_of(model_name: str, day: date) -> str:
    """Return the id of the run of a model name on a day."""
    return f"scheduled__{model_name}__{day}T22:15:00+00:00"


def _store_prices(
    engine: Engine, source: str, symbols: list[str], dates: list[date], prices: np.ndarray
) -> None:
    columns = [
        "source",
        "symbol",
        "trading_date",
        "open",
        "high",
        "low",
        "close",
        "adj_close",
        "volume",
        "fetched_at",
    ]
    _copy(
        engine,
        tables.daily_prices,
        columns,
        (
            (source, symbol, day, *[float(prices[row, column])] * 5, 1000, _moment(day, 22))
            for row, day in enumerate(dates)
            for column, symbol in enumerate(symbols)
        ),
    )


def _overall(planted: Sequence[tuple[str, str, str, float]], dates: list[date]) -> dict[str, Any]:
    """Return the figures of a version's record, as an evaluation stores them."""
    scores = [
        Score(predictor, target, None, "test", dates[0], dates[-1], 1, metric, value)
        for predictor, target, metric, value in planted
    ]
    figures = overall_figures(scores).items()
    return {name: value for name, value in figures if isinstance(value, float) and value == value}


def _store_versions(
    engine: Engine,
    model_name: str,
    source: str,
    symbols: list[str],
    dates: list[date],
    names: list[str],
    serving: list[str],
    context: Sequence[str],
) -> None:
    first = {"source": source, "symbols": symbols, "first_date": dates[0], "last_date": dates[-1]}
    _store(
        engine,
        tables.datasets,
        [
            {
                "dataset_id": f"{model_name}-data",
                **first,
                "as_of_date": dates[-1],
                "rows": len(dates),
                "path": "-",
                "manifest": {"missing_columns": {symbols[0]: list(_MISSING)}},
            }
        ],
    )
    rows, scores, promotions, decisions = [], [], [], []
    live_scores: list[dict[str, Any]] = []
    for number, name in enumerate(names):
        day = dates[len(dates) * number // len(names)]
        # A version forecasts from the last day of its data on.
        last = (
            dates[-(-len(dates) * serving.index(name) // len(serving))] if name in serving else day
        )
        run_id = run_id_of(model_name, day)
        state = "champion" if name == names[-1] else "retired" if name in serving else "rejected"
        planted = [
            ("model", "smoothed_scaled", "r2", 0.765 + 0.003 * (number % 4)),
            ("linear", "smoothed_scaled", "r2", 0.768),
            ("persistence", "smoothed_scaled", "r2", 0.55),
            ("zero", "smoothed_scaled", "r2", 0.77),
            ("no_skill", "smoothed_scaled", "r2", 0.788),
            ("model", "smoothed_scaled", "mae", 0.058),
            ("model", "smoothed_scaled", "rmse", 0.078),
            *_estimates("next_day_pct", "r2_against_zero", -0.0003, 0.0008),
            *_estimates("gap_pct", "r2_against_zero", 0.0312, 0.0052),
            *_estimates("open_to_close_pct", "r2_against_zero", -0.0006, 0.0007),
            *_estimates("next_day_pct", "r2_gain_over_linear", 0.0001, 0.0006),
            ("model", "next_day_pct", "directional_accuracy", 0.506),
            ("model", "next_day_pct", "coverage_80", 0.803),
            ("model", "next_day_pct", "coverage_95", 0.951),
        ]
        rows.append(
            {
                "version_id": name,
                "model_name": model_name,
                "state": state,
                "fingerprint": name,
                "run_id": run_id,
                "dataset_id": f"{model_name}-data",
                **first,
                "last_date": last,
                "hyperparameters": {"architecture": "hybrid", "epochs": 120},
                "metrics": _overall(planted, dates) | {"network_factor": 0.08},
                "seed": number,
                "code_revision": "planted",
                "path": "-",
                "checksum": "-",
                "created_at": _moment(day, 22),
                "context_symbols": list(context),
            }
        )
        for predictor, target, metric, value in planted:
            scores.append(
                {
                    "run_id": run_id,
                    "version_id": name,
                    "dataset_id": f"{model_name}-data",
                    "predictor": predictor,
                    "target": target,
                    "split": "test",
                    "metric": metric,
                    "value": value,
                    "first_date": dates[0],
                    "last_date": dates[-1],
                    "rows": len(dates) * len(symbols),
                }
            )
        for rule in RULES:
            passed = name in serving or rule not in ("champion", "verdict")
            reason = (
                ("all 6 rules passed" if passed else "champion: R2 0.7560 against 0.7710")
                if rule == "verdict"
                else f"the figure of {rule_label(rule)} is {'kept' if passed else 'broken'}"
            )
            decisions.append(
                {
                    "run_id": run_id,
                    "version_id": name,
                    "rule": rule,
                    "opponent": names[number - 1] if number else None,
                    "decisive": rule != "r2_target",
                    "threshold": 0.738,
                    "observed": 0.765,
                    "passed": passed,
                    "reason": reason,
                    "decided_at": _moment(day, 23),
                }
            )
        if name in serving:
            place = serving.index(name)
            promotions.append(
                {
                    "model_name": model_name,
                    "version_id": name,
                    "from_version_id": serving[place - 1] if place else None,
                    "promoted_by": f"gate of run {run_id}",
                    "reason": "all 6 rules passed",
                    "promoted_at": _moment(day, 23),
                }
            )
        if context and name == names[-1]:
            newest = scores[-1] | {
                "run_id": run_id_of(model_name, dates[-1]),
                "predictor": "served",
                "split": "live",
                "newest_sessions": LIVE_SESSIONS,
            }
            live = [("served", "roi_pct", "sessions", float(min(len(dates) - 1, LIVE_SESSIONS)))]
            for target in ("roi_pct", "gap_pct", "open_to_close_pct"):
                live += _estimates(target, "r2_against_zero", 0.0151, 0.0103)
            live_scores += [
                newest | {"target": target, "metric": metric, "value": value}
                for _, target, metric, value in live
            ]
    _store(engine, tables.model_versions, rows)
    _store(engine, tables.evaluations, scores)
    _store(engine, tables.evaluations, live_scores)
    _store(engine, tables.gate_decisions, decisions)
    _store(engine, tables.promotions, promotions)


def _estimates(
    target: str, metric: str, value: float, error: float
) -> list[tuple[str, str, str, float]]:
    """Return predictor, target, metric and value of a figure, its bounds and its t."""
    figures = {
        "": value,
        "_lower_95": value - 2 * error,
        "_upper_95": value + 2 * error,
        "_t": value / error,
    }
    return [("model", target, f"{metric}{bound}", figure) for bound, figure in figures.items()]


def _store_forecasts(
    engine: Engine,
    model_name: str,
    source: str,
    symbols: list[str],
    dates: list[date],
    serving: list[str],
    random: np.random.Generator,
    context: Sequence[str],
) -> None:
    columns = [
        "version_id",
        "symbol",
        "as_of_date",
        "horizon",
        "target_date",
        "run_id",
        "source",
        "dataset_id",
        "predicted_roi_pct",
        "predicted_smoothed_roi_pct",
        "lower_80_pct",
        "upper_80_pct",
        "lower_95_pct",
        "upper_95_pct",
        "backfill",
        "created_at",
        "gap_roi_pct",
        "open_to_close_roi_pct",
        "missing_context",
        "context",
    ]
    shape = (len(dates), len(symbols))
    middles = random.normal(0, 0.05, shape)
    scales = _STEP_PCT * random.lognormal(0, 0.25, shape)
    targets = [*dates[1:], dates[-1] + timedelta(days=3)]

    moves = random.normal(0, 1, (len(dates), len(context)))
    effects = [
        json.dumps(
            {
                symbol: {"move_pct": move, "added_pct": 0.1 * move}
                for symbol, move in zip(context, of_day, strict=True)
            }
        )
        for of_day in moves.tolist()
    ]

    def rows() -> Iterable[tuple[Any, ...]]:
        for row, day in enumerate(dates):
            late = list(context[-1:]) if row == len(dates) - 1 else []
            version = serving[len(serving) * row // len(dates)]
            for column, symbol in enumerate(symbols):
                middle, scale = float(middles[row, column]), float(scales[row, column])
                yield (
                    version,
                    symbol,
                    day,
                    1,
                    targets[row],
                    run_id_of(model_name, day),
                    source,
                    f"{model_name}-data",
                    middle,
                    middle / 5,
                    middle - _Z_80 * scale,
                    middle + _Z_80 * scale,
                    middle - _Z_95 * scale,
                    middle + _Z_95 * scale,
                    row < len(dates) // 10,
                    _moment(day, 23),
                    0.8 * middle,
                    0.2 * middle,
                    late,
                    effects[row],
                )

    _copy(engine, tables.predictions, columns, rows())


def _store_runs(
    engine: Engine,
    model_name: str,
    source: str,
    symbols: list[str],
    dates: list[date],
) -> None:
    _store(
        engine,
        tables.runs,
        [
            {
                "run_id": run_id_of(model_name, day),
                "model_name": model_name,
                "source": source,
                "as_of_date": day,
                "published_at": _moment(day, 22),
                "resolved": {"config": {"symbols": symbols}},
                "claimed_at": _moment(day, 22),
                "released_at": _moment(day, 23),
            }
            for day in dates
        ],
    )
    _store(
        engine,
        tables.run_starts,
        [
            {
                "run_id": run_id_of(model_name, day),
                "dag_id": "daily_roi_forecast",
                "model_name": model_name,
                "started_at": _moment(day, 22),
            }
            for day in dates
        ],
    )
    stages = [(day, stage) for day in dates for stage in _STAGES]
    with engine.begin() as connection:
        attempt_ids = connection.scalars(
            insert(tables.stage_attempts).returning(
                tables.stage_attempts.c.attempt_id, sort_by_parameter_order=True
            ),
            [
                {
                    "run_id": run_id_of(model_name, day),
                    "stage": stage,
                    "map_index": -1,
                    "attempt": 1,
                    "started_at": _moment(day, 22),
                }
                for day, stage in stages
            ],
        ).all()
    _store(
        engine,
        tables.stage_endings,
        [
            {
                "attempt_id": attempt_id,
                "ended_at": _moment(day, 23),
                "outcome": "succeeded",
                "ends_run": stage == _STAGES[-1],
            }
            for attempt_id, (day, stage) in zip(attempt_ids, stages, strict=True)
        ],
    )
    newest = run_id_of(model_name, dates[-1])
    failing = symbols[1] if len(symbols) > 1 else None
    _store(
        engine,
        tables.extractions,
        [
            {
                "run_id": newest,
                "symbol": symbol,
                "source": source,
                "requested_start": dates[0],
                "requested_end": dates[-1],
                "status": "failed" if symbol == failing else "ok",
                "rows": 0 if symbol == failing else 1,
                "error": "the source asked to be left alone (429)" if symbol == failing else None,
                "missing_columns": (
                    None if symbol == failing else list(_MISSING if symbol == symbols[0] else ())
                ),
                "finished_at": _moment(dates[-1], 22),
            }
            for symbol in symbols
        ],
    )
    if failing is not None:
        _store(
            engine,
            tables.price_checks,
            [
                {
                    "run_id": newest,
                    "source": source,
                    "symbol": symbols[0],
                    "trading_date": dates[-1],
                    "check_name": "jump",
                    "severity": "warn",
                    "passed": False,
                    "observed": 0.12,
                    "allowed": 0.1,
                    "message": "the close moved by 12.0 %, more than 10.0 %",
                    "checked_at": _moment(dates[-1], 22),
                }
            ],
        )
