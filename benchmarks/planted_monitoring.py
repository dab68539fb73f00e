"""What watching a champion would have stored beside the rows of `planted_market.py`.

Each run scores the serving version and all that served under the name, checks the champion, and
measures every asset's drift, as `roi_forecast.monitoring` does; here the figures are made up.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Engine,
    Subquery,
    Text,
    cast,
    func,
    insert,
    literal,
    select,
    text,
    true,
)

from roi_forecast.database.tables import (
    assets,
    drift,
    evaluations,
    extractions,
    live_checks,
    model_versions,
    predictions,
    runs,
)

_MEASURES = (
    "mae",
    "r2_against_zero",
    "r2_against_persistence",
    "coverage_80",
    "coverage_95",
    "directional_accuracy",
)
_METRICS = (
    "sessions",
    "mae_of_zero",
    "mae_of_persistence",
    *(f"{name}{bound}" for name in _MEASURES for bound in ("", "_lower_95", "_upper_95")),
)
_CHECKED = ("r2_against_zero", "coverage_80", "coverage_95")
_WINDOW = 60
_PREDICTORS = ("model", "linear", "zero")
_SPLITS = ("train", "validation", "test")


def plant_monitoring(engine: Engine) -> None:
    """Store scores, checks and drift of each run whose forecasts are stored."""
    forecast = predictions.c
    of_runs = (
        select(
            forecast.run_id,
            forecast.version_id,
            forecast.dataset_id,
            forecast.as_of_date,
            func.min(forecast.as_of_date).over().label("first_date"),
        )
        .where(forecast.horizon == 1)
        .distinct()
        .subquery()
    )
    predictors, metrics = _each("predictor", ("model", "served")), _each("metric", _METRICS)
    windows = select(func.unnest(text(f"ARRAY[{_WINDOW}, NULL]::integer[]")).label("newest"))
    newest = windows.subquery()
    scores = {
        "run_id": of_runs.c.run_id,
        "version_id": of_runs.c.version_id,
        "dataset_id": of_runs.c.dataset_id,
        "predictor": predictors.c.predictor,
        "target": literal("roi_pct"),
        "split": literal("live"),
        "newest_sessions": newest.c.newest,
        "first_date": of_runs.c.first_date,
        "last_date": of_runs.c.as_of_date,
        "rows": literal(1),
        "metric": metrics.c.metric,
        "value": func.random(),
    }
    measures = _each("measure", _CHECKED)
    model_name = func.split_part(of_runs.c.version_id, "-version-", 1)
    checks = {
        "run_id": of_runs.c.run_id,
        "horizon": literal(1),
        "measure": measures.c.measure,
        "model_name": model_name,
        "version_id": of_runs.c.version_id,
        "as_of_date": of_runs.c.as_of_date,
        "scope": literal("version"),
        "sessions": literal(_WINDOW),
        "threshold": literal(0.0),
        "observed": func.random(),
        "upper_95": func.random() + 1,
        "state": literal("passed"),
        "reason": literal("planted"),
        "checked_at": _at(of_runs.c.as_of_date),
    }
    moved = {
        "run_id": forecast.run_id,
        "symbol": forecast.symbol,
        "model_name": func.split_part(forecast.version_id, "-version-", 1),
        "version_id": forecast.version_id,
        "as_of_date": forecast.as_of_date,
        "training_first_date": forecast.as_of_date - 900,
        "training_last_date": forecast.as_of_date - 180,
        "window_first_date": forecast.as_of_date - 90,
        "window_last_date": forecast.as_of_date,
        "window_rows": literal(_WINDOW),
        "wasserstein": func.random(),
        "wasserstein_limit": literal(0.98),
        "wasserstein_percentile": func.random(),
        "scale_ratio": 0.5 + func.random(),
        "scale_ratio_low": literal(0.5),
        "scale_ratio_high": literal(1.5),
        "drifting": func.random() > 0.98,
        "measured_at": _at(forecast.as_of_date),
    }
    every_kind = of_runs.join(predictors, true()).join(metrics, true())
    of_forecasts = select(*moved.values()).where(forecast.horizon == 1)
    with engine.begin() as connection:
        connection.execute(
            insert(evaluations).from_select(
                list(scores),
                select(*scores.values()).select_from(every_kind.join(newest, true())),
            )
        )
        connection.execute(
            insert(live_checks).from_select(
                list(checks),
                select(*checks.values()).select_from(of_runs.join(measures, true())),
            )
        )
        connection.execute(insert(drift).from_select(list(moved), of_forecasts))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _each(name: str, values: tuple[str, ...]) -> Subquery:
    return select(func.unnest(literal(list(values), ARRAY(Text))).label(name)).subquery()


def _at(day: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(day, DateTime(timezone=True)) + timedelta(hours=23)


def plant_rows_by_asset(engine: Engine) -> None:
    """Store what runs store of each asset: extractions of 36 runs, figures of the newest versions.

    Args:
        engine: Market database as `plant_market` leaves it, with one model name.
    """
    run, extraction, version = runs.c, extractions.c, model_versions.c
    newest = select(func.max(run.as_of_date)).scalar_subquery()
    newest_run = select(run.run_id).where(run.as_of_date == newest).scalar_subquery()
    others = [column for column in extractions.columns if column.name != "run_id"]
    figures = {"predictor": _PREDICTORS, "split": _SPLITS, "metric": _MEASURES}
    values = {
        name: func.unnest(cast(list(each), ARRAY(Text)))
        .table_valued(name, name=f"{name}s")
        .render_derived()
        for name, each in figures.items()
    }
    score = {
        **{name: version[name] for name in ("run_id", "version_id", "dataset_id")},
        **{name: version[name] for name in ("first_date", "last_date")},
        **{name: each.c[name] for name, each in values.items()},
        "symbol": assets.c.symbol,
        "target": literal("next_day_pct"),
        "rows": literal(100),
        "value": literal(0.5),
    }
    source = model_versions.join(assets, true())
    for each in values.values():
        source = source.join(each, true())
    with engine.begin() as connection:
        connection.execute(
            insert(extractions).from_select(
                ["run_id", *(column.name for column in others)],
                select(run.run_id, *others)
                .select_from(extractions.join(runs, true()))
                .where(
                    extraction.run_id == newest_run,
                    run.as_of_date < newest,
                    run.as_of_date > newest - 50,
                ),
            )
        )
        connection.execute(
            insert(evaluations).from_select(
                list(score),
                select(*score.values())
                .select_from(source)
                .where(version.state.in_(["champion", "rejected"])),
            )
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
