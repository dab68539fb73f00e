"""Forecasts and intervals of assets whose bars lack columns, next to those of complete bars."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from roi_forecast.config import FeatureConfig
from roi_forecast.features.build import assemble_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.rows import align_rows
from roi_forecast.forecaster.forecaster import Forecaster
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.forecaster.through_time import ThroughTime
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.universe import Context, load_universe

SYMBOLS = ("RELIANCE.NS", "TCS.NS", "INFY.NS", "ITC.NS", "AAPL", "MSFT", "GC=F", "SI=F")
CONTEXT = ("^GSPC", "INFY")
START, LAST = date(2020, 1, 2), date(2024, 12, 27)
WITHOUT = [1, 4, 6]
OTHERS = [0, 2, 3, 5, 7]
EVERY = list(range(len(SYMBOLS)))
PARTS = {"opens": ("gap",), "ranges": ("true_range",), "volumes": ("volume",)}
PARTS["all but closes"] = ("gap", "true_range", "volume")


@cache
def complete() -> Dataset:
    universe, market = load_universe(), SimulatedSource(today=date(2025, 1, 14))
    assets, context = universe.select(SYMBOLS), universe.select(CONTEXT)
    bars = pd.concat(
        [
            market.fetch(asset, date(2019, 11, 1), LAST).bars.assign(symbol=asset.symbol)
            for asset in (*assets, *context)
        ],
        ignore_index=True,
    )
    rows = align_rows(bars, assets, START, LAST, context=Context(context))
    return assemble_dataset(rows, FeatureConfig(test_share=0.5), "simulated", Path())


def without(parts: str, columns: list[int]) -> Dataset:
    changed = {}
    for name in PARTS[parts]:
        changed[name] = getattr(complete(), name).copy()
        changed[name][:, columns] = np.nan
    return replace(complete(), **changed)


@cache
def forecasts(parts: str | None = None, columns: tuple[int, ...] = ()) -> Forecasts:
    dataset = complete() if parts is None else without(parts, list(columns))
    forecaster = Forecaster.fit(dataset, None, ThroughTime.fit(dataset, 250))
    return forecaster.forecast(dataset, dataset.split.test, (1, 5, 20), "direct")


def half_widths(found: Forecasts, horizon: int = 0, level: int = 0) -> np.ndarray:
    bounds = found.intervals[horizon][level]
    return (bounds.upper - bounds.lower) / 2


def coverage(found: Forecasts, level: int) -> np.ndarray:
    """Share of next-day log ROIs inside the interval, for each asset."""
    rows = slice(found.origins.start, found.origins.stop)
    actual = 100 * np.expm1(complete().log_roi[rows])
    bounds = found.intervals[0][level]
    inside = (bounds.lower <= actual) & (actual <= bounds.upper)
    return np.where(complete().filled[rows], np.nan, inside)


def r2(found: Forecasts, columns: list[int]) -> float:
    """R2 against zero of the next-day log ROI of some assets."""
    rows = slice(found.origins.start, found.origins.stop)
    actual = np.where(complete().filled[rows], np.nan, complete().log_roi[rows])[:, columns]
    errors = actual - found.log_roi[0][:, columns]
    return float(1 - np.nansum(errors**2) / np.nansum(actual**2))


@pytest.mark.parametrize("columns", [WITHOUT, EVERY], ids=["some", "every asset"])
@pytest.mark.parametrize("parts", PARTS)
def test_forecasts_and_bounds_are_finite_and_parts_missing_where_opens_are(
    parts: str, columns: list[int]
) -> None:
    found = forecasts(parts, tuple(columns))
    assert np.isfinite(found.log_roi).all()
    assert found.gap is not None
    for bounds in found.intervals:
        for each in bounds:
            assert np.isfinite([each.lower, each.upper]).all()
            assert (each.lower < each.upper).all()
    gone = columns if "gap" in PARTS[parts] else []
    kept = [column for column in EVERY if column not in gone]
    assert np.isnan(found.gap[:, gone]).all()
    assert np.isfinite(found.gap[:, kept]).all()


@pytest.mark.parametrize("columns", [WITHOUT, EVERY], ids=["some", "every asset"])
@pytest.mark.parametrize("parts", ["ranges", "all but closes"])
def test_intervals_hold_as_often_as_those_of_complete_bars(parts: str, columns: list[int]) -> None:
    found = forecasts(parts, tuple(columns))
    for level, (nominal, tolerance) in enumerate([(0.8, 0.02), (0.95, 0.01)]):
        assert found.intervals[0][level].level == nominal
        held, as_complete = (
            np.nanmean(coverage(each, level), axis=0)[columns] for each in (found, forecasts())
        )
        assert held.mean() == pytest.approx(nominal, abs=tolerance)
        assert held == pytest.approx(as_complete, abs=2 * tolerance)


@pytest.mark.parametrize("parts", ["ranges", "all but closes"])
def test_intervals_of_closes_alone_are_hardly_wider(parts: str) -> None:
    found = half_widths(forecasts(parts, tuple(EVERY))).mean(axis=0)
    ratio = found / half_widths(forecasts()).mean(axis=0)
    assert ratio == pytest.approx(np.ones(len(SYMBOLS)), abs=0.04)


@pytest.mark.parametrize("parts", PARTS)
def test_what_some_assets_lack_moves_the_others_by_little(parts: str) -> None:
    # They share the weights of the scale, those of their group's linear part if they have opens
    # alike, and how much of the linear part is published.
    found, expected = forecasts(parts, tuple(WITHOUT)), forecasts()
    wider = np.log(half_widths(found)[:, OTHERS] / half_widths(expected)[:, OTHERS])
    assert abs(wider.mean()) < 0.005
    assert np.abs(wider).mean() < 0.04
    assert np.abs(wider).max() < 0.2
    assert r2(found, OTHERS) > 0.9 * r2(expected, OTHERS) > 0.01
    held = np.nanmean(coverage(found, 0), axis=0)[OTHERS]
    assert held == pytest.approx(np.nanmean(coverage(expected, 0), axis=0)[OTHERS], abs=0.02)


def test_a_missing_volume_or_range_changes_no_forecast_of_the_roi() -> None:
    for parts in ("ranges", "volumes"):
        for columns in (WITHOUT, EVERY):
            found = forecasts(parts, tuple(columns))
            np.testing.assert_array_equal(found.log_roi[0], forecasts().log_roi[0])
            np.testing.assert_array_equal(found.gap, forecasts().gap)


def test_context_says_as_much_about_the_whole_move_without_opens() -> None:
    led = [0, 1, 2, 3]
    assert r2(forecasts("opens", tuple(EVERY)), led) > 0.9 * r2(forecasts(), led) > 0.01
    assert r2(forecasts("opens", tuple(WITHOUT)), WITHOUT) > 0.8 * r2(forecasts(), WITHOUT) > 0.005


def test_nothing_after_an_origin_counts_where_columns_are_missing() -> None:
    dataset = without("all but closes", WITHOUT)
    origin = dataset.split.test.start + 100
    wild = {}
    for name in ("log_roi", "true_range", "gap", "volume"):
        wild[name] = getattr(dataset, name).copy()
        wild[name][origin:] = 0.5
    forecaster = Forecaster.fit(dataset, None, ThroughTime.fit(dataset, 250))
    expected, found = (
        forecaster.forecast(rows, range(origin, origin + 1), (1,), "direct")
        for rows in (dataset, replace(dataset, **wild))
    )
    np.testing.assert_array_equal(found.log_roi, expected.log_roi)
    np.testing.assert_array_equal(half_widths(found), half_widths(expected))
