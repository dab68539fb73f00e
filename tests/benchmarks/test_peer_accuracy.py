from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.array_types import FloatArray
from roi_forecast.backtest.naive_walks import naive_walks
from roi_forecast.backtest.walk_forward import walk_forward
from roi_forecast.forecaster.intervals import Intervals

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import peer_accuracy
from aims import (
    Aim,
    aims_table,
    daily_aims,
    interval_aims,
    next_day_aim,
    smoothed_aims,
    unhelped_aims,
    without_context_aim,
)
from daily_accuracy import daily_run, walked_in
from interval_accuracy import interval_tables
from next_day_accuracy import network_tables
from nlinear_peer import nlinear
from peer_accuracy import (
    GARCH,
    NO_SKILL,
    Actual,
    NextDay,
    NextDayFigures,
    actual_of,
    figures,
    naive_forecasts,
    peer_forecasts,
    peer_table,
)
from peers import Peer

GENERATOR = np.random.default_rng(4)
ROI = GENERATOR.normal(0, 1.0, (120, 3))
ACTUAL = Actual(ROI, ROI / 500)


def forecast(log_roi: FloatArray, half: float = 1.5) -> NextDay:
    intervals = tuple(
        Intervals(level, np.full(ROI.shape, -width), np.full(ROI.shape, width))
        for level, width in ((0.80, half), (0.95, 2 * half))
    )
    return NextDay(log_roi, log_roi / 5, intervals)


KNOWING = forecast(np.log1p(ROI / 100))
NOTHING = forecast(np.zeros(ROI.shape))


def test_a_forecast_that_is_right_has_all_the_skill_and_one_of_zero_has_none() -> None:
    right = figures(KNOWING, ACTUAL, NOTHING, NOTHING)
    assert right.r2_against_zero == pytest.approx(1.0)
    nothing = figures(NOTHING, ACTUAL, NOTHING, NOTHING)
    assert nothing.r2_against_zero == 0.0
    assert np.isnan(nothing.t)
    assert nothing.smoothed_gain == 0.0
    assert right.smoothed_gain > 0


def test_the_scores_relative_to_garch_are_ratios_of_means() -> None:
    wider = forecast(np.zeros(ROI.shape), half=3.0)
    found = figures(wider, ACTUAL, NOTHING, NOTHING)
    for number, level in enumerate((0.80, 0.95)):
        half = 3.0 * (number + 1)
        outside = np.maximum(np.abs(ROI) - half, 0)
        score = (2 * half + 2 / (1 - level) * outside).mean()
        theirs = (half + 2 / (1 - level) * np.maximum(np.abs(ROI) - half / 2, 0)).mean()
        assert found.relative[number] == pytest.approx(score / theirs)
        assert found.bound[number] >= found.relative[number]
        assert found.coverage[number] == pytest.approx((np.abs(ROI) <= half).mean())
        by_asset = (np.abs(ROI) <= half).mean(axis=0)
        assert found.of_assets[number] == pytest.approx((by_asset.min(), by_asset.max()))


def test_the_t_of_a_weak_but_steady_forecast_is_large_and_that_of_noise_is_not() -> None:
    steady = figures(forecast(0.1 * KNOWING.log_roi), ACTUAL, NOTHING, NOTHING)
    noise = GENERATOR.normal(0, 0.001, ROI.shape)
    assert steady.t > 5
    assert abs(figures(forecast(noise), ACTUAL, NOTHING, NOTHING).t) < 4


def test_the_table_holds_every_forecast_and_no_bound_for_garch_itself() -> None:
    named = {"model": KNOWING, GARCH: NOTHING, NO_SKILL: NOTHING}
    lines = peer_table(ACTUAL, named, ("AAPL", "KO"))
    rows = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in rows} == {13}
    for name in named:
        assert sum(line.startswith(f"| {name} |") for line in rows) == 1
    garch = next(line for line in rows if line.startswith(f"| {GARCH} |"))
    assert "| 1.0000 |  |" in garch
    assert any("Context assets: AAPL, KO." in line for line in lines)


def test_peers_are_made_for_the_targets_of_a_walk_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    peers: dict[str, Peer] = {"NLinear": nlinear, "GARCH": peer_accuracy.garch}
    monkeypatch.setattr(peer_accuracy, "PEERS", peers)
    dataset = synthetic_dataset(rows=260, assets=2, context=1)
    walk = walk_forward(dataset, dataset.dates[200].item())
    found = {**naive_forecasts(dataset, walk), **peer_forecasts(dataset, walk)}
    assert list(found) == [
        *(NO_SKILL, "zero", "NLinear, conformal", "GARCH, as it is", "GARCH, conformal")
    ]
    for each in found.values():
        assert each.log_roi.shape == each.smoothed.shape == walk.actual_pct.shape
        assert np.isfinite(each.intervals[0].upper).all()
    known = dataset.log_roi[198:200].sum(axis=0)
    first = found["GARCH, conformal"]
    np.testing.assert_allclose(first.smoothed[0], (known + first.log_roi[0]) / 3)
    naive = naive_walks(dataset, walk)
    tables = network_tables({"model": walk, "linear": walk, **naive})
    assert any("by +0.0000 (+0.0000 to +0.0000" in line for line in tables)
    assert "| R2 against the zero forecast |" in "\n".join(tables)
    garch = found["GARCH, as it is"].intervals
    lines = interval_tables(dataset, walk, garch)
    assert any(line.startswith("| shipped |") for line in lines)
    named = {**found, GARCH: found["GARCH, as it is"]}
    assert len(peer_table(actual_of(walk), named)) == 7 + len(named)


def test_a_daily_run_is_held_against_the_walk_forward_on_its_test_rows() -> None:
    dataset = synthetic_dataset(rows=330)
    walk = walk_forward(dataset, dataset.dates[250].item())
    daily = daily_run(dataset, walk.targets)
    walked, actual = walked_in(walk, daily.origins)
    assert actual.shape == (len(dataset.split.test), 3)
    np.testing.assert_array_equal(walked[0].upper[-1], walk.intervals[0].upper[-1])
    assert [aim.is_reached for aim in daily_aims(daily.intervals[0], walked, actual)] == [True] * 2


@pytest.mark.parametrize(("value", "reached"), [(0.003, True), (0.0029, False)])
def test_the_smoothed_gain_has_its_bars(value: float, reached: bool) -> None:
    with_context, without = smoothed_aims(value, value - 0.0035)
    assert with_context.is_reached is reached
    assert without.is_reached is reached


def test_the_next_day_needs_its_r2_and_its_t() -> None:
    assert next_day_aim(KNOWING, ACTUAL).is_reached
    assert not next_day_aim(forecast(0.001 * KNOWING.log_roi), ACTUAL).is_reached
    assert not next_day_aim(NOTHING, ACTUAL).is_reached


@pytest.mark.parametrize(
    ("relative", "coverage", "of_assets", "reached"),
    [
        ((0.973, 0.966), (0.815, 0.935), ((0.76, 0.84), (0.91, 0.99)), [True] * 4),
        ((0.974, 0.966), (0.80, 0.95), ((0.8, 0.8), (0.95, 0.95)), [False, True, True, True]),
        ((0.973, 0.967), (0.784, 0.95), ((0.8, 0.8), (0.95, 0.95)), [True, False, False, True]),
        ((0.97, 0.96), (0.80, 0.95), ((0.75, 0.8), (0.95, 0.95)), [True, True, True, False]),
    ],
)
def test_intervals_have_their_bars(
    relative: tuple[float, float],
    coverage: tuple[float, float],
    of_assets: tuple[tuple[float, float], ...],
    reached: list[bool],
) -> None:
    measured = NextDayFigures(0.0, 0.0, 0.0, relative, relative, coverage, of_assets)
    assert [aim.is_reached for aim in interval_aims(measured)] == reached


def test_context_that_harms_an_asset_misses_the_bar() -> None:
    harmed = forecast(-KNOWING.log_roi, half=8.0)
    assert not any(aim.is_reached for aim in unhelped_aims(harmed, NOTHING, ACTUAL, [0, 2]))
    assert all(aim.is_reached for aim in unhelped_aims(NOTHING, NOTHING, ACTUAL, [0, 2]))
    assert all(aim.is_reached for aim in unhelped_aims(KNOWING, NOTHING, ACTUAL, [1]))


def test_the_worst_set_without_context_decides() -> None:
    assert without_context_aim({"one": 0.0, "other": -0.0005}).is_reached
    assert not without_context_aim({"one": 0.01, "other": -0.0006}).is_reached


def test_the_aims_are_listed_with_their_verdicts() -> None:
    lines = aims_table([Aim("a", "b", "c", "d", True), Aim("e", "f", "", "h", False)], "model")
    assert "| a | b | c | d | reached |" in lines
    assert "| e | f |  | h | missed |" in lines
