"""The figures of a version over all assets, and which assets each of them leaves out, by name."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from roi_forecast.evaluation.metrics import written
from roi_forecast.evaluation.scores import CandidateScores

logger = logging.getLogger(__name__)

LEFT_OUT = "left_out"
"""Among a version's figures: by the name of a figure the assets it leaves out, with the reasons."""

_NAMED_ASSETS = 5
_SMOOTHED, _NEXT_DAY = "smoothed_scaled", "next_day_pct"
_FIGURES = {
    "r2": ("model", _SMOOTHED, "r2"),
    "mae": ("model", _SMOOTHED, "mae"),
    "rmse": ("model", _SMOOTHED, "rmse"),
    "noise_limit_r2": ("noise_limit", _SMOOTHED, "r2"),
    "ridge_r2": ("ridge", _SMOOTHED, "r2"),
    "persistence_r2": ("persistence", _SMOOTHED, "r2"),
    "training_mean_r2": ("training_mean", _SMOOTHED, "r2"),
    "next_day_r2": ("model", _NEXT_DAY, "r2"),
    "next_day_r2_against_zero": ("model", _NEXT_DAY, "r2_against_zero"),
    "next_day_mae_pct": ("model", _NEXT_DAY, "mae"),
    "directional_accuracy": ("model", _NEXT_DAY, "directional_accuracy"),
    "coverage_80": ("model", _NEXT_DAY, "coverage_80"),
    "coverage_95": ("model", _NEXT_DAY, "coverage_95"),
    "interval_score_80": ("model", _NEXT_DAY, "interval_score_80"),
    "interval_score_95": ("model", _NEXT_DAY, "interval_score_95"),
}


def overall_figures(result: CandidateScores) -> dict[str, Any]:
    """Return the test figures by name, NaN where one is not defined, and what they leave out."""
    figures: dict[str, Any] = {name: result.value(*key) for name, key in _FIGURES.items()}
    left_out = {name: result.left_out(*key) for name, key in _FIGURES.items()}
    return {
        **figures,
        "shrinkage": result.calibration.shrinkage,
        LEFT_OUT: {name: assets for name, assets in left_out.items() if assets},
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
        written(figures["noise_limit_r2"]),
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
