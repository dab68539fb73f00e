"""Simulated champions whose faults are plain are reported, and those without any mostly not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from alert_power import live


def test_a_plain_fault_is_reported_within_three_months() -> None:
    life = live(np.random.default_rng(0), 0.5, -0.5)
    assert life.coverage_80 is not None
    assert life.coverage_80 <= 60
    assert life.r2_against_zero is not None
    assert life.r2_against_zero <= 60


def test_a_champion_without_a_fault_is_reported_in_few_years() -> None:
    generator = np.random.default_rng(1)
    lives = [live(generator, 0.8, 0.0) for _ in range(5)]
    assert all(life.r2_against_zero is None for life in lives)
    assert sum(life.coverage_80 is not None for life in lives) <= 2
