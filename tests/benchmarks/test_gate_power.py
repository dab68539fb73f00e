"""The gate's statistics on simulated candidates: seldom a worse one, usually an equal one."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from gate_power import compare_once, share_promoted

from roi_forecast.gate.rules import CHAMPION_TOLERANCE as TOLERANCE


@pytest.mark.parametrize("sessions", [60, 97])
def test_a_candidate_worse_by_more_than_the_tolerance_is_seldom_promoted(sessions: int) -> None:
    assert share_promoted(sessions, -1.5 * TOLERANCE, 150, seed=1) < 0.05


def test_a_candidate_worse_by_the_tolerance_itself_is_promoted_about_as_often_as_stated() -> None:
    # 5 % is stated; of 200 repetitions more than 10 % would be a matter of 3 standard errors.
    assert share_promoted(60, -TOLERANCE, 200, seed=2) < 0.10


def test_an_equal_candidate_passes_more_often_the_more_sessions_are_shared() -> None:
    few, many = (share_promoted(sessions, 0.0, 100, seed=3) for sessions in (60, 200))
    assert few < many
    assert many > 0.85


def test_a_better_candidate_passes() -> None:
    assert share_promoted(97, TOLERANCE, 60, seed=4) > 0.95


def test_simulated_candidates_differ_by_what_they_are_told() -> None:
    generator = np.random.default_rng(5)
    differences = []
    for _ in range(60):
        compared = compare_once(generator, 200, -0.01, 8)
        assert compared.candidate_r2 is not None
        assert compared.champion_r2 is not None
        differences.append(compared.candidate_r2 - compared.champion_r2)
    assert np.mean(differences) == pytest.approx(-0.01, abs=0.002)
