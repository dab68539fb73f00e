from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi_forecast.errors import EvaluationError
from roi_forecast.forecaster.conformal import conformal_intervals
from roi_forecast.forecaster.horizon_intervals import HorizonErrors
from roi_forecast.forecaster.horizon_intervals import horizon_intervals as intervals_of
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.forecaster.online_factor import factors_ahead, online_factors

ROWS, ASSETS, HORIZONS = 700, 3, 6
GENERATOR = np.random.default_rng(11)
SCALES = GENERATOR.uniform(0.01, 0.03, (HORIZONS, ROWS + 1, ASSETS)).cumsum(axis=0)
# The last asset is the wildest for its scale, and a tenth of the errors is missing.
ERRORS = np.abs(GENERATOR.standard_t(4, (HORIZONS, ROWS, ASSETS))) * SCALES[:, :ROWS] * (1, 1, 2)
ERRORS[GENERATOR.random(ERRORS.shape) < 0.1] = np.nan
TARGET = range(650, 651)
ZERO = np.zeros((HORIZONS, 1, ASSETS))


def horizon_intervals(
    errors: np.ndarray, scales: np.ndarray, forecasts: np.ndarray, targets: range
) -> tuple[tuple[Intervals, ...], ...]:
    """Intervals from arrays of all horizons; the scales are those of all rows."""
    steps = (
        HorizonErrors(error / scale[: len(error)], scale[targets.start : targets.stop], forecast)
        for error, scale, forecast in zip(errors, scales, forecasts, strict=True)
    )
    return intervals_of(steps, targets)


def bounds(found: tuple[tuple[Intervals, ...], ...], level: int = 0) -> np.ndarray:
    """Lower and upper bounds of every horizon, shape (2, horizons, targets, assets)."""
    return np.stack([[each[level].lower for each in found], [each[level].upper for each in found]])


def ranked(scores: np.ndarray, percent: int) -> float:
    known = sorted(scores[np.isfinite(scores)])
    return known[min(-(-(len(known) + 1) * percent // 100), len(known)) - 1]


@pytest.mark.parametrize(("level", "percent"), [(0, 80), (1, 95)])
def test_a_quantile_is_mixed_from_the_assets_own_scores_and_all_assets_scores(
    level: int, percent: int
) -> None:
    lower, upper = bounds(horizon_intervals(ERRORS, SCALES, ZERO, TARGET), level)
    scores = ERRORS / SCALES[:, :ROWS]
    row = TARGET.start
    nearest = scores[0, row - 500 : row]
    quantiles = np.array([[[ranked(nearest[:, asset], percent) for asset in range(ASSETS)]]])
    factors = online_factors(scores[0], quantiles, np.array([row]), [percent / 100])
    assert factors != 1
    before = np.zeros(ASSETS)
    for horizon in range(2, HORIZONS + 1):
        known = scores[horizon - 1, row - horizon + 1 - 500 : row - horizon + 1]
        for asset in range(ASSETS):
            moves = np.isfinite(known[:, asset]).sum() / horizon
            weight = moves / (moves + 20)
            part = ranked(nearest[:, asset], percent) / ranked(nearest, percent)
            quantile = ranked(known[:, asset], percent) ** weight * (
                part * ranked(known, percent)
            ) ** (1 - weight)
            half = factors_ahead(factors, horizon)[0, 0] * quantile
            expected = max(half * SCALES[horizon - 1, row, asset], before[asset])
            before[asset] = expected
            found = np.log1p(upper[horizon - 1, 0, asset] / 100)
            assert found == pytest.approx(expected, rel=1e-6)
            assert np.log1p(lower[horizon - 1, 0, asset] / 100) == pytest.approx(-found)


def test_horizon_1_has_the_intervals_of_the_next_day() -> None:
    found = horizon_intervals(ERRORS, SCALES, ZERO, TARGET)
    expected = conformal_intervals(ERRORS[0], SCALES[0], ZERO[0], TARGET)
    for one, other in zip(found[0], expected, strict=True):
        np.testing.assert_array_equal(one.lower, other.lower)
        np.testing.assert_array_equal(one.upper, other.upper)


def test_an_error_counts_once_its_target_row_lies_before_the_origin() -> None:
    expected = bounds(horizon_intervals(ERRORS, SCALES, ZERO, TARGET), 1)
    for horizon in range(1, HORIZONS + 1):
        newest = TARGET.start - horizon
        unknown, known = ERRORS.copy(), ERRORS.copy()
        unknown[horizon - 1, newest + 1 :] = 100.0
        found = bounds(horizon_intervals(unknown, SCALES, ZERO, TARGET), 1)
        np.testing.assert_array_equal(found, expected)
        # Enough wild errors to move a quantile, the newest of them known just in time.
        known[horizon - 1, newest - 40 : newest + 1] = 100.0
        found = bounds(horizon_intervals(known, SCALES, ZERO, TARGET), 1)
        assert (found[1, horizon - 1] > expected[1, horizon - 1]).all()


def test_intervals_of_many_origins_are_those_of_each_by_itself() -> None:
    targets = range(640, 701)
    forecasts = GENERATOR.normal(0, 0.01, (HORIZONS, len(targets), ASSETS))
    together = bounds(horizon_intervals(ERRORS, SCALES, forecasts, targets))
    for place in (0, 17, 60):
        single = range(targets[place], targets[place] + 1)
        alone = horizon_intervals(ERRORS, SCALES, forecasts[:, place : place + 1], single)
        np.testing.assert_array_equal(bounds(alone)[..., 0, :], together[..., place, :])


def test_a_horizon_has_the_same_interval_whichever_horizons_lie_beyond_it() -> None:
    whole = bounds(horizon_intervals(ERRORS, SCALES, ZERO, TARGET))
    fewer = bounds(horizon_intervals(ERRORS[:4], SCALES[:4], ZERO[:4], TARGET))
    np.testing.assert_array_equal(fewer, whole[:, :4])


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.5))
def test_no_width_shrinks_from_one_horizon_to_the_next(seed: int, spread: float) -> None:
    generator = np.random.default_rng(seed)
    errors = generator.exponential(size=(HORIZONS, 80, ASSETS))
    # Scales that fall as often as they rise, and forecasts that fall far.
    scales = generator.uniform(0.001, 0.1, (HORIZONS, 81, ASSETS))
    forecasts = generator.normal(0, spread, (HORIZONS, 3, ASSETS))
    for level in (0, 1):
        found = horizon_intervals(errors * scales[:, :80], scales, forecasts, range(78, 81))
        lower, upper = bounds(found, level)
        assert (np.diff(upper - lower, axis=0) >= 0).all()
        assert (np.diff(np.log1p(upper / 100) - np.log1p(lower / 100), axis=0) >= -1e-12).all()
        assert ((lower < 100 * np.expm1(forecasts)) & (100 * np.expm1(forecasts) < upper)).all()


def test_without_scores_of_its_own_a_horizon_widens_with_the_square_root_of_time() -> None:
    def half_widths(first_row: int) -> np.ndarray:
        errors = ERRORS.copy()
        errors[1:, :first_row] = np.nan
        _, upper = bounds(horizon_intervals(errors, SCALES, ZERO, TARGET))
        return np.log1p(upper[:, 0] / 100)

    # Of horizon 2 the errors up to two rows before the origin are known: 19, then 20 of them.
    half = half_widths(TARGET.start - 20)
    for horizon in range(1, HORIZONS + 1):
        np.testing.assert_allclose(half[horizon - 1], np.sqrt(horizon) * half[0])
    assert not np.allclose(half_widths(TARGET.start - 21)[1], np.sqrt(2) * half[0])


def test_an_asset_that_never_moved_has_no_width() -> None:
    errors = ERRORS.copy()
    errors[..., 1] = np.where(np.isnan(errors[..., 1]), np.nan, 0.0)
    lower, upper = bounds(horizon_intervals(errors, SCALES, ZERO, TARGET))
    assert (upper[..., 1] == 0).all()
    assert (lower[..., 1] == 0).all()
    assert (upper[..., 0] > 0).all()


def test_targets_before_any_error_are_refused() -> None:
    with pytest.raises(EvaluationError, match="too few rows to know"):
        horizon_intervals(ERRORS, SCALES, ZERO, range(4, 5))
