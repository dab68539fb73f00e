"""How often the gate promotes simulated candidates that are equal to a champion or worse.

    python benchmarks/gate_power.py [--repetitions 1000]

Prints, for each number of shared sessions, the share of seeded repetitions in which a candidate
passes every rule of the comparison: by its true difference in next-day R2, and by how much wider
than the champion's its intervals are.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.config import parse_run_config
from roi_forecast.evaluation.metrics import Scored
from roi_forecast.evaluation.paired_scores import paired_scores
from roi_forecast.features.leakage import LeakageAudit
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.gate.rules import judge
from roi_forecast.gate.ruling import Compared
from roi_forecast.registry.versions import ModelVersion
from roi_forecast.runs.resolved_run import ResolvedRun

SIGNAL = 0.02
"""R2 of what both know of the next session."""
SESSIONS = (60, 97, 200, 400)
DIFFERENCES = (0.0, -0.005, -0.01, -0.02, -0.05, -0.1)
WIDTHS = (1.0, 1.1, 1.2, 1.3, 1.5)
_QUANTILES = {0.8: 1.61, 0.95: 2.78}
"""Of the absolute unknown return over its scale."""

_RUN = ResolvedRun(
    run_id="simulated",
    config=parse_run_config({}),
    model_name="reference",
    source_key="yahoo",
    start_date=date(2022, 7, 1),
    as_of_date=date(2024, 12, 31),
    published_at=datetime(2025, 1, 1, tzinfo=UTC),
    resolved_at=datetime(2025, 1, 1, tzinfo=UTC),
)
_CANDIDATE = ModelVersion(
    version_id="candidate",
    model_name="reference",
    state="candidate",
    run_id="simulated",
    dataset_id="simulated",
    source="yahoo",
    symbols=("TCS.NS",),
    first_date=date(2022, 7, 1),
    last_date=date(2024, 12, 31),
    hyperparameters={},
    metrics={
        "r2": 0.8,
        "no_skill_r2": 0.8,
        **{f"next_day_r2_against_zero{bound}": 0.0 for bound in ("", "_lower_95", "_upper_95")},
        **{
            f"coverage_{level}{bound}": level / 100
            for level in (80, 95)
            for bound in ("", "_lower_95", "_upper_95")
        },
    },
    path="",
    checksum="",
)
_CHAMPION = replace(_CANDIDATE, version_id="champion", last_date=date(2024, 12, 2))


def log_rois(
    generator: np.random.Generator, rows: int, assets: int
) -> tuple[FloatArray, FloatArray]:
    """Return unpredictable returns with heavy tails and a common factor, and their known scale.

    Args:
        generator: Source of chance.
        rows: Sessions.
        assets: Columns.

    Returns:
        The returns, shape (rows, assets), and the scale, which rises and falls for weeks, shape
        (rows, 1).
    """
    log_variance = np.zeros(rows)
    shocks = generator.normal(0, 0.25, rows)
    for row in range(1, rows):
        log_variance[row] = 0.97 * log_variance[row - 1] + shocks[row]
    scale: FloatArray = np.exp(log_variance / 2)[:, np.newaxis]
    return scale * _correlated(lambda size: generator.standard_t(4, size), rows, assets), scale


def _correlated(
    draw: Callable[[tuple[int, int]], FloatArray], rows: int, assets: int
) -> FloatArray:
    """Return random numbers of which a common factor makes a third of the variance."""
    return 0.6 * draw((rows, 1)) + 0.8 * draw((rows, assets))


def compare_once(
    generator: np.random.Generator, sessions: int, difference: float, width: float, assets: int
) -> Compared:
    """Compare a simulated candidate with a simulated champion.

    Both know a little of the next session and its scale. The candidate adds noise to the forecast,
    as correlated over assets as the returns, and stretches the intervals.

    Args:
        generator: Source of chance.
        sessions: Shared target sessions.
        difference: The candidate's R2 less the champion's, on average; at most 0.
        width: Of the candidate's intervals, over the champion's.
        assets: Shared assets.
    """
    unknown, scale = log_rois(generator, sessions, assets)
    deviation = np.sqrt((unknown**2).mean(axis=0))

    def normal(variance: float) -> FloatArray:
        drawn = _correlated(lambda size: generator.normal(size=size), sessions, assets)
        noise: FloatArray = np.sqrt(variance) * drawn * deviation
        return noise

    signal = normal(SIGNAL)
    actual = signal + unknown
    noise = normal(-difference)

    def scored(forecast: FloatArray, stretch: float) -> Scored:
        half = stretch * scale
        intervals = tuple(
            Intervals(level, forecast - quantile * half, forecast + quantile * half)
            for level, quantile in _QUANTILES.items()
        )
        return Scored(actual, forecast, intervals)

    champion, candidate = scored(signal, 1.0), scored(signal + noise, width)
    scores = paired_scores(candidate, champion, [str(asset) for asset in range(assets)])
    return Compared(
        candidate_r2=scores.candidate_r2,
        champion_r2=scores.champion_r2,
        r2_gain_upper=scores.r2_gain.upper_95,
        interval_gain=scores.interval_gain.mean,
        interval_gain_upper=scores.interval_gain.upper_95,
        sessions=sessions,
        asset_drops={name: theirs - ours for name, (ours, theirs) in scores.asset_r2.items()},
    )


def share_promoted(
    sessions: int,
    repetitions: int,
    *,
    difference: float = 0.0,
    width: float = 1.0,
    assets: int = 23,
    seed: int = 0,
) -> float:
    """Return the share of repetitions in which the gate promotes.

    Args:
        sessions: Shared target sessions.
        repetitions: Simulated comparisons.
        difference: The candidate's true R2 less the champion's.
        width: Of the candidate's intervals, over the champion's.
        assets: Shared assets.
        seed: Of the generator.
    """
    generator = np.random.default_rng(seed)
    audit = LeakageAudit(())
    promoted = 0
    for _ in range(repetitions):
        compared = compare_once(generator, sessions, difference, width, assets)
        verdict = judge(_RUN, _CANDIDATE, _CHAMPION, _CHAMPION.version_id, compared, audit)
        promoted += verdict.promoted
    return promoted / repetitions


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=1000)
    repetitions = parser.parse_args().repetitions
    cases: dict[str, list[tuple[str, dict[str, float]]]] = {
        "true difference in R2": [(f"{each:+.3f}", {"difference": each}) for each in DIFFERENCES],
        "width of the intervals": [(f"{each:.1f}", {"width": each}) for each in WIDTHS],
    }
    for title, rows in cases.items():
        print(f"| {title} |", *(f"{sessions} sessions |" for sessions in SESSIONS))
        print("|---|" + "---|" * len(SESSIONS))
        for name, options in rows:
            shares = (share_promoted(sessions, repetitions, **options) for sessions in SESSIONS)
            print(f"| {name} |", *(f"{share:.3f} |" for share in shares), flush=True)
        print()


if __name__ == "__main__":
    main()
