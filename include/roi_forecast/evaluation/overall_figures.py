"""The figures of a version over all assets, and which assets each of them leaves out, by name."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from roi_forecast.evaluation.metrics import UNDEFINED_BECAUSE
from roi_forecast.evaluation.scores import (
    GAP,
    NEXT_DAY,
    OPEN_TO_CLOSE,
    R2_GAIN_OVER_LINEAR,
    Score,
)
from roi_forecast.labels import figure_label
from roi_forecast.number_text import direction, signed, with_bounds, written

logger = logging.getLogger(__name__)

LEFT_OUT = "left_out"
"""Among a version's figures: by the name of a figure the assets it leaves out, with the reasons."""

SMOOTHED = "smoothed_scaled"
TEST = "test"

_NAMED_ASSETS = 5
_BOUNDS = ("_lower_95", "_upper_95")
_FIGURES = {
    **{name: ("model", SMOOTHED, name) for name in ("r2", "mae", "rmse")},
    **{
        f"{predictor}_r2": (predictor, SMOOTHED, "r2")
        for predictor in ("linear", "no_skill", "persistence", "zero")
    },
    "next_day_mae_pct": ("model", NEXT_DAY, "mae"),
    "zero_next_day_mae_pct": ("zero", NEXT_DAY, "mae"),
    "linear_next_day_r2_against_zero": ("linear", NEXT_DAY, "r2_against_zero"),
    **{
        f"network_r2_gain{bound}": ("model", NEXT_DAY, f"{R2_GAIN_OVER_LINEAR}{bound}")
        for bound in ("", *_BOUNDS)
    },
    **{
        f"{name}_r2_against_zero{bound}": ("model", target, f"r2_against_zero{bound}")
        for name, target in (("next_day", NEXT_DAY), ("gap", GAP), ("open_to_close", OPEN_TO_CLOSE))
        for bound in ("", *_BOUNDS, "_t")
    },
    **{
        name: ("model", NEXT_DAY, name)
        for name in (
            "rank_correlation",
            "rank_correlation_t",
            "directional_accuracy",
            "directions_share",
            *(f"coverage_{level}{bound}" for level in (80, 95) for bound in ("", *_BOUNDS)),
            "interval_score_80",
            "interval_score_95",
        )
    },
}


def overall_figures(scores: Sequence[Score]) -> dict[str, Any]:
    """Return the test figures by name, NaN where one is not defined, and what they leave out."""
    # Of thousands of assets there are a million scores, too many to look through for each figure.
    of_all = [score for score in scores if score.symbol is None]
    undefined = [score for score in scores if score.symbol and math.isnan(score.value)]
    figures: dict[str, Any] = {name: find_overall(of_all, *key) for name, key in _FIGURES.items()}
    left_out = {name: _left_out(undefined, *key) for name, key in _FIGURES.items()}
    return {**figures, LEFT_OUT: {name: assets for name, assets in left_out.items() if assets}}


def find_overall(
    scores: Sequence[Score], predictor: str, target: str, metric: str, split: str = TEST
) -> float:
    """Return a figure over all assets on the rows of one part of the split; NaN without one."""
    wanted = (predictor, target, None, split, metric)
    found = (
        score.value
        for score in scores
        if (score.predictor, score.target, score.symbol, score.split, score.metric) == wanted
    )
    return next(found, float("nan"))


def _left_out(
    undefined: Sequence[Score], predictor: str, target: str, metric: str
) -> dict[str, str]:
    """Return the assets that a figure over all assets on the test rows leaves out, with reasons."""
    return {
        score.symbol: (
            UNDEFINED_BECAUSE.get(metric, "it is not defined")
            if score.rows
            else "none of its rows counts: no bar or open, or halted"
        )
        for score in undefined
        if score.symbol is not None
        and (score.predictor, score.target, score.split) == (predictor, target, TEST)
        and score.metric == metric
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
    hits = direction(figures["directional_accuracy"], figures["directions_share"])
    logger.info(
        "next-day R2 against zero on test rows: %s, t %s; linear part %s, opening gap %s, open to "
        "close %s%s",
        with_bounds(*(figures[f"next_day_r2_against_zero{bound}"] for bound in ("", *_BOUNDS))),
        written(figures["next_day_r2_against_zero_t"], 1),
        *(
            signed(figures[f"{name}_r2_against_zero"])
            for name in ("linear_next_day", "gap", "open_to_close")
        ),
        f"; {hits}" if hits else "",
    )
    logger.info(
        "test R2 of the smoothed ROI: model %s, linear part %s, no-skill forecast %s, zero %s, "
        "persistence %s",
        *(
            written(figures[f"{name}r2"])
            for name in ("", "linear_", "no_skill_", "zero_", "persistence_")
        ),
    )
    for name, assets in figures[LEFT_OUT].items():
        logger.warning("%s on test rows%s", figure_label(name), without(assets))
