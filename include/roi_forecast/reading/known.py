"""Whether the model name, version, run or asset that a question is about exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, exists, or_, select

from roi_forecast.reading.experiments import TuningStudy
from roi_forecast.reading.forecasts import Forecast
from roi_forecast.reading.health import AssetHealth
from roi_forecast.reading.model_names import ModelName
from roi_forecast.reading.runs import Run
from roi_forecast.reading.versions import VersionDetails

_MOST_NAMED = 1000


@dataclass(frozen=True)
class _Thing:
    """What a parameter names.

    Attributes:
        name: In words.
        columns: It exists if one of these has its value.
        where: Where people find those that exist.
        are_named: Whether there are so few that an error names them, from the first column.
    """

    name: str
    columns: tuple[ColumnElement[str], ...]
    where: str
    are_named: bool = False


# A symbol is looked up in indices of forecasts first: those of the newest runs take a join.
_THINGS = {
    "model_name": _Thing("model name", (ModelName.view.c.model_name,), "none yet", are_named=True),
    "version_id": _Thing(
        "version", (VersionDetails.view.c.version_id,), "/api/v1/versions lists them"
    ),
    "opponent": _Thing(
        "version", (VersionDetails.view.c.version_id,), "/api/v1/versions lists them"
    ),
    "study": _Thing("study", (TuningStudy.view.c.study,), "/api/v1/tuning-studies lists them"),
    "run_id": _Thing("run", (Run.view.c.run_id,), "/api/v1/runs lists them"),
    "symbol": _Thing(
        "asset",
        (Forecast.view.c.symbol, AssetHealth.view.c.symbol),
        "/api/v1/health/assets lists those of the newest runs",
    ),
}


@dataclass(frozen=True)
class Unknown:
    """What does not exist.

    Attributes:
        parameter: The parameter that names it.
        thing: What it would be, in words.
        value: Its name.
        known: Names of those that exist, if they are few.
        where: Where to find those that exist.
    """

    parameter: str
    thing: str
    value: str
    known: list[str]
    where: str


def find_unknown(connection: Connection, values: Mapping[str, object]) -> Unknown | None:
    """Return the first of some parameters whose value names nothing that exists.

    Args:
        connection: As `roi_reader`.
        values: By name of the parameter; others and None are skipped.
    """
    for parameter, value in values.items():
        thing = _THINGS.get(parameter)
        if thing is None or not isinstance(value, str):
            continue
        found = select(or_(*(exists().where(column == value) for column in thing.columns)))
        if connection.execute(found).scalar_one():
            continue
        known: list[str] = []
        if thing.are_named:
            column = thing.columns[0]
            known = list(connection.scalars(select(column).order_by(column).limit(_MOST_NAMED)))
        return Unknown(parameter, thing.name, value, known, thing.where)
    return None
