"""How soon, and how often in vain, live forecasts of simulated champions count as below a limit.

    python benchmarks/alert_power.py [--years 24]

A champion serves for 250 sessions on 23 simulated assets and is judged every tenth session, as the
daily run judges it. Prints the share of such years with a report and the median session of the
first one.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from gate_power import log_rois

from roi_forecast.array_types import FloatArray
from roi_forecast.monitoring.champion_checks import (
    MIN_LIVE_SESSIONS,
    check_champion,
    judged_sessions,
)
from roi_forecast.monitoring.live_scores import score_outcomes
from roi_forecast.monitoring.outcomes import Outcomes

ASSETS, SESSIONS, WARM_UP, EVERY = 23, 250, 250, 10
DECAY = 0.94
SCENARIOS = ((0.80, 0.0), (0.75, -0.02), (0.70, -0.05), (0.65, -0.10), (0.60, -0.20))
"""True coverage of the 80 % interval, true R2 against the zero forecast."""


@dataclass(frozen=True)
class Life:
    """The first session with a report of a measure, or None."""

    coverage_80: int | None
    r2_against_zero: int | None


def live(generator: np.random.Generator, coverage: float, r2: float) -> Life:
    """Simulate one year.

    Intervals follow an exponential mean of past squares, so they lag behind the market as real
    ones do; their width is set so that over all of the year's market they hold what is asked. The
    forecast is noise whose square is the loss against zero.

    Args:
        generator: Source of chance.
        coverage: What the 80 % interval truly holds.
        r2: True R2 against zero, at most 0.
    """
    returns, _ = log_rois(generator, WARM_UP + SESSIONS, ASSETS)
    scales = np.ones(returns.shape)
    for row in range(1, len(returns)):
        scales[row] = DECAY * scales[row - 1] + (1 - DECAY) * returns[row - 1] ** 2
    # Two thousand sessions of another market give the width: this year's own would be hindsight.
    half = (_width(coverage) * np.sqrt(scales))[WARM_UP:]
    actual = returns[WARM_UP:]
    predicted = generator.normal(size=actual.shape) * np.sqrt(-r2 * scales[WARM_UP:])
    dates = np.datetime64("2024-01-01") + np.arange(SESSIONS)
    first: dict[str, int] = {}
    for end in range(MIN_LIVE_SESSIONS, SESSIONS + 1, EVERY):
        known = Outcomes(
            1, dates[:end], actual[:end], predicted[:end], actual[:end] * 3, -half[:end],
            half[:end], -100 * half[:end], 100 * half[:end], *4 * [np.full((end, ASSETS), np.nan)],
            np.zeros((end, ASSETS)),
        )  # fmt: skip
        scores = score_outcomes(known.newest(judged_sessions(1)))
        for check in check_champion(1, scores, scores):
            if check.state == "below":
                first.setdefault(check.measure, end)
    return Life(first.get("coverage_80"), first.get("r2_against_zero"))


_widths: dict[float, float] = {}


def _width(coverage: float) -> float:
    if coverage not in _widths:
        returns, _ = log_rois(np.random.default_rng(99), 20_000, ASSETS)
        scales = np.ones(returns.shape)
        for row in range(1, len(returns)):
            scales[row] = DECAY * scales[row - 1] + (1 - DECAY) * returns[row - 1] ** 2
        ratios: FloatArray = (np.abs(returns) / np.sqrt(scales))[WARM_UP:]
        _widths[coverage] = float(np.quantile(ratios, coverage))
    return _widths[coverage]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=24)
    years = parser.parse_args().years
    print(
        "| true coverage at 80 % | reported | first after | true R2 against zero | reported |",
        end="",
    )
    print(" first after |\n|---|---|---|---|---|---|")
    for coverage, r2 in SCENARIOS:
        generator = np.random.default_rng(0)
        lives = [live(generator, coverage, r2) for _ in range(years)]
        cells = []
        for true, measure in ((coverage, "coverage_80"), (r2, "r2_against_zero")):
            firsts = [first for life in lives if (first := getattr(life, measure)) is not None]
            after = f"{np.median(firsts):.0f} sessions" if firsts else ""
            cells += [f"{true:.2f}", f"{len(firsts) / years:.2f}", after]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
