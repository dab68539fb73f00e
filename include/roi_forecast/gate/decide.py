"""Deciding on a candidate from the stored figures, and storing the decision rule by rule."""

from __future__ import annotations

import logging

from sqlalchemy import Connection, Engine, delete, insert, select

from roi_forecast.database.tables import datasets, evaluations, gate_decisions
from roi_forecast.evaluation.evaluate import INTERVAL_GAIN, R2, R2_GAIN, SESSIONS, UPPER
from roi_forecast.evaluation.stored_evaluation import COMMON
from roi_forecast.features.leakage import LeakageAudit
from roi_forecast.gate.rules import judge
from roi_forecast.gate.ruling import Compared, Ruling, Verdict
from roi_forecast.labels import rule_label
from roi_forecast.registry.carried_out import VERDICT, CarriedOut, find_carried_out
from roi_forecast.registry.versions import ModelVersion, find_champion, find_version
from roi_forecast.runs.resolved_run import ResolvedRun

logger = logging.getLogger(__name__)


def decide_promotion(
    engine: Engine, run: ResolvedRun, version_id: str, opponent: str | None
) -> Verdict:
    """Judge the evaluated candidate and store every ruling in `gate_decisions`.

    Deciding again for the same run replaces what was stored, unless the version was promoted
    since: then the decision stays as it is.

    Args:
        engine: Market database.
        run: The resolved run, with its tolerances.
        version_id: The candidate.
        opponent: The version that `evaluate_model` compared it with, or None.

    Raises:
        RegistryError: There is no such version.
    """
    with engine.begin() as connection:
        candidate = find_version(connection, version_id)
        carried_out = find_carried_out(connection, run.run_id, version_id)
        if carried_out is not None:
            logger.info("version %s was promoted for this run already", version_id)
            return _stored_verdict(connection, run.run_id, version_id, carried_out)
        champion = find_champion(connection, run.model_name)
        verdict = judge(
            run,
            candidate,
            champion,
            opponent,
            _compared(connection, run.run_id, version_id),
            _audit(connection, candidate.dataset_id),
        )
        judged_against = champion.version_id if champion else None
        summary = Ruling(VERDICT, None, None, verdict.promoted, verdict.reason)
        connection.execute(
            delete(gate_decisions).where(
                gate_decisions.c.run_id == run.run_id, gate_decisions.c.version_id == version_id
            )
        )
        connection.execute(
            insert(gate_decisions),
            [
                {
                    "run_id": run.run_id,
                    "version_id": version_id,
                    "rule": ruling.rule,
                    "opponent": judged_against,
                    "decisive": ruling.decisive,
                    "threshold": ruling.threshold,
                    "observed": ruling.observed,
                    "passed": ruling.passed,
                    "reason": ruling.reason,
                }
                for ruling in (*verdict.rulings, summary)
            ],
        )
    for ruling in verdict.rulings:
        mark = "passed" if ruling.passed else "failed"
        logger.info("%s %s: %s", rule_label(ruling.rule), mark, ruling.reason)
    outcome = "passed" if verdict.promoted else "rejected"
    logger.info("version %s %s: %s", version_id, outcome, verdict.reason)
    return verdict


def _stored_verdict(
    connection: Connection, run_id: str, version_id: str, decision: CarriedOut
) -> Verdict:
    """Return a decision that was carried out, as it is stored."""
    stored = gate_decisions.c
    rulings = connection.execute(
        select(
            stored.rule,
            stored.threshold,
            stored.observed,
            stored.passed,
            stored.reason,
            stored.decisive,
        )
        .where(stored.run_id == run_id, stored.version_id == version_id, stored.rule != VERDICT)
        .order_by(stored.decisive.desc(), stored.rule)
    )
    return Verdict(
        tuple(Ruling(**row) for row in rulings.mappings()), promoted=True, reason=decision.reason
    )


def judge_alone(connection: Connection, run: ResolvedRun, candidate: ModelVersion) -> Verdict:
    """Judge a candidate as if no version served under its name; nothing is stored.

    Args:
        connection: Market database.
        run: The resolved run, with its tolerances.
        candidate: The evaluated version.
    """
    audit = _audit(connection, candidate.dataset_id)
    return judge(run, candidate, None, None, Compared(), audit)


def _audit(connection: Connection, dataset_id: str) -> LeakageAudit | None:
    manifest = connection.scalar(
        select(datasets.c.manifest).where(datasets.c.dataset_id == dataset_id)
    )
    return None if manifest is None else LeakageAudit.from_manifest(manifest)


def _compared(connection: Connection, run_id: str, version_id: str) -> Compared:
    rows = connection.execute(
        select(
            evaluations.c.predictor,
            evaluations.c.symbol,
            evaluations.c.metric,
            evaluations.c.value,
        ).where(
            evaluations.c.run_id == run_id,
            evaluations.c.version_id == version_id,
            evaluations.c.target == COMMON,
        )
    )
    figures = {(row.predictor, row.symbol, row.metric): row.value for row in rows}
    drops, left_out = {}, {}
    for (predictor, symbol, metric), value in figures.items():
        if predictor != "model" or not symbol:
            continue
        theirs = figures.get(("champion", symbol, metric))
        if value is None or theirs is None:
            left_out[symbol] = "its price does not move on the shared sessions"
        else:
            drops[symbol] = theirs - value
    return Compared(
        candidate_r2=figures.get(("model", None, R2)),
        champion_r2=figures.get(("champion", None, R2)),
        r2_gain_upper=figures.get(("model", None, R2_GAIN + UPPER)),
        interval_gain=figures.get(("model", None, INTERVAL_GAIN)),
        interval_gain_upper=figures.get(("model", None, INTERVAL_GAIN + UPPER)),
        sessions=int(figures.get(("model", None, SESSIONS)) or 0),
        asset_drops=drops,
        left_out=left_out,
    )
