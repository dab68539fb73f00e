"""The gate on simulated candidates: an equal one passes nearly always, a much worse one seldom."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from gate_power import compare_once, share_promoted


@pytest.mark.parametrize("sessions", [60, 97])
def test_a_candidate_with_a_much_worse_forecast_is_seldom_promoted(sessions: int) -> None:
    assert share_promoted(sessions, 100, difference=-0.1, seed=1) < 0.05


def test_a_candidate_with_much_wider_intervals_is_seldom_promoted() -> None:
    assert share_promoted(200, 60, width=1.5, seed=2) < 0.05


def test_a_worse_candidate_is_promoted_less_often_the_more_sessions_are_shared() -> None:
    few, many = (share_promoted(sessions, 80, difference=-0.02, seed=3) for sessions in (60, 400))
    assert many < few - 0.1


def test_an_equal_candidate_is_promoted() -> None:
    assert share_promoted(60, 40, seed=4) == 1.0


def test_simulated_candidates_differ_by_what_they_are_told() -> None:
    generator = np.random.default_rng(5)
    differences, gains, champions = [], [], []
    for _ in range(60):
        compared = compare_once(generator, 200, -0.01, 1.2, 8)
        assert compared.candidate_r2 is not None
        assert compared.champion_r2 is not None
        champions.append(compared.champion_r2)
        differences.append(compared.candidate_r2 - compared.champion_r2)
        gains.append(compared.interval_gain)
    assert np.mean(champions) == pytest.approx(0.02, abs=0.005)
    assert np.mean(differences) == pytest.approx(-0.01, abs=0.004)
    assert np.mean(gains) < -0.01
