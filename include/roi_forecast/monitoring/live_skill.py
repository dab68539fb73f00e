"""Scores of live forecasts and checks of the champion's limits: computed, stored and logged."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, delete, insert

from roi_forecast.database.tables import evaluations, live_checks
from roi_forecast.evaluation.scores import GAP, OPEN_TO_CLOSE
from roi_forecast.evaluation.skill import Estimate
from roi_forecast.labels import horizon_label
from roi_forecast.monitoring.champion_checks import ChampionCheck, check_champion, judged_sessions
from roi_forecast.monitoring.live_scores import LiveScores, score_outcomes
from roi_forecast.monitoring.outcomes import arrange, load_outcomes
from roi_forecast.number_text import with_bounds, written
from roi_forecast.registry.versions import ModelVersion
from roi_forecast.runs.resolved_run import ResolvedRun

logger = logging.getLogger(__name__)

LIVE, BACKFILL = "live", "backfill"
OWN, SERVED = "model", "served"


@dataclass(frozen=True)
class _Scored:
    """Scores of the forecasts of one split and horizon.

    Attributes:
        split: `live`: made before their target session opened. `backfill`: made later.
        horizon: Reference sessions from the as-of to the target date.
        predictor: `model`: the champion. `served`: every version that served under the name.
        newest_sessions: Only this many of the newest target sessions count; None for all.
        scores: The figures.
    """

    split: str
    horizon: int
    predictor: str
    newest_sessions: int | None
    scores: LiveScores


def watch_live_skill(
    engine: Engine, run: ResolvedRun, champion: ModelVersion
) -> tuple[ChampionCheck, ...]:
    """Score stored forecasts, compare the champion's live scores with their limits, store both.

    Backfills are scored separately and never judged, since their outcome could have been known.

    Args:
        engine: Market database.
        run: The resolved run; no target after its as-of date counts.
        champion: The version that serves.

    Returns:
        The checks of every horizon with a live outcome; without any outcome, those of the next
        session, in state `too_few`.
    """
    with engine.connect() as connection:
        forecasts = load_outcomes(connection, champion, run.as_of_date)
    scored = list(_score(champion, forecasts))
    live = [each for each in scored if each.split == LIVE]
    checks: list[ChampionCheck] = []
    for horizon in sorted({each.horizon for each in live}) or [1]:
        newest = {
            each.predictor: each.scores
            for each in live
            if each.horizon == horizon and each.newest_sessions is not None
        }
        for predictor, scores in newest.items():
            if predictor == OWN or scores is not newest.get(OWN):
                _log_scores(champion, horizon, predictor, scores)
        checks += check_champion(horizon, newest.get(OWN), newest.get(SERVED))
    with engine.begin() as connection:
        _store_scores(connection, run, champion, scored)
        _store_checks(connection, run, champion, checks)
    _log_checks(champion, checks)
    return tuple(checks)


def _score(champion: ModelVersion, forecasts: pd.DataFrame) -> Iterator[_Scored]:
    horizons: list[int] = sorted(forecasts["horizon"].unique().tolist())
    for split, horizon in product((LIVE, BACKFILL), horizons):
        of_split = forecasts["backfill"] == (split == BACKFILL)
        served = forecasts[of_split & (forecasts["horizon"] == horizon)]
        window = judged_sessions(horizon)
        own = served[served["version_id"] == champion.version_id]
        of_served = _newest_and_all(served, horizon, window)
        # If only the champion ever served, these are the same forecasts.
        of_own = of_served if len(own) == len(served) else _newest_and_all(own, horizon, window)
        for predictor, found in ((OWN, of_own), (SERVED, of_served)):
            for newest_sessions, scores in found.items():
                yield _Scored(split, horizon, predictor, newest_sessions, scores)


def _newest_and_all(
    forecasts: pd.DataFrame, horizon: int, window: int
) -> Mapping[int | None, LiveScores]:
    if forecasts.empty:
        return {}
    outcomes = arrange(forecasts, horizon)
    newest = score_outcomes(outcomes.newest(window))
    everything = newest if outcomes.sessions <= window else score_outcomes(outcomes)
    return {window: newest, None: everything}


def _store_scores(
    connection: Connection, run: ResolvedRun, champion: ModelVersion, scored: Sequence[_Scored]
) -> None:
    connection.execute(
        delete(evaluations).where(
            evaluations.c.run_id == run.run_id, evaluations.c.split.in_((LIVE, BACKFILL))
        )
    )
    rows: list[dict[str, Any]] = [
        {
            "run_id": run.run_id,
            "version_id": champion.version_id,
            "dataset_id": champion.dataset_id,
            "predictor": each.predictor,
            "target": target,
            "split": each.split,
            "horizon": each.horizon,
            "newest_sessions": each.newest_sessions,
            "first_date": each.scores.first_date,
            "last_date": each.scores.last_date,
            "rows": each.scores.rows,
            "metric": metric,
            "value": value if math.isfinite(value) else None,
        }
        for each in scored
        for target, metric, value in each.scores.figures()
    ]
    if rows:
        connection.execute(insert(evaluations), rows)


def _store_checks(
    connection: Connection,
    run: ResolvedRun,
    champion: ModelVersion,
    checks: Sequence[ChampionCheck],
) -> None:
    connection.execute(delete(live_checks).where(live_checks.c.run_id == run.run_id))
    connection.execute(
        insert(live_checks),
        [
            {
                "run_id": run.run_id,
                "model_name": run.model_name,
                "version_id": champion.version_id,
                "as_of_date": run.as_of_date,
                **vars(check),
            }
            for check in checks
        ],
    )


def _log_scores(champion: ModelVersion, horizon: int, predictor: str, scores: LiveScores) -> None:
    own = f"champion {champion.version_id}"
    found = scores.estimates
    logger.info(
        "%s, %s, newest %d live sessions up to %s: MAE %s %% (zero %s, persistence %s), R2 against "
        "zero %s, 80 %% coverage %s, 95 %% coverage %s",
        own if predictor == OWN else f"all versions that served under {champion.model_name}",
        horizon_label(horizon),
        scores.sessions,
        scores.last_date,
        *(written(found[name].value) for name in ("mae", "mae_of_zero", "mae_of_persistence")),
        _bounded(found["r2_against_zero"]),
        *(written(found[name].value, 3) for name in ("coverage_80", "coverage_95")),
    )
    if scores.parts:
        gap, rest = (scores.parts[target]["r2_against_zero"] for target in (GAP, OPEN_TO_CLOSE))
        logger.info(
            "of the same forecasts R2 against zero of the opening gap %s, from there to the close "
            "%s",
            _bounded(gap),
            _bounded(rest),
        )
    if scores.missing_context:
        logger.warning(
            "%d of these forecasts were made without a bar of a context asset that was due; "
            "missing_context of roi.outcomes names the asset",
            scores.missing_context,
        )


def _log_checks(champion: ModelVersion, checks: Sequence[ChampionCheck]) -> None:
    for horizon in sorted({check.horizon for check in checks}):
        own = [check for check in checks if check.horizon == horizon]
        below = [check for check in own if check.state == "below"]
        for check in below:
            logger.warning(
                "champion %s is below its limit: %s",
                champion.version_id,
                check.reason,
            )
        too_few = next((check for check in own if check.state == "too_few"), None)
        if too_few is not None:
            logger.info("%s: not judged: %s", horizon_label(horizon), too_few.reason)
        elif not below:
            logger.info(
                "champion %s passes its %d limits, %s",
                champion.version_id,
                len(own),
                horizon_label(horizon),
            )


def _bounded(found: Estimate) -> str:
    return with_bounds(found.value, found.lower_95, found.upper_95)
