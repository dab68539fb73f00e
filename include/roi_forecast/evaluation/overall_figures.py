"""The figures of a version over all assets, and which assets each of them leaves out, by name."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from roi_forecast.evaluation.metrics import UNDEFINED_BECAUSE, written
from roi_forecast.evaluation.scores import NEXT_DAY, Score

logger = logging.getLogger(__name__)

LEFT_OUT = "left_out"
"""Among a version's figures: by the name of a figure the assets it leaves out, with the reasons."""

SMOOTHED = "smoothed_scaled"
TEST = "test"

_NAMED_ASSETS = 5
_FIGURES = {
    "r2": ("model", SMOOTHED, "r2"),
    "mae": ("model", SMOOTHED, "mae"),
    "rmse": ("model", SMOOTHED, "rmse"),
    "no_skill_r2": ("no_skill", SMOOTHED, "r2"),
    "ridge_r2": ("ridge", SMOOTHED, "r2"),
    "persistence_r2": ("persistence", SMOOTHED, "r2"),
    "training_mean_r2": ("training_mean", SMOOTHED, "r2"),
    "next_day_r2": ("model", NEXT_DAY, "r2"),
    "next_day_r2_against_zero": ("model", NEXT_DAY, "r2_against_zero"),
    "next_day_mae_pct": ("model", NEXT_DAY, "mae"),
    "directional_accuracy": ("model", NEXT_DAY, "directional_accuracy"),
    "coverage_80": ("model", NEXT_DAY, "coverage_80"),
    "coverage_95": ("model", NEXT_DAY, "coverage_95"),
    "interval_score_80": ("model", NEXT_DAY, "interval_score_80"),
    "interval_score_95": ("model", NEXT_DAY, "interval_score_95"),
}


def overall_figures(scores: Sequence[Score]) -> dict[str, Any]:
    """Return the test figures by name, NaN where one is not defined, and what they leave out."""
    figures: dict[str, Any] = {name: find_overall(scores, *key) for name, key in _FIGURES.items()}
    left_out = {name: _left_out(scores, *key) for name, key in _FIGURES.items()}
    return {**figures, LEFT_OUT: {name: assets for name, assets in left_out.items() if assets}}


def find_overall(
    scores: Sequence[Score], predictor: str, target: str, metric: str, split: str = TEST
) -> float:
    """Return a figure over all assets on the rows of one part of the split."""
    wanted = (predictor, target, None, split, metric)
    return next(
        score.value
        for score in scores
        if (score.predictor, score.target, score.symbol, score.split, score.metric) == wanted
    )


def _left_out(scores: Sequence[Score], predictor: str, target: str, metric: str) -> dict[str, str]:
    """Return the assets that a figure over all assets on the test rows leaves out, with reasons."""
    return {
        score.symbol: (
            UNDEFINED_BECAUSE.get(metric, "it is not defined")
            if score.rows
            else "none of its rows counts: no bar, or halted"
        )
        for score in scores
        if (score.predictor, score.target, score.split) == (predictor, target, TEST)
        and score.metric == metric
        and score.symbol is not None
        and math.isnan(score.value)
    }


def without(left_out: Mapping[str, str]) -> str:
    """Return words that name the assets a figure leaves out, to follow it; none where there are."""
    if not left_out:
        return ""
    named = [f"{symbol} ({reason})" for symbol, reason in left_out.items()][:_NAMED_ASSETS]
    more = len(left_out) - len(named)
    return f"; without {', '.join(named)}" + (f" and {more} more" if more else "")


def log_figures(figures: Mapping[str, Any]) -> None:
    """Log what a person looks at first, and each asset that a figure leaves out."""
    logger.info(
        "test R2 of the smoothed ROI: model %s, ridge %s, persistence %s, training mean %s, noise "
        "limit %s",
        *(written(figures[f"{name}r2"]) for name in ("", "ridge_", "persistence_")),
        written(figures["training_mean_r2"]),
        written(figures["no_skill_r2"]),
    )
    logger.info(
        "test R2 of the next-day ROI: %s (%s against zero), directional accuracy %s, shrinkage %s",
        written(figures["next_day_r2"]),
        written(figures["next_day_r2_against_zero"]),
        written(figures["directional_accuracy"], 3),
        written(figures["shrinkage"], 3),
    )
    for name, assets in figures[LEFT_OUT].items():
        logger.warning("test figure %s of all assets%s", name, without(assets))
