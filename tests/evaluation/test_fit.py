from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from roi_forecast.config import ModelConfig, RunConfig
from roi_forecast.evaluation.fit import FitFigures, judge_fit
from roi_forecast.network.training.result import EpochRecord, TrainingResult

LIMIT = (0.799, 0.700)
RIDGE = (0.802, 0.695)
PLAIN = {"architecture": "hybrid"}


def hyperparameters(**changes: Any) -> dict[str, Any]:
    return {**ModelConfig().model_dump(mode="json"), **changes}


def training(best: int = 4, epochs: int = 14, last_loss: float = 1.1) -> TrainingResult:
    losses = [1.0 if epoch == best else last_loss for epoch in range(epochs + 1)]
    history = tuple(
        EpochRecord(epoch, loss, loss, loss, loss, 0.001, 1.0) for epoch, loss in enumerate(losses)
    )
    return TrainingResult(Path(), "dataset", history, best, "CPU", {})


@pytest.mark.parametrize(
    ("model", "of_training", "changed", "verdict", "named"),
    [
        # What real trainings on the reference assets gave, 2022-07-01..2024-12-30.
        ((0.802, 0.696), training(), {}, "balanced", "no parameter"),
        ((-0.011, -0.061), training(8, 18), PLAIN, "underfit", "architecture to hybrid_ar"),
        ((-0.186, -0.204), training(3, 3), PLAIN, "underfit", "raise epochs (3)"),
        ((0.250, -0.086), training(68, 80), PLAIN, "underfit", "architecture to hybrid_ar"),
        # And what else may come.
        ((0.802, 0.695), training(0, 10), {}, "unimproved", "learning_rate"),
        ((0.802, 0.696), training(14, 14), {}, "balanced", "raise epochs"),
        ((0.95, 0.55), training(), PLAIN, "overfit", "raise lstm_dropout (0.2)"),
        (
            (0.95, 0.55),
            training(),
            {**PLAIN, "lstm_dropout": 0.5, "dense_dropout": 0.6},
            "overfit",
            "lower lstm_units",
        ),
        (
            (0.6, 0.5),
            training(),
            {"lstm_dropout": 0.7, "dense_dropout": 0.7},
            "underfit",
            "lower lstm_dropout",
        ),
        ((0.6, 0.5), training(), {}, "underfit", "learning_rate (0.001)"),
        # It misses much and knows training rows better: what it misses is more.
        ((0.3, 0.1), training(), PLAIN, "underfit", "architecture"),
        ((0.7, 0.3), training(), PLAIN, "overfit", "dropout"),
    ],
)
def test_the_verdict_names_the_parameter_to_turn(
    model: tuple[float, float],
    of_training: TrainingResult,
    changed: dict[str, Any],
    verdict: str,
    named: str,
) -> None:
    fit = judge_fit(FitFigures(model, RIDGE, LIMIT), [of_training], hyperparameters(**changed))
    assert fit.verdict == verdict
    assert named in fit.advice
    parameters = set(re.findall(r"[a-z]+(?:_[a-z0-9]+)+", fit.advice)) - {"hybrid_ar"}
    assert parameters <= set(RunConfig.model_fields)


def test_a_ridge_regression_that_overfits_is_what_is_named() -> None:
    figures = FitFigures((0.95, 0.5), (0.94, 0.52), LIMIT)
    fit = judge_fit(figures, [training()], hyperparameters(ridge_penalty=1e-6))
    assert fit.verdict == "overfit"
    assert "raise ridge_penalty (1e-06)" in fit.advice


def test_a_ridge_regression_that_underfits_is_what_is_named() -> None:
    figures = FitFigures((0.5, 0.45), (0.5, 0.45), LIMIT)
    fit = judge_fit(figures, [training(0)], hyperparameters(ridge_penalty=1e6))
    assert fit.verdict == "underfit"
    assert "lower ridge_penalty (1000000.0)" in fit.advice


def test_validation_rows_that_are_harder_for_everyone_are_no_overfit() -> None:
    figures = FitFigures((0.80, 0.40), (0.80, 0.40), (0.81, 0.41))
    assert judge_fit(figures, [training()], hyperparameters()).verdict == "balanced"


def test_the_advice_holds_the_figures_and_the_curves() -> None:
    fit = judge_fit(FitFigures((0.802, 0.696), RIDGE, LIMIT), [training()], hyperparameters())
    for words in (
        "R2 0.802 on training and 0.696 on validation rows",
        "no-skill forecast 0.799 and 0.700",
        "validation loss lowest after epoch 4 of 14, 10 % higher at the end",
    ):
        assert words in fit.advice


def test_an_ensemble_counts_as_unimproved_only_where_every_member_is() -> None:
    figures = FitFigures((0.802, 0.695), RIDGE, LIMIT)
    both = judge_fit(figures, [training(0), training(0)], hyperparameters())
    one = judge_fit(figures, [training(0), training(3)], hyperparameters())
    assert (both.verdict, one.verdict) == ("unimproved", "balanced")


def test_an_undefined_figure_or_a_missing_history_is_no_error() -> None:
    nan = float("nan")
    undefined = FitFigures((nan, nan), RIDGE, LIMIT)
    assert judge_fit(undefined, [training()], hyperparameters()).verdict == "unknown"
    known = FitFigures((0.802, 0.696), RIDGE, LIMIT)
    assert judge_fit(known, [], hyperparameters()).verdict == "balanced"
