"""The model beside every peer, next day, on the same rows and with the same conformal quantiles."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from arima_peer import auto_arima
from garch_peers import garch, gjr_garch
from lightgbm_peer import lightgbm_quantiles
from nlinear_peer import nlinear
from peers import Peer, refit_rows

from roi_forecast.array_types import FloatArray
from roi_forecast.backtest.naive_walks import naive_walks
from roi_forecast.backtest.walk_forward import WalkForward
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.bootstrap import BLOCK_SESSIONS, BootstrapMean, bootstrap_mean
from roi_forecast.evaluation.metrics import Scored
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import known_sum, to_percent
from roi_forecast.forecaster.intervals import Intervals

PEERS: dict[str, Peer] = {
    "GARCH(1,1), t": garch,
    "GJR-GARCH, skewed t": gjr_garch,
    "LightGBM quantiles": lightgbm_quantiles,
    "AutoARIMA": auto_arima,
    "NLinear": nlinear,
}
"""A further peer is one more entry here."""
GARCH = "GARCH(1,1), t, as it is"
"""What scores are relative to: its own intervals, without conformal quantiles."""
NO_SKILL = "no skill"


@dataclass(frozen=True)
class NextDay:
    """Forecasts of the next session, by one method, of every target row.

    Attributes:
        log_roi: Shape (targets, assets).
        smoothed: Smoothed log ROI, same shape, unscaled.
        intervals: At 80 and 95 %, in percent, same shape.
    """

    log_roi: FloatArray
    smoothed: FloatArray
    intervals: tuple[Intervals, ...]

    @classmethod
    def of_walk(cls, walk: WalkForward) -> NextDay:
        """Return what a walk-forward publishes of the next session."""
        return cls(walk.published, walk.smoothed, walk.intervals)


@dataclass(frozen=True)
class Actual:
    """What the targets became; NaN where the asset had no bar.

    Attributes:
        roi_pct: ROI in percent, shape (targets, assets).
        smoothed: Smoothed log ROI, same shape, unscaled.
    """

    roi_pct: FloatArray
    smoothed: FloatArray


@dataclass(frozen=True)
class NextDayFigures:
    """How good forecasts of the next session are.

    Attributes:
        r2_against_zero: All assets counting alike.
        t: That over its standard error from blocks of days; NaN for the zero forecast.
        smoothed_gain: R2 of the smoothed ROI less the no-skill forecast's.
        relative: Interval score over GARCH's, one for each level.
        bound: The same at the upper end of the paired difference, which 95 % of the resampled means
            stay below.
        coverage: Share of actual values inside, one for each level.
        of_assets: Least and largest coverage of an asset, likewise.
    """

    r2_against_zero: float
    t: float
    smoothed_gain: float
    relative: tuple[float, ...]
    bound: tuple[float, ...]
    coverage: tuple[float, ...]
    of_assets: tuple[tuple[float, float], ...]


def peer_forecasts(dataset: Dataset, walk: WalkForward) -> dict[str, NextDay]:
    """Return the forecasts of every peer, as they are and with conformal quantiles.

    Args:
        dataset: The rows that were walked through.
        walk: Gives folds and, for the peers without a scale of their own, the scale.
    """
    targets, found = walk.targets, {}
    rows = slice(targets.start, targets.stop)
    known = known_sum(dataset.log_roi, targets, dataset.smoothing)
    for number, (name, peer) in enumerate(PEERS.items(), start=1):
        logging.info("peer %d of %d: %s", number, len(PEERS), name)
        began = time.perf_counter()
        forecasts = peer(dataset, refit_rows(walk.folds))
        point = forecasts.point[rows]
        smoothed = (known + point) / dataset.smoothing
        conformal = forecasts.conformal_intervals(dataset, targets, walk.row_scales)
        if forecasts.bounds is not None:
            found[f"{name}, as it is"] = NextDay(point, smoothed, forecasts.own_intervals(targets))
        found[f"{name}, conformal"] = NextDay(point, smoothed, conformal)
        logging.info("peer %s took %.0f s", name, time.perf_counter() - began)
    return found


def naive_forecasts(dataset: Dataset, walk: WalkForward) -> dict[str, NextDay]:
    """Return the no-skill forecast and the zero forecast, on the scale of the walk-forward."""
    naive = naive_walks(dataset, walk)
    return {
        NO_SKILL: NextDay.of_walk(naive["no_skill"]),
        "zero": NextDay.of_walk(naive["zero"]),
    }


def actual_of(walk: WalkForward) -> Actual:
    """Return what the targets of a walk-forward became."""
    return Actual(walk.actual_pct, walk.actual_smoothed)


def figures(
    forecast: NextDay, actual: Actual, garch_forecast: NextDay, no_skill: NextDay
) -> NextDayFigures:
    """Score forecasts of the next session.

    Raises:
        EvaluationError: There are fewer days than a block of the bootstrap has.
    """
    skill = r2_against_zero(forecast, actual)
    relative, bound, coverage, of_assets = [], [], [], []
    for own, theirs in zip(forecast.intervals, garch_forecast.intervals, strict=True):
        score = theirs.score(actual.roi_pct)
        reference = float(np.nanmean(score))
        difference = bootstrap_mean(own.score(actual.roi_pct) - score)
        covered = own.covers(actual.roi_pct)
        by_asset = np.nanmean(covered, axis=0)
        relative.append(1 + difference.mean / reference)
        bound.append(1 + difference.upper_one_sided_95 / reference)
        coverage.append(float(np.nanmean(covered)))
        of_assets.append((float(by_asset.min()), float(by_asset.max())))
    return NextDayFigures(
        r2_against_zero=metrics.r2_against_zero.overall(
            actual.roi_pct, to_percent(forecast.log_roi)
        ),
        t=skill.t(),
        smoothed_gain=smoothed_r2(forecast, actual) - smoothed_r2(no_skill, actual),
        relative=tuple(relative),
        bound=tuple(bound),
        coverage=tuple(coverage),
        of_assets=tuple(of_assets),
    )


def r2_against_zero(forecast: NextDay, actual: Actual) -> BootstrapMean:
    """Return the R2 against the zero forecast with bounds from blocks of days."""
    return bootstrap_mean(gains(Scored(actual.roi_pct, to_percent(forecast.log_roi))))


def gains(scored: Scored) -> FloatArray:
    """Return entries whose mean is the R2 against zero, shape (rows, assets)."""
    return 1.0 - metrics.r2_against_zero.paired_entries(scored)


def smoothed_r2(forecast: NextDay, actual: Actual) -> float:
    """Return the R2 of the smoothed ROI, unscaled, mean over assets."""
    return metrics.r2.overall(actual.smoothed, forecast.smoothed)


def peer_table(
    actual: Actual, forecasts: Mapping[str, NextDay], context: tuple[str, ...] = ()
) -> list[str]:
    """Return the table as lines of Markdown.

    Args:
        actual: What the targets became.
        forecasts: By name, GARCH and NO_SKILL among them.
        context: The context assets that the model and LightGBM see.
    """
    seen = ", ".join(context) or "none"
    header = [f" | {level} %: relative | bound | coverage | assets" for level in (80, 95)]
    lines = [
        "## Every peer, next day",
        "",
        (
            "The same targets for all, each fitted anew for the same folds on the rows before them "
            "(AutoARIMA searches for its order once a year). R2 is that of the next session's ROI "
            "against the zero forecast, t that over its standard error, resampled in blocks of "
            f"{BLOCK_SESSIONS} sessions; the smoothed gain is the R2 of the smoothed ROI less the "
            "no-skill forecast's. Interval scores are relative to GARCH(1,1) with Student's t as "
            "it is; the bound is the upper end of the paired difference, which 95 % of the "
            "resampled means stay below. `conformal` has the same trailing quantiles per asset as "
            "the model, on the peer's own scale; NLinear, which has none, borrows the model's. "
            f"Context assets: {seen}. The model and LightGBM see them, the other peers see an "
            "asset's own past alone. LightGBM has more inputs than the model: own lags, gaps, "
            "volumes, the market and the inputs of the interval scale."
        ),
        "",
        "| forecast | R2 | block t | smoothed gain" + "".join(header) + " |",
        "|---" * 12 + "|",
    ]
    for name, forecast in forecasts.items():
        row = figures(forecast, actual, forecasts[GARCH], forecasts[NO_SKILL])
        cells = [
            f"{row.r2_against_zero:+.4f}",
            "" if np.isnan(row.t) else f"{row.t:.1f}",
            f"{row.smoothed_gain:+.4f}",
        ]
        for number in range(len(row.relative)):
            least, largest = row.of_assets[number]
            cells += [
                f"{row.relative[number]:.4f}",
                "" if name == GARCH else f"{row.bound[number]:.4f}",
                f"{row.coverage[number]:.3f}",
                f"{least:.3f} to {largest:.3f}",
            ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [*lines, ""]
