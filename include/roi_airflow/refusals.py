"""Why a run would be refused as soon as it starts, said without importing Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from roi_forecast.config import (
    BacktestRunConfig,
    Config,
    RetentionConfig,
    RollbackConfig,
    RunConfig,
    TuningRunConfig,
    parameter_schemas,
)
from roi_forecast.errors import RoiForecastError
from roi_forecast.planning.parameter_check import check_start
from roi_forecast.settings import Settings, usual_publish

KINDS: Mapping[str, type[Config]] = {
    "daily_roi_forecast": RunConfig,
    "backtest_roi_forecast": BacktestRunConfig,
    "tune_roi_forecast": TuningRunConfig,
    "roll_back_champion": RollbackConfig,
    "prune_registry": RetentionConfig,
}
"""The kind of run of each DAG."""


def form_defaults(kind: type[Config]) -> dict[str, Any]:
    """Return the value of every parameter in a form that nobody has touched.

    Args:
        kind: The kind of run.
    """
    defaults = {name: schema["default"] for name, schema in parameter_schemas(kind).items()}
    return {**defaults, "publish": usual_publish()} if "publish" in defaults else defaults


def refusal(
    dag_id: str, conf: Mapping[str, Any], *, now: datetime, settings: Settings | None
) -> str | None:
    """Return why a run with a conf would be refused as soon as it starts; None: it would not.

    Args:
        dag_id: One of `KINDS`.
        conf: What a person or a program gave; the trigger form sends every parameter.
        now: A moment that is not before the one at which the run is due, with time zone.
        settings: What tasks find in their environment; None: it is not known here.
    """
    kind = KINDS[dag_id]
    try:
        form = form_defaults(kind)
        given = explicit_parameters(conf, form)
        usual = {"publish": form["publish"]} if "publish" in form else {}
        check_start(kind, {**usual, **given}, now=now, settings=settings)
    except RoiForecastError as error:
        return " ".join(str(error).split())
    return None


def explicit_parameters(conf: Mapping[str, Any], form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a person gave, without those that the form left untouched.

    The trigger form sends every parameter. One with the form's own value was not chosen, so a
    preset may replace it.

    Args:
        conf: The conf of the run.
        form: Default of every parameter of the form.
    """
    if not form.keys() <= conf.keys():
        return dict(conf)
    return {name: value for name, value in conf.items() if name not in form or value != form[name]}
