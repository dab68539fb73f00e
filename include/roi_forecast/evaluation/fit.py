"""Whether a version over- or underfits, and which parameter to turn.

What a network can spoil is what it adds: the linear part below it never saw what it forecasts, on
training rows either. So its gain over the linear part is compared between training and validation
rows. It is counted as R2 of the next session, since the share of the smoothed ROI that is known
differs between calm and wild rows. The forecasts are the published ones, of the finished network;
the losses of an epoch are not.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from roi_forecast.evaluation.overall_figures import SMOOTHED, find_overall
from roi_forecast.evaluation.scores import Score
from roi_forecast.network.training.result import TrainingResult
from roi_forecast.number_text import written

logger = logging.getLogger(__name__)

Verdict = Literal["overfit", "underfit", "unimproved", "balanced", "unknown"]

TOLERANCE = 0.02
"""Next-day R2 that a network may cost, or gain on training rows alone."""
_MUCH_DROPOUT = 0.5


@dataclass(frozen=True)
class FitFigures:
    """Overall R2 of the smoothed target on training and on validation rows.

    Attributes:
        model: Of the model, without dropout.
        linear: Of its linear part alone.
        no_skill: Of the no-skill forecast.
    """

    model: tuple[float, float]
    linear: tuple[float, float]
    no_skill: tuple[float, float]

    @property
    def gains(self) -> tuple[float, float]:
        """Next-day R2 that the network adds to the linear part, on training and validation rows.

        The errors of a smoothed forecast are those of the next session over the span, so that their
        ratio to the no-skill forecast's is one of the next session's.
        """
        training, validation = (
            (model - linear) / (1.0 - no_skill) if no_skill < 1.0 else float("nan")
            for model, linear, no_skill in zip(self.model, self.linear, self.no_skill, strict=True)
        )
        return training, validation


@dataclass(frozen=True)
class Fit:
    """The verdict on a version.

    Attributes:
        verdict: `overfit`: it knows training rows better than others; `underfit`: it spoils even
            the training rows; `unimproved`: the network is what it started
            from, since training made nothing better; `balanced`: none of these; `unknown`: a figure
            is not defined.
        advice: One sentence with the figures and the parameters to change.
    """

    verdict: Verdict
    advice: str


def fit_figures(
    scores: Sequence[Score],
    trainings: Sequence[TrainingResult],
    hyperparameters: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the verdict on a version and the figures it rests on, by name; arguments as below."""

    def of(predictor: str) -> tuple[float, float]:
        training, validation = (
            find_overall(scores, predictor, SMOOTHED, "r2", split)
            for split in ("train", "validation")
        )
        return training, validation

    figures = FitFigures(of("model"), of("linear"), of("no_skill"))
    fit = judge_fit(figures, trainings, hyperparameters)
    logger.info("fit: %s: %s", fit.verdict, fit.advice)
    return {
        "train_r2": figures.model[0],
        "validation_r2": figures.model[1],
        "train_no_skill_r2": figures.no_skill[0],
        "validation_no_skill_r2": figures.no_skill[1],
        "fit_verdict": fit.verdict,
        "fit_advice": fit.advice,
    }


def judge_fit(
    figures: FitFigures, trainings: Sequence[TrainingResult], hyperparameters: Mapping[str, Any]
) -> Fit:
    """Judge how well a version fits.

    Args:
        figures: Its R2 next to those of its linear part and the no-skill forecast.
        trainings: How its network, or each member of its ensemble, was trained.
        hyperparameters: The parameters of the training.
    """
    training, validation = figures.gains
    gap = training - validation
    if gap != gap:
        return Fit("unknown", "R2 is not defined on training or validation rows: no price varied")
    added, smoothed, linear, no_skill = (
        f"{written(of_training, 3)} and {written(of_validation, 3)}"
        for of_training, of_validation in (
            figures.gains,
            figures.model,
            figures.linear,
            figures.no_skill,
        )
    )
    facts = (
        f"on training and validation rows the network adds {added} to the next-day R2; R2 of the "
        f"smoothed ROI {smoothed}, linear part {linear}, no-skill forecast {no_skill}"
        f"{_curves(trainings)}"
    )
    verdict: Verdict = "balanced"
    advice = "no parameter needs a change"
    if gap > max(TOLERANCE, -training):
        verdict, advice = "overfit", _against_overfitting(hyperparameters)
    elif training < -TOLERANCE:
        verdict = "underfit"
        advice = _against_underfitting(trainings, hyperparameters)
    elif trainings and all(training.best_epoch == 0 for training in trainings):
        verdict = "unimproved"
        advice = (
            "the network adds nothing to what it started from, the linear part or a champion; "
            "there is little to add, but a lower learning_rate may help"
        )
    elif _cut_short(trainings):
        advice = "validation still improved in the last epoch: raise epochs"
    return Fit(verdict, f"{advice} ({facts})")


def _against_overfitting(hyperparameters: Mapping[str, Any]) -> str:
    dropouts = [hyperparameters.get(name, 0.0) for name in ("lstm_dropout", "dense_dropout")]
    if min(dropouts) < _MUCH_DROPOUT:
        return (
            f"raise lstm_dropout ({dropouts[0]}), dense_dropout ({dropouts[1]}) or kernel_l2, or "
            "take an earlier start_date"
        )
    return (
        f"lower lstm_units ({hyperparameters.get('lstm_units')}) and dense_units "
        f"({hyperparameters.get('dense_units')}), or take an earlier start_date"
    )


def _against_underfitting(
    trainings: Sequence[TrainingResult], hyperparameters: Mapping[str, Any]
) -> str:
    if _cut_short(trainings):
        return f"training was cut short while it improved: raise epochs ({trainings[0].epochs})"
    if max(hyperparameters.get(name, 0.0) for name in ("lstm_dropout", "dense_dropout")) >= (
        _MUCH_DROPOUT
    ):
        return "lower lstm_dropout and dense_dropout"
    return f"lower learning_rate ({hyperparameters.get('learning_rate')}) or raise lstm_units"


def _cut_short(trainings: Sequence[TrainingResult]) -> bool:
    return any(training.best_epoch == training.epochs > 0 for training in trainings)


def _curves(trainings: Sequence[TrainingResult]) -> str:
    """Say what the loss curves of the first network show; members of an ensemble are alike."""
    if not trainings:
        return ""
    history, best = trainings[0].history, trainings[0].best_epoch
    lowest, last = history[best].validation_loss, history[-1].validation_loss
    rise = f"{round(100 * (last / lowest - 1))} %" if lowest > 0 else "nothing"
    return (
        f"; validation loss lowest after epoch {best} of {history[-1].epoch}, {rise} higher at the "
        "end"
    )
