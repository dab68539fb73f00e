from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.evaluation.scores import Score

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from network_accuracy import Measured, Setting, network_table, settings
from reference_data import reference_symbols

DAY = date(2024, 1, 2)


def measured(model: float, linear: float, no_skill: float, seed: int = 0) -> Measured:
    values = {"model": model, "linear": linear, "no_skill": no_skill}
    values |= {"persistence": 0.5}
    scores = tuple(
        Score(name, "smoothed_scaled", None, "test", DAY, DAY, 1, "r2", value)
        for name, value in values.items()
    )
    return Measured("hybrid_linear", seed, scores, 1, 11, 20.0)


@pytest.mark.parametrize(
    ("model", "linear", "limit", "reached"),
    [
        (0.78, 0.78, 0.79, True),
        (0.985 * 0.79, 0.78, 0.79, True),
        (0.985 * 0.79 - 0.0001, 0.78, 0.79, False),
        (0.7851, 0.79, 0.79, True),
        (0.7849, 0.79, 0.79, False),
    ],
)
def test_both_bars_have_to_be_reached(
    model: float, linear: float, limit: float, reached: bool
) -> None:
    assert measured(model, linear, limit).reaches_the_bars is reached


def test_table_shows_every_seed_with_its_peers_and_which_one_missed() -> None:
    dataset = synthetic_dataset()
    setting = Setting("somewhere", dataset.symbols, DAY, DAY)
    lines = network_table(
        setting, dataset, [measured(0.78, 0.78, 0.79), measured(0.76, 0.78, 0.79, seed=1)]
    )
    text = "\n".join(lines)
    assert "Bars: 0.7782 (no-skill forecast) and 0.7750 (linear part)" in text
    assert "| `hybrid_linear` | 0 | 0.7800 | 0.9873 | +0.0000 | reached | 1 of 11 | 20 |" in lines
    assert "| `hybrid_linear` | 1 | 0.7600 | 0.9620 | -0.0200 | missed | 1 of 11 | 20 |" in lines
    for peer in ("persistence", "linear part", "no-skill forecast"):
        assert f"| {peer} | |" in text
    columns = {line.count("|") for line in lines if line.startswith("|")}
    assert len(columns) == 1


def test_settings_are_the_two_windows_of_the_aim_and_two_others() -> None:
    first, second, window, universe = settings()
    assert first.symbols == second.symbols == window.symbols == tuple(reference_symbols())
    assert (first.start, first.last) == (date(2020, 10, 1), date(2023, 3, 31))
    assert (second.start, second.last) == (date(2022, 7, 1), date(2024, 12, 31))
    assert len(universe.symbols) >= 20
    assert set(universe.symbols) - set(first.symbols) == {"AAPL", "JPM", "KO", "NVDA"}
