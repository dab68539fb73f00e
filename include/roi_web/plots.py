"""Stored plots as responses."""

from __future__ import annotations

from fastapi import HTTPException
from fastapi.responses import Response

from roi_forecast.errors import RegistryError
from roi_forecast.registry.plots import Plots


def plot_response(plots: Plots, name: str, owner: str) -> Response:
    """Return a plot that is listed, or 404 if its file is damaged.

    Args:
        plots: The plots of a version or a backtest.
        name: Which of them.
        owner: Whose plots they are, for the error.
    """
    try:
        return Response(plots.read(name), media_type="image/png")
    except (RegistryError, OSError) as error:
        raise HTTPException(404, f"the plot {name!r} of {owner!r} is damaged") from error
