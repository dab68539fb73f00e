from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roi_forecast.config import ModelConfig, RunConfig
from roi_forecast.evaluation.fit import FitFigures, judge_fit
from roi_forecast.network.training.result import EpochRecord, TrainingResult

LIMIT = (0.799, 0.700)
LINEAR = (0.802, 0.698)


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
        ((0.802, 0.698), training(), {}, "balanced", "no parameter"),
        ((-0.011, -0.061), training(8, 18), {}, "underfit", "learning_rate (0.001)"),
        ((-0.186, -0.204), training(3, 3), {}, "underfit", "raise epochs (3)"),
        ((0.802, 0.695), training(0, 10), {}, "unimproved", "learning_rate"),
        ((0.802, 0.696), training(14, 14), {}, "balanced", "raise epochs"),
        ((0.95, 0.55), training(), {}, "overfit", "raise lstm_dropout (0.2)"),
        (
            (0.95, 0.55),
            training(),
            {"lstm_dropout": 0.5, "dense_dropout": 0.6},
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
        # It spoils much and knows training rows better: what it spoils is more.
        ((0.3, 0.1), training(), {}, "underfit", "learning_rate"),
        ((0.79, 0.5), training(), {}, "overfit", "dropout"),
        # A next-day R2 of 0.015 more on training rows and of 0.007 less on others.
        ((0.805, 0.696), training(), {}, "overfit", "dropout"),
        ((0.805, 0.697), training(), {}, "balanced", "no parameter"),
    ],
)
def test_the_verdict_names_the_parameter_to_turn(
    model: tuple[float, float],
    of_training: TrainingResult,
    changed: dict[str, Any],
    verdict: str,
    named: str,
) -> None:
    fit = judge_fit(FitFigures(model, LINEAR, LIMIT), [of_training], hyperparameters(**changed))
    assert fit.verdict == verdict
    assert named in fit.advice
    parameters = set(re.findall(r"[a-z]+(?:_[a-z0-9]+)+", fit.advice))
    assert parameters <= set(RunConfig.model_fields)


def test_gains_are_the_next_day_r2_that_smoothed_ones_imply() -> None:
    """The network adds noise of a tenth of the variance of unpredictable returns."""
    generator = np.random.default_rng(2)
    returns = generator.normal(size=40_004)
    actual = np.convolve(returns, np.ones(5) / 5, "valid")
    known = actual - returns[4:] / 5
    noise = generator.normal(0, 0.1**0.5, len(known))

    def r2(forecast: np.ndarray) -> tuple[float, float]:
        value = 1 - ((actual - forecast) ** 2).mean() / actual.var()
        return value, value

    figures = FitFigures(r2(known + noise / 5), r2(known), r2(known))
    assert figures.gains == pytest.approx((-0.1, -0.1), abs=0.01)


def test_validation_rows_that_are_harder_for_everyone_are_no_overfit() -> None:
    figures = FitFigures((0.80, 0.40), (0.80, 0.40), (0.81, 0.45))
    assert judge_fit(figures, [training()], hyperparameters()).verdict == "balanced"


def test_the_advice_holds_the_figures_and_the_curves() -> None:
    fit = judge_fit(FitFigures((0.802, 0.696), LINEAR, LIMIT), [training()], hyperparameters())
    for words in (
        "the network adds 0.000 and -0.007 to the next-day R2",
        "R2 of the smoothed ROI 0.802 and 0.696",
        "no-skill forecast 0.799 and 0.700",
        "validation loss lowest after epoch 4 of 14, 10 % higher at the end",
    ):
        assert words in fit.advice


def test_an_ensemble_counts_as_unimproved_only_where_every_member_is() -> None:
    figures = FitFigures((0.802, 0.695), LINEAR, LIMIT)
    both = judge_fit(figures, [training(0), training(0)], hyperparameters())
    one = judge_fit(figures, [training(0), training(3)], hyperparameters())
    assert (both.verdict, one.verdict) == ("unimproved", "balanced")


def test_an_undefined_figure_or_a_missing_history_is_no_error() -> None:
    nan = float("nan")
    undefined = FitFigures((nan, nan), LINEAR, LIMIT)
    assert judge_fit(undefined, [training()], hyperparameters()).verdict == "unknown"
    known = FitFigures((0.802, 0.696), LINEAR, LIMIT)
    assert judge_fit(known, [], hyperparameters()).verdict == "balanced"
