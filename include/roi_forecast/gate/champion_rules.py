"""The rules that compare a candidate with the version that serves."""

from __future__ import annotations

import math
from dataclasses import replace

from roi_forecast.evaluation.overall_figures import without
from roi_forecast.gate.ruling import Compared, Ruling, figure_of, stored
from roi_forecast.market.calendars import sessions
from roi_forecast.number_text import percent, short, signed, written
from roi_forecast.registry.versions import ModelVersion
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import load_universe, reference_exchange

MIN_REMAINING_SHARE = 0.5
CHAMPION_TOLERANCE = 0.002
"""How far the candidate's R2 or interval score may surely lie behind the champion's: differences
below it are real where both are nearly alike, and matter to nobody."""
ASSET_TOLERANCE = 0.1
"""How far the next-day R2 of a single shared asset may lie below the champion's."""
MIN_COMPARED_SESSIONS = 60
"""Sessions on which neither version was fitted that a comparison with the champion needs."""


def champion_rules(
    run: ResolvedRun,
    candidate: ModelVersion,
    champion: ModelVersion | None,
    opponent: str | None,
    compared: Compared,
) -> list[Ruling]:
    """Judge a candidate against the champion; arguments as of `judge`."""
    if champion is None:
        reason = (
            f"no version serves under the model name {run.model_name} yet: only the absolute rules "
            "apply"
        )
        return [Ruling("champion", None, None, passed=True, reason=reason)]
    rulings = [_real_prices(candidate, champion), _as_of_date(run, champion)]
    if candidate.is_simulated != champion.is_simulated:
        return rulings
    if candidate.version_id != champion.version_id:
        rulings.append(_pace(run, champion))
    rulings.append(_remaining_universe(candidate, champion))
    if opponent != champion.version_id:
        reason = (
            f"the candidate was compared with {opponent}, but {champion.version_id} serves now; "
            "run again"
        )
        missing = Ruling("champion", None, None, passed=False, reason=reason)
        return [*rulings, replace(missing, can_be_overridden=False)]
    return [
        *rulings,
        _compared_sessions(compared),
        _next_day(compared),
        _intervals(compared),
        _worst_asset(compared),
    ]


def _real_prices(candidate: ModelVersion, champion: ModelVersion) -> Ruling:
    passed = champion.is_simulated or not candidate.is_simulated
    reason = (
        f"candidate from {candidate.source}, champion from {champion.source}: "
        + ("nothing simulated replaces real prices" if passed else "simulated never replaces real")
        + ("" if candidate.is_simulated == champion.is_simulated else "; not compared further")
    )
    return Ruling("real_prices", None, None, passed, reason, can_be_overridden=False)


def _as_of_date(run: ResolvedRun, champion: ModelVersion) -> Ruling:
    passed = run.as_of_date >= champion.last_date
    reason = (
        f"the as-of date {run.as_of_date} must not lie before {champion.last_date}, where the "
        "champion's data end"
    )
    return Ruling("as_of_date", None, None, passed, reason, can_be_overridden=False)


def _remaining_universe(candidate: ModelVersion, champion: ModelVersion) -> Ruling:
    remaining = sum(symbol in candidate.symbols for symbol in champion.symbols)
    share = remaining / len(champion.symbols)
    reason = (
        f"{remaining} of the champion's {len(champion.symbols)} assets remain, at least "
        f"{percent(MIN_REMAINING_SHARE)} are required"
    )
    passed = share >= MIN_REMAINING_SHARE
    return Ruling("universe", MIN_REMAINING_SHARE, stored(share), passed, reason)


def _pace(run: ResolvedRun, champion: ModelVersion) -> Ruling:
    exchange = reference_exchange(load_universe().select(champion.symbols))
    passed_by = len(sessions(exchange, champion.last_date, run.as_of_date)) - 1
    required = run.config.min_sessions_between_promotions
    reason = (
        f"sessions since the champion's data ended: {passed_by}, at least {required} are required"
    )
    return Ruling("pace", required, passed_by, passed_by >= required, reason)


def _compared_sessions(compared: Compared) -> Ruling:
    return Ruling(
        "compared_sessions",
        MIN_COMPARED_SESSIONS,
        compared.sessions,
        compared.sessions >= MIN_COMPARED_SESSIONS,
        f"{compared.sessions} sessions are shared that neither was fitted on, at least "
        f"{MIN_COMPARED_SESSIONS} are required",
    )


def _next_day(compared: Compared) -> Ruling:
    ours, theirs = figure_of(compared.candidate_r2), figure_of(compared.champion_r2)
    upper = figure_of(compared.r2_gain_upper)
    reason = (
        f"next-day R2 against zero {signed(ours)} on the shared sessions, the champion's "
        f"{signed(theirs)}; the upper 95 % bound of the difference is {signed(upper)}, at least "
        f"{short(-CHAMPION_TOLERANCE)} is required"
    )
    if math.isnan(upper):
        reason = "the next-day R2 against zero of candidate and champion cannot be compared"
    return Ruling(
        "champion",
        -CHAMPION_TOLERANCE,
        stored(upper),
        # A candidate with a forecast missing has no R2, whatever the bound of the others.
        upper >= -CHAMPION_TOLERANCE and ours == ours,
        reason + without(compared.left_out),
    )


def _intervals(compared: Compared) -> Ruling:
    gain, upper = figure_of(compared.interval_gain), figure_of(compared.interval_gain_upper)
    reason = (
        f"share by which the interval score is better than the champion's: {signed(gain)}, upper "
        f"95 % bound {signed(upper)}, at least {short(-CHAMPION_TOLERANCE)} is required"
    )
    if math.isnan(upper):
        reason = "the interval scores of candidate and champion cannot be compared"
    return Ruling(
        "champion_intervals",
        -CHAMPION_TOLERANCE,
        stored(upper),
        upper >= -CHAMPION_TOLERANCE,
        reason,
    )


def _worst_asset(compared: Compared) -> Ruling:
    asset, drop = max(
        compared.asset_drops.items(), key=lambda item: item[1], default=("", float("nan"))
    )
    reason = f"{asset} loses {written(drop)} of its next-day R2 against zero next to the champion"
    if drop <= 0:
        reason = "no asset loses next-day R2 against zero next to the champion"
    elif math.isnan(drop):
        reason = "no asset has a next-day R2 against zero of both candidate and champion"
    return Ruling(
        "worst_asset",
        ASSET_TOLERANCE,
        stored(drop),
        drop <= ASSET_TOLERANCE,
        f"{reason}; at most {short(ASSET_TOLERANCE)} is allowed{without(compared.left_out)}",
    )
