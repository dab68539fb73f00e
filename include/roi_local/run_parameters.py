"""The parameters of `make run`, `make backtest` and `make tune`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from roi_forecast.config import Config, RunConfig
from roi_forecast.planning.parameter_check import check_start
from roi_forecast.quoting import named, quoted
from roi_forecast.settings import Settings
from roi_local.environment import Home
from roi_local.errors import LocalError
from roi_local.stack import is_stack_up

SOURCE_VARIABLE = "ROI_SOURCE"
CSV_VARIABLE = "ROI_CSV"
CONF_VARIABLE = "ROI_CONF"


def run_parameters(
    environment: Mapping[str, str],
    kind: type[Config] = RunConfig,
) -> dict[str, Any]:
    """Return the checked parameters of a run: CONF, which wins over SOURCE and CSV.

    Args:
        environment: Holds SOURCE, CSV and CONF under their variables; each may be empty.
        kind: The kind of run.

    Raises:
        LocalError: CONF is not a JSON object, or CSV names nothing.
        ConfigError: A parameter is unknown, out of bounds or contradicts another one.
        PreflightError: There is no file or folder at csv_path, or ROI_PUBLISH is wrong.
    """
    csv = environment.get(CSV_VARIABLE, "")
    source = environment.get(SOURCE_VARIABLE, "")
    conf: dict[str, Any] = {"source": source or ("csv" if csv else "simulated")}
    if csv:
        path = Path(csv).expanduser().resolve()
        # Path.exists raises on a name that the system does not accept.
        if not os.path.exists(path):  # noqa: PTH110
            raise LocalError(
                f"CSV: received {quoted(csv)}, but there is no file or folder {named(path)}"
            )
        conf["csv_path"] = str(path)
    conf |= _parse_conf(environment.get(CONF_VARIABLE, ""))
    # The live stack, which would carry the run out, has an environment of its own.
    settings = None if is_stack_up(Home.from_environment()) else Settings.of_prices()
    usual = {} if settings is None else {"publish": settings.publish}
    check_start(kind, {**usual, **conf}, now=datetime.now(UTC), settings=settings)
    return conf


def _parse_conf(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    example = "for example CONF='{\"epochs\": 20}'"
    try:
        conf = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise LocalError(
            f"CONF: received {quoted(text)}, which is not JSON ({error}); {example}"
        ) from None
    if not isinstance(conf, dict):
        raise LocalError(f"CONF: received {quoted(text)}; it has to be a JSON object, {example}")
    return conf


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
