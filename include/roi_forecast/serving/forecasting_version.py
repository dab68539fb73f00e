"""Which version forecasts an as-of date: one that knows no later day, or none."""

from __future__ import annotations

import logging

from sqlalchemy import Engine

from roi_forecast.data_path import DataPath
from roi_forecast.errors import NoChampionError, NothingToForecastError
from roi_forecast.gate.decide import judge_alone
from roi_forecast.registry.versions import ModelVersion, find_version, open_version
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.serving.fallback import open_whole_champion
from roi_forecast.serving.serving_version import ServingVersion

logger = logging.getLogger(__name__)


def open_forecasting_version(
    engine: Engine, run: ResolvedRun, candidate_id: str | None, models_directory: DataPath
) -> ServingVersion:
    """Open the champion or, for a date inside the champion's data, the run's own candidate.

    A version's data are all rows that any of its numbers saw: training, validation and test rows,
    of which the last is the as-of date of the run that trained it. What it gives for an earlier
    date is no forecast. So a run of the past forecasts with what it trained itself from the prices
    of its day, as if the champion did not serve yet: only if the candidate passes the rules that
    do not look at a champion.

    Args:
        engine: Market database.
        run: The resolved run.
        candidate_id: The version that the run trained; None where it is not decided on yet.
        models_directory: Folder of the registry.

    Returns:
        The version, its files checked.

    Raises:
        NothingToForecastError: No version serves, or the champion knows days after the as-of date
            and the run has no candidate that may take its place.
        DamagedVersionError: The champion's files are missing or damaged, and no version before can
            take its place; or those of the candidate are.
        RegistryError: The champion cannot be opened by this code, or the candidate's files were
            deleted.
    """
    try:
        champion = open_whole_champion(engine, models_directory, run.model_name, run.run_id)
    except NoChampionError as error:
        raise NothingToForecastError(str(error)) from error
    if champion.version.last_date <= run.as_of_date:
        return champion
    known = (
        f"champion {champion.version.version_id} knows the days up to "
        f"{champion.version.last_date}, so it cannot forecast as of {run.as_of_date}"
    )
    if candidate_id is None:
        raise NothingToForecastError(f"{known}, and the run's candidate is not decided on yet")
    candidate = _require_candidate(engine, run, candidate_id, champion.version, known)
    logger.info("%s; the run's own candidate %s does", known, candidate_id)
    return ServingVersion(candidate, open_version(candidate, models_directory))


def _require_candidate(
    engine: Engine, run: ResolvedRun, candidate_id: str, champion: ModelVersion, known: str
) -> ModelVersion:
    with engine.connect() as connection:
        candidate = find_version(connection, candidate_id)
        verdict = judge_alone(connection, run, candidate)
    if candidate.last_date > run.as_of_date:
        reason = f"knows the days up to {candidate.last_date}"
    elif candidate.source != champion.source:
        reason = f"has prices of {candidate.source}, the champion of {champion.source}"
    elif not verdict.promoted:
        reason = f"was rejected: {verdict.reason}"
    else:
        return candidate
    raise NothingToForecastError(f"{known}; the run's candidate {candidate_id} {reason}")
