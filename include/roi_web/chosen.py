"""The model name that a page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import ColumnElement, or_

from roi_forecast.reading.forecast_age import OldForecasts, read_old_forecasts
from roi_forecast.reading.model_names import ModelName
from roi_forecast.reading.runs import Run
from roi_web.api.shapes import ModelNameFilter, require_known
from roi_web.database import ReadConnection


@dataclass(frozen=True)
class Chosen:
    """All model names, and the one that a page shows; None in an empty database.

    Attributes:
        names: All of them.
        name: The one that is shown.
        old: How old its newest forecasts are, where newer ones were due.
    """

    names: list[ModelName]
    name: ModelName | None
    old: OldForecasts | None = None

    @property
    def model_name(self) -> str | None:
        """The chosen name itself."""
        return self.name.model_name if self.name else None

    @property
    def has_run(self) -> ColumnElement[bool]:
        """The condition on a run that the page shows it.

        One that was refused at its start may have no name, or one without a page: every page shows
        it.
        """
        name = Run.view.c.model_name
        known = [each.model_name for each in self.names]
        return or_(name == self.model_name, name.is_(None), name.not_in(known))


def choose(
    request: Request, connection: ReadConnection, model_name: ModelNameFilter = None
) -> Chosen:
    """Return the name that a page asks for, else the one that people most likely look for."""
    names, _ = ModelName.read(connection)
    if model_name is None:
        name = max(names, key=_precedence, default=None)
    else:
        name = next((each for each in names if each.model_name == model_name), None)
        if name is None:
            require_known(connection, model_name=model_name)
    if name is None:
        return Chosen(names, None)
    state = request.app.state
    old = read_old_forecasts(connection, name, state.dag_id, state.clock(), state.deadline)
    return Chosen(names, name, old)


def chosen_for(request: Request, connection: ReadConnection, model_name: str | None) -> Chosen:
    """Return the name of what a page shows; one without anything to show counts as none."""
    known = ModelName.view.c.model_name == model_name
    named = bool(ModelName.read(connection, known)[0])
    return choose(request, connection, model_name if named else None)


def _precedence(name: ModelName) -> tuple[bool, bool, float]:
    """Prefer a name that serves, then one with real prices, then the one with the newest run."""
    newest = name.last_run_at.timestamp() if name.last_run_at else 0.0
    return name.champion_version_id is not None, not name.simulated, newest


ChosenName = Annotated[Chosen, Depends(choose)]
"""The model name in the query, else the one that people most likely look for."""
