"""The model name that a page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException

from roi_forecast.reading.records import ModelName
from roi_web.api.shapes import ModelNameFilter
from roi_web.database import ReadConnection


@dataclass(frozen=True)
class Chosen:
    """All model names, and the one that a page shows; None in an empty database."""

    names: list[ModelName]
    name: ModelName | None

    @property
    def model_name(self) -> str | None:
        """The chosen name itself."""
        return self.name.model_name if self.name else None


def _choose(connection: ReadConnection, model_name: ModelNameFilter = None) -> Chosen:
    names, _ = ModelName.read(connection)
    if model_name is not None:
        for name in names:
            if name.model_name == model_name:
                return Chosen(names, name)
        known = ", ".join(name.model_name for name in names) or "none yet"
        raise HTTPException(404, f"there is no model name {model_name!r}; there are: {known}")
    return Chosen(names, max(names, key=_precedence, default=None))


def _precedence(name: ModelName) -> tuple[bool, bool, float]:
    """Prefer a name that serves, then one with real prices, then the one with the newest run."""
    newest = name.last_run_at.timestamp() if name.last_run_at else 0.0
    return name.champion_version_id is not None, not name.simulated, newest


ChosenName = Annotated[Chosen, Depends(_choose)]
"""The model name in the query, else the one that people most likely look for."""
