"""How often the gate promotes simulated candidates that are better, equal or worse than a champion.

    python benchmarks/gate_power.py [--repetitions 1000]

Prints, for each number of shared sessions and each true difference in R2, the share of seeded
repetitions in which every rule of the comparison is kept.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.config import parse_run_config
from roi_forecast.evaluation.paired_scores import paired_scores
from roi_forecast.features.leakage import LeakageAudit
from roi_forecast.features.returns import smooth
from roi_forecast.gate.rules import Compared, judge
from roi_forecast.registry.versions import ModelVersion
from roi_forecast.runs.resolved_run import ResolvedRun

SMOOTHING = 5
NOISE = 0.02
"""Share of the target's variance by which each misses the no-skill forecast on its own."""
SESSIONS = (60, 97, 200, 400)
DIFFERENCES = (0.02, 0.01, 0.005, 0.0, -0.005, -0.01, -0.015, -0.02)

_RUN = ResolvedRun(
    run_id="simulated",
    config=parse_run_config({}),
    model_name="reference",
    source_key="yahoo",
    start_date=date(2022, 7, 1),
    as_of_date=date(2024, 12, 31),
    extraction_symbols=("TCS.NS",),
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
    metrics={"r2": 0.78, "no_skill_r2": 0.8, "persistence_r2": 0.56},
    path="",
    checksum="",
)
_CHAMPION = replace(_CANDIDATE, version_id="champion", last_date=date(2024, 12, 2))


def log_rois(generator: np.random.Generator, rows: int, assets: int) -> FloatArray:
    """Return unpredictable returns with heavy tails, a common factor and lasting calm and unrest.

    Args:
        generator: Source of chance.
        rows: Sessions.
        assets: Columns.
    """
    log_variance = np.zeros(rows)
    shocks = generator.normal(0, 0.25, rows)
    for row in range(1, rows):
        log_variance[row] = 0.97 * log_variance[row - 1] + shocks[row]
    common, own = generator.standard_t(4, (rows, 1)), generator.standard_t(4, (rows, assets))
    returns: FloatArray = np.exp(log_variance / 2)[:, np.newaxis] * (0.6 * common + 0.8 * own)
    return returns


def compare_once(
    generator: np.random.Generator, sessions: int, difference: float, assets: int
) -> Compared:
    """Compare a simulated candidate with a simulated champion.

    Both know the four past returns in the target and miss its forecast by noise of their own.

    Args:
        generator: Source of chance.
        sessions: Shared target sessions.
        difference: The candidate's R2 less the champion's, on average; at most NOISE.
        assets: Shared assets.
    """
    returns = log_rois(generator, sessions + SMOOTHING - 1, assets)
    actual = smooth(returns, SMOOTHING)
    known = actual - returns[SMOOTHING - 1 :] / SMOOTHING
    deviation = actual.std(axis=0)
    champion, candidate = (
        known + generator.normal(0, np.sqrt(noise), actual.shape) * deviation
        for noise in (NOISE, NOISE - difference)
    )
    scores = paired_scores(actual, candidate, champion, [str(asset) for asset in range(assets)])
    return Compared(
        candidate_r2=scores.candidate_r2,
        champion_r2=scores.champion_r2,
        upper_loss_difference=scores.upper_loss_difference,
        sessions=sessions,
        asset_drops={name: theirs - ours for name, (ours, theirs) in scores.asset_r2.items()},
    )


def share_promoted(
    sessions: int, difference: float, repetitions: int, *, assets: int = 23, seed: int = 0
) -> float:
    """Return the share of repetitions in which the gate promotes.

    Args:
        sessions: Shared target sessions.
        difference: The candidate's true R2 less the champion's.
        repetitions: Simulated comparisons.
        assets: Shared assets.
        seed: Of the generator.
    """
    generator = np.random.default_rng(seed)
    audit = LeakageAudit(())
    promoted = 0
    for _ in range(repetitions):
        compared = compare_once(generator, sessions, difference, assets)
        verdict = judge(_RUN, _CANDIDATE, _CHAMPION, _CHAMPION.version_id, compared, audit)
        promoted += verdict.promoted
    return promoted / repetitions


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=1000)
    repetitions = parser.parse_args().repetitions
    print("| true difference in R2 |", *(f"{sessions} sessions |" for sessions in SESSIONS))
    print("|---|" + "---|" * len(SESSIONS))
    for difference in DIFFERENCES:
        shares = (share_promoted(sessions, difference, repetitions) for sessions in SESSIONS)
        print(f"| {difference:+.3f} |", *(f"{share:.3f} |" for share in shares), flush=True)


if __name__ == "__main__":
    main()
