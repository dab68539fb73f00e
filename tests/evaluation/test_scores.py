from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.evaluation.scores import score_forecasts, score_network
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.forecaster.intervals import Intervals

DATASET = synthetic_dataset(rows=260)
TEST = DATASET.split.test
ASSETS = len(DATASET.symbols)


def forecasts_of(origins: range, horizons: tuple[int, ...]) -> Forecasts:
    """Random forecasts; the third asset has no opening prices."""
    generator = np.random.default_rng(6)
    shape = (len(horizons), len(origins), ASSETS)
    log_roi = generator.normal(0, 0.01, shape)
    gap = 0.4 * log_roi[0]
    gap[:, 2] = np.nan
    intervals = tuple(
        tuple(
            Intervals(level, 100 * center - half, 100 * center + half)
            for level, half in ((0.8, 3.0), (0.95, 5.0))
        )
        for center in log_roi
    )
    return Forecasts(
        DATASET.symbols,
        origins,
        horizons,
        log_roi,
        np.zeros(shape),
        gap=gap,
        open_to_close=log_roi[0] - gap,
        intervals=intervals,
    )


def test_what_the_network_adds_is_the_gain_of_the_published_next_session() -> None:
    linear = forecasts_of(TEST, (1, 4))
    model = replace(linear, log_roi=0.5 * linear.log_roi)
    scores = {score.metric: score for score in score_network(model, linear, DATASET, "test")}
    bounds = ("", "_lower_95", "_upper_95")
    assert list(scores) == [f"r2_gain_over_linear{bound}" for bound in bounds]

    def r2(forecasts: Forecasts) -> float:
        found = score_forecasts(forecasts, DATASET, "model", "test")
        wanted = ("next_day_pct", None, "r2_against_zero")
        return next(
            each.value for each in found if (each.target, each.symbol, each.metric) == wanted
        )

    gain = scores["r2_gain_over_linear"]
    assert gain.value == pytest.approx(r2(model) - r2(linear), rel=0.02)
    assert gain.value > 0
    assert (gain.predictor, gain.target, gain.symbol, gain.horizon) == (
        "model",
        "next_day_pct",
        None,
        1,
    )


def test_scores_are_those_of_the_published_move_to_the_target_date() -> None:
    forecasts = forecasts_of(TEST, (1, 4, 9))
    scores = list(score_forecasts(forecasts, DATASET, "model", "test"))
    found = {(score.target, score.symbol, score.metric): score for score in scores}
    of_horizons, of_parts = ["next_day_pct", "horizon_4_pct", "horizon_9_pct"], 2
    assert {score.target for score in scores} == {*of_horizons, "gap_pct", "open_to_close_pct"}
    bounds, t, ranks, directions, of_coverage = 4, 1, 2, 1, 4
    skill = bounds + t + ranks + directions
    of_horizon, of_part = ((1 + ASSETS) * count + skill for count in (9, 5))
    assert len(found) == len(scores)
    assert len(scores) == 3 * (of_horizon + of_coverage) + of_parts * of_part
    for number, horizon in enumerate(forecasts.horizons):
        target = of_horizons[number]
        errors: dict[str, list[float]] = {symbol: [] for symbol in DATASET.symbols}
        covered, squares = [], {symbol: [0.0, 0.0] for symbol in DATASET.symbols}
        for place, row in enumerate(TEST):
            for asset, symbol in enumerate(DATASET.symbols):
                end = row + horizon - 1
                if end >= len(DATASET.dates) or DATASET.filled[end, asset]:
                    continue
                actual = 100 * (DATASET.prices[end, asset] / DATASET.prices[row - 1, asset] - 1)
                forecast = 100 * np.expm1(forecasts.log_roi[number, place, asset])
                errors[symbol].append(abs(actual - forecast))
                squares[symbol][0] += (actual - forecast) ** 2
                squares[symbol][1] += actual**2
                at_80 = forecasts.intervals[number][0]
                covered.append(at_80.lower[place, asset] <= actual <= at_80.upper[place, asset])
        for symbol in DATASET.symbols:
            score = found[target, symbol, "mae"]
            assert score.value == pytest.approx(np.mean(errors[symbol]))
            assert (score.rows, score.horizon) == (len(errors[symbol]), horizon)
            gain = 1 - squares[symbol][0] / squares[symbol][1]
            assert found[target, symbol, "r2_against_zero"].value == pytest.approx(gain)
        assert found[target, None, "coverage_80"].value == pytest.approx(np.mean(covered))
        overall = found[target, None, "mae"]
        assert overall.rows == len(covered)
        assert overall.first_date == DATASET.dates[TEST.start + horizon - 1].item()
        assert overall.last_date == DATASET.dates[-1].item()
        bounds = [found[target, None, f"r2_against_zero_{side}_95"] for side in ("lower", "upper")]
        assert bounds[0].value < found[target, None, "r2_against_zero"].value < bounds[1].value


def test_rows_that_training_has_seen_are_scored_for_all_assets_together_alone() -> None:
    forecasts = forecasts_of(TEST, (1,))
    found = {
        split: {score.symbol for score in score_forecasts(forecasts, DATASET, "model", split)}
        for split in ("train", "validation", "test")
    }
    assert found == {"train": {None}, "validation": {None}, "test": {None, *DATASET.symbols}}


def test_parts_are_scored_where_the_bar_and_the_asset_have_opens() -> None:
    forecasts = forecasts_of(TEST, (1,))
    gap = DATASET.gap.copy()
    gap[TEST.start + 3, 0] = np.nan
    rows = replace(DATASET, gap=gap)
    scores = score_forecasts(forecasts, rows, "model", "test")
    found = {(score.target, score.symbol): score for score in scores if score.metric == "mae"}
    assert forecasts.gap is not None
    assert forecasts.open_to_close is not None
    for target, actual, forecast in (
        ("gap_pct", gap, forecasts.gap),
        ("open_to_close_pct", DATASET.log_roi - gap, forecasts.open_to_close),
    ):
        for asset in (0, 1):
            counted = [
                (place, row)
                for place, row in enumerate(TEST)
                if not DATASET.filled[row, asset] and np.isfinite(gap[row, asset])
            ]
            errors = [
                100 * abs(np.exp(actual[row, asset]) - np.exp(forecast[place, asset]))
                for place, row in counted
            ]
            score = found[target, DATASET.symbols[asset]]
            assert (score.rows, score.value) == (len(errors), pytest.approx(np.mean(errors)))
        assert found[target, DATASET.symbols[2]].rows == 0
        assert np.isfinite(found[target, None].value)


def test_forecasts_without_parts_are_scored_as_a_whole() -> None:
    whole = replace(forecasts_of(TEST, (1,)), gap=None, open_to_close=None)
    scores = score_forecasts(whole, DATASET, "zero", "test")
    assert {score.target for score in scores} == {"next_day_pct"}


def test_a_horizon_that_no_session_of_the_test_is_the_end_of_has_no_score() -> None:
    origins = range(TEST.stop - 12, TEST.stop)
    scores = score_forecasts(forecasts_of(origins, (1, 13, 20)), DATASET, "model", "test")
    assert {score.horizon for score in scores} == {1}


def test_no_score_looks_at_a_row_after_the_last_origin() -> None:
    forecasts = forecasts_of(range(TEST.start, TEST.stop - 20), (1, 5))
    wild = {name: getattr(DATASET, name).copy() for name in ("log_roi", "gap")}
    for values in wild.values():
        values[forecasts.origins.stop :] = 0.5
    # As text, since a figure that is not defined is NaN, which equals nothing.
    found, expected = (
        list(map(str, score_forecasts(forecasts, rows, "model", "test")))
        for rows in (replace(DATASET, **wild), DATASET)
    )
    assert found == expected
