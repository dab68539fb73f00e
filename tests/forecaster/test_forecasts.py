from __future__ import annotations

from dataclasses import replace

import numpy as np

from roi_forecast.forecaster.forecasts import Forecasts, joined
from roi_forecast.forecaster.intervals import Intervals


def test_some_origins_and_horizons_keep_what_belongs_to_them() -> None:
    generator = np.random.default_rng(1)
    log_roi, smoothed = generator.normal(size=(2, 3, 6, 2))
    gap = generator.normal(size=(6, 2))
    missing = generator.random((6, 4)) < 0.5
    forecasts = Forecasts(
        ("A", "B"),
        range(10, 16),
        (1, 2, 5),
        log_roi,
        smoothed,
        gap=gap,
        open_to_close=log_roi[0] - gap,
        context_missing=missing,
    )
    found = forecasts.between(range(12, 15))
    assert (found.origins, found.horizons) == (range(12, 15), (1, 2, 5))
    np.testing.assert_array_equal(found.log_roi, log_roi[:, 2:5])
    np.testing.assert_array_equal(found.smoothed, smoothed[:, 2:5])
    assert found.gap is not None
    np.testing.assert_array_equal(found.gap, gap[2:5])
    np.testing.assert_allclose(found.gap + found.open_to_close, found.log_roi[0])
    np.testing.assert_array_equal(found.context_missing, missing[2:5])
    plain = Forecasts(("A", "B"), range(10, 16), (1, 2, 5), log_roi, smoothed)
    assert plain.between(range(12, 15)).gap is None


def forecasts(generator: np.random.Generator, origins: range, context: bool = True) -> Forecasts:
    shape = (len(origins), 2)
    log_roi, smoothed, lower, upper = generator.normal(size=(4, 3, *shape))
    gap = generator.normal(size=shape)
    intervals = tuple(
        tuple(Intervals(level, lower[place], upper[place]) for level in (0.8, 0.95))
        for place in range(3)
    )
    return Forecasts(
        ("A", "B"),
        origins,
        (1, 2, 5),
        log_roi,
        smoothed,
        gap=gap,
        open_to_close=log_roi[0] - gap,
        intervals=intervals,
        context_missing=generator.random((len(origins), 4)) < 0.5 if context else None,
        member_spread_pct=generator.random(shape),
    )


def test_parts_of_a_walk_that_are_joined_are_what_they_were() -> None:
    generator = np.random.default_rng(2)
    ranges = [range(10, 16), range(16, 17), range(17, 20)]
    parts = [forecasts(generator, each) for each in ranges]
    found = joined(parts)
    assert found.origins == range(10, 20)
    assert found.horizons == (1, 2, 5)
    # Folds have other members.
    assert found.member_spread_pct is None
    for part in parts:
        own = found.between(part.origins)
        for name in ("log_roi", "smoothed", "gap", "open_to_close", "context_missing"):
            np.testing.assert_array_equal(getattr(own, name), getattr(part, name))
        for horizon in range(3):
            for mine, its in zip(own.intervals[horizon], part.intervals[horizon], strict=True):
                assert mine.level == its.level
                np.testing.assert_array_equal(mine.lower, its.lower)
                np.testing.assert_array_equal(mine.upper, its.upper)


def test_what_one_part_lacks_the_whole_lacks() -> None:
    generator = np.random.default_rng(2)
    parts = [forecasts(generator, range(10, 12)), forecasts(generator, range(12, 15), False)]
    found = joined(parts)
    assert found.context_missing is None
    assert found.gap is not None
    assert joined([replace(parts[0], intervals=())]).intervals == ()
