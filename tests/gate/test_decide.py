"""The comparison with the champion, from both models' forecasts to the stored decision."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from roi_forecast.database.tables import evaluations, gate_decisions
from roi_forecast.evaluation import evaluate
from roi_forecast.evaluation.evaluate import COMMON, evaluate_model
from roi_forecast.files.verified import VerifiedDirectory
from roi_forecast.forecaster.forecaster import Forecaster
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.gate import champion_rules
from roi_forecast.gate.champion_rules import CHAMPION_TOLERANCE
from roi_forecast.gate.decide import decide_promotion
from roi_forecast.gate.ruling import Verdict
from roi_forecast.runs.resolved_run import ResolvedRun
from serving_version import Served

CANDIDATE = "noisy"


class Noisy(Forecaster):
    """The champion's forecasts with an error of their own on some days."""

    def forecast(self, rows: Any, origins: range, *arguments: Any, **options: Any) -> Forecasts:
        forecasts = super().forecast(rows, origins, *arguments, **options)
        generator = np.random.default_rng(len(origins))
        days = generator.random((len(origins), 1)) < 0.2
        noise = days * generator.normal(0, 0.005, forecasts.log_roi[0].shape)
        return replace(forecasts, log_roi=forecasts.log_roi + noise)


@pytest.fixture
def evaluated(served: Served, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """The opponent of a candidate that is a little worse, on few days that say so."""
    served.add_candidate(CANDIDATE)

    def load(files: VerifiedDirectory) -> Forecaster:
        forecaster = Forecaster.load(files)
        return Noisy(**vars(forecaster)) if files.directory.name == CANDIDATE else forecaster

    monkeypatch.setattr(evaluate, "Forecaster", SimpleNamespace(load=load))
    outcome = served.outcome
    return evaluate_model(served.engine, run_of(served), outcome.dataset, CANDIDATE, served.models)


def run_of(served: Served, **parameters: Any) -> ResolvedRun:
    changed = {
        "min_sessions_between_promotions": 0,
        **parameters,
    }
    run = served.outcome.run
    changes = {"run_id": CANDIDATE, "config": run.config.model_copy(update=changed)}
    return run.model_copy(update=changes)


def decide(served: Served, opponent: str | None, **parameters: Any) -> tuple[Verdict, set[str]]:
    verdict = decide_promotion(served.engine, run_of(served, **parameters), CANDIDATE, opponent)
    failed = [ruling for ruling in verdict.rulings if ruling.decisive and not ruling.passed]
    return verdict, {ruling.rule for ruling in failed}


def common(served: Served, predictor: str, metric: str) -> float:
    with served.engine.connect() as connection:
        value = connection.scalar(
            select(evaluations.c.value).where(
                evaluations.c.version_id == CANDIDATE,
                evaluations.c.target == COMMON,
                evaluations.c.predictor == predictor,
                evaluations.c.metric == metric,
                evaluations.c.symbol.is_(None),
            )
        )
    assert value is not None
    return value


def store(served: Served, value: float | None, **where: Any) -> None:
    """Change a figure of the comparison."""
    conditions = [evaluations.c[name] == wanted for name, wanted in where.items()]
    with served.engine.begin() as connection:
        connection.execute(
            update(evaluations)
            .where(evaluations.c.target == COMMON, *conditions)
            .values(value=value)
        )


def test_the_bounds_and_not_the_means_decide(served: Served, evaluated: str | None) -> None:
    loss = common(served, "champion", "r2_against_zero") - common(
        served, "model", "r2_against_zero"
    )
    assert common(served, "model", "r2_gain") == pytest.approx(-loss)
    assert loss > CHAMPION_TOLERANCE
    assert common(served, "model", "r2_gain_upper_95") > 0
    verdict, _ = decide(served, evaluated)
    assert verdict.promoted, verdict.reason
    for metric, rule in (
        ("r2_gain_upper_95", "champion"),
        ("interval_gain_upper_95", "champion_intervals"),
    ):
        before = common(served, "model", metric)
        store(served, -0.01, metric=metric)
        verdict, failed = decide(served, evaluated)
        assert not verdict.promoted
        assert failed == {rule}
        store(served, before, metric=metric)


def test_the_minimum_of_shared_sessions_is_asked_of_the_comparison(
    served: Served, evaluated: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = len(served.outcome.dataset.split.test)
    assert common(served, "model", "sessions") == sessions
    monkeypatch.setattr(champion_rules, "MIN_COMPARED_SESSIONS", sessions)
    assert decide(served, evaluated)[0].promoted
    monkeypatch.setattr(champion_rules, "MIN_COMPARED_SESSIONS", sessions + 1)
    verdict, failed = decide(served, evaluated)
    assert not verdict.promoted
    assert failed == {"compared_sessions"}


def test_an_asset_without_an_r2_is_named_and_decides_nothing(
    served: Served, evaluated: str | None
) -> None:
    store(served, None, symbol="GC=F")
    verdict, _ = decide(served, evaluated)
    assert verdict.promoted, verdict.reason
    with served.engine.connect() as connection:
        reasons = dict(
            connection.execute(
                select(gate_decisions.c.rule, gate_decisions.c.reason).where(
                    gate_decisions.c.run_id == CANDIDATE
                )
            ).all()
        )
    for rule in ("champion", "worst_asset"):
        assert "without GC=F (its price does not move on the shared sessions)" in reasons[rule]
    assert "TCS.NS loses" in reasons["worst_asset"]
