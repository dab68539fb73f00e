"""Whether a version over- or underfits, and which parameter to turn.

R2 of one part of the rows cannot be compared with that of another: the share of the target that is
known differs between calm and wild rows. So each is compared with the no-skill forecast on the same
rows, and with ridge regression, the simplest model that comes near it. The forecasts are those of
the finished network, without dropout; the losses of an epoch are not.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from roi_forecast.evaluation.overall_figures import SMOOTHED, find_overall
from roi_forecast.evaluation.scores import Score
from roi_forecast.network.training.result import TrainingResult

logger = logging.getLogger(__name__)

Verdict = Literal["overfit", "underfit", "unimproved", "balanced", "unknown"]

TOLERANCE = 0.05
"""R2 that a model may lack, the same as the gate allows below the no-skill forecast."""
_MUCH_DROPOUT = 0.5


@dataclass(frozen=True)
class FitFigures:
    """Overall R2 of the smoothed target on training and on validation rows.

    Attributes:
        model: Of the model, without dropout.
        ridge: Of the ridge regression of the same training rows.
        no_skill: Of the oracle that knows the past returns in the target.
    """

    model: tuple[float, float]
    ridge: tuple[float, float]
    no_skill: tuple[float, float]

    @property
    def training_shortfall(self) -> float:
        """How far it lies below the no-skill forecast on training rows; negative: above it."""
        return self.no_skill[0] - self.model[0]

    @property
    def gap(self) -> float:
        """How much further below the no-skill forecast it lies on validation rows."""
        return self.no_skill[1] - self.model[1] - self.training_shortfall

    @property
    def ridge_gap(self) -> float:
        """The same of ridge regression."""
        return self.no_skill[1] - self.ridge[1] - (self.no_skill[0] - self.ridge[0])


@dataclass(frozen=True)
class Fit:
    """The verdict on a version.

    Attributes:
        verdict: `overfit`: it knows training rows better than it can know others; `underfit`: it
            does not even know the training rows; `unimproved`: it is what it started from, ridge
            regression or a champion, since training made nothing better; `balanced`: none of
            these; `unknown`: a figure is not defined.
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

    figures = FitFigures(of("model"), of("ridge"), of("no_skill"))
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
        figures: Its R2 next to ridge regression and the no-skill forecast.
        trainings: How its network, or each member of its ensemble, was trained.
        hyperparameters: The parameters of the training.
    """
    gap, shortfall = figures.gap, figures.training_shortfall
    if gap != gap or shortfall != shortfall:
        return Fit("unknown", "R2 is not defined on training or validation rows: no price varied")
    facts = (
        f"R2 {figures.model[0]:.3f} on training and {figures.model[1]:.3f} on validation rows, "
        f"no-skill forecast {figures.no_skill[0]:.3f} and {figures.no_skill[1]:.3f}, ridge "
        f"{figures.ridge[0]:.3f} and {figures.ridge[1]:.3f}, gap {gap:.3f}{_curves(trainings)}"
    )
    verdict: Verdict = "balanced"
    advice = "no parameter needs a change"
    if gap > max(TOLERANCE, shortfall):
        verdict, advice = "overfit", _against_overfitting(figures, hyperparameters)
    elif shortfall > TOLERANCE:
        verdict = "underfit"
        advice = _against_underfitting(figures, trainings, hyperparameters)
    elif trainings and all(training.best_epoch == 0 for training in trainings):
        verdict = "unimproved"
        advice = (
            "the network adds nothing to the model it started from; so near the no-skill forecast "
            "there is little to add, but a lower learning_rate may help"
        )
    elif _cut_short(trainings):
        advice = "validation still improved in the last epoch: raise epochs"
    return Fit(verdict, f"{advice} ({facts})")


def _against_overfitting(figures: FitFigures, hyperparameters: Mapping[str, Any]) -> str:
    linear = hyperparameters.get("architecture") == "hybrid_ar"
    if linear and figures.ridge_gap > TOLERANCE:
        value = hyperparameters.get("ridge_penalty")
        return (
            f"the ridge regression it starts from overfits already: raise ridge_penalty ({value})"
        )
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
    figures: FitFigures, trainings: Sequence[TrainingResult], hyperparameters: Mapping[str, Any]
) -> str:
    if _cut_short(trainings):
        return f"training was cut short while it improved: raise epochs ({trainings[0].epochs})"
    if figures.no_skill[0] - figures.ridge[0] > TOLERANCE:
        return (
            "ridge regression underfits the training rows too: lower ridge_penalty "
            f"({hyperparameters.get('ridge_penalty')}) or raise seq_len"
        )
    if hyperparameters.get("architecture") == "hybrid":
        return "ridge regression fits better: set architecture to hybrid_ar"
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
