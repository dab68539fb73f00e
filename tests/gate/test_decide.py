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
from roi_forecast.gate import rules
from roi_forecast.gate.decide import decide_promotion
from roi_forecast.gate.rules import Verdict
from roi_forecast.network.predictor import Predictor
from roi_forecast.runs.resolved_run import ResolvedRun
from serving_version import Served

CANDIDATE = "noisy"


class Noisy:
    """The champion's forecasts with an error of their own on some days."""

    networks = (None,)

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def forecast_windows(self, scaled: np.ndarray, scaled_log_roi: np.ndarray) -> np.ndarray:
        forecast = self.predictor.forecast_windows(scaled, scaled_log_roi)
        generator = np.random.default_rng(len(scaled))
        days = generator.random((len(scaled), 1)) < 0.2
        return forecast + days * generator.normal(0, 0.1, forecast.shape)


@pytest.fixture
def evaluated(served: Served, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """The opponent of a candidate that is a little worse, on few days that say so."""
    monkeypatch.setattr(rules, "ASSET_TOLERANCE", 1.0)
    monkeypatch.setattr(rules, "NO_SKILL_TOLERANCE", 0.5)
    served.add_candidate(CANDIDATE)

    def load(files: VerifiedDirectory) -> Forecaster:
        forecaster = Forecaster.load(files)
        return replace(forecaster, predictor=Noisy(forecaster.predictor))

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


def test_the_bound_and_not_the_mean_of_the_loss_decides(
    served: Served, evaluated: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mean = common(served, "champion", "r2") - common(served, "model", "r2")
    bound = common(served, "model", "loss_difference_upper_95")
    monkeypatch.setattr(rules, "CHAMPION_TOLERANCE", mean + 0.002)
    verdict, failed = decide(served, evaluated)
    assert not verdict.promoted
    assert failed == {"champion"}
    monkeypatch.setattr(rules, "CHAMPION_TOLERANCE", bound + 0.002)
    verdict, failed = decide(served, evaluated)
    assert verdict.promoted, verdict.reason


def test_the_minimum_of_shared_sessions_is_asked_of_the_comparison(
    served: Served, evaluated: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = len(served.outcome.dataset.split.test)
    assert common(served, "model", "sessions") == sessions
    monkeypatch.setattr(rules, "CHAMPION_TOLERANCE", 1.0)
    monkeypatch.setattr(rules, "MIN_COMPARED_SESSIONS", sessions)
    assert decide(served, evaluated)[0].promoted
    monkeypatch.setattr(rules, "MIN_COMPARED_SESSIONS", sessions + 1)
    verdict, failed = decide(served, evaluated)
    assert not verdict.promoted
    assert failed == {"compared_sessions"}


def test_an_asset_without_an_r2_is_named_and_decides_nothing(
    served: Served, evaluated: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "CHAMPION_TOLERANCE", 1.0)
    with served.engine.begin() as connection:
        connection.execute(
            update(evaluations)
            .where(evaluations.c.target == COMMON, evaluations.c.symbol == "GC=F")
            .values(value=None)
        )
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
        assert "without GC=F (its ROI does not vary on the shared sessions)" in reasons[rule]
    assert "TCS.NS loses" in reasons["worst_asset"]
