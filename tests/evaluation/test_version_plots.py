from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi_forecast.evaluation.version_plots import VersionFigures, draw_version, shown_assets
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.network.training.tensorboard import png_size

NAMES = ["error_by_asset", "forecast_and_outcome", "interval_calibration", "loss_curves"]


def figures(assets: int, rows: int = 30, members: int = 1) -> VersionFigures:
    generator = np.random.default_rng(0)
    actual = generator.normal(0.5, 0.1, (rows, assets))
    actual[3] = np.nan
    actual_pct = generator.normal(0, 1, (rows, assets))
    actual_pct[3] = np.nan
    bound = np.ones((rows, assets))
    return VersionFigures(
        title="Version a",
        symbols=tuple(f"ASSET{number}" for number in range(assets)),
        dates=np.datetime64("2024-01-01") + np.arange(rows),
        actual=actual,
        forecast=generator.normal(0.5, 0.1, (rows, assets)),
        no_skill=generator.normal(0.5, 0.1, (rows, assets)),
        actual_roi_pct=actual_pct,
        intervals=(
            Intervals(0.8, -1.3 * bound, 1.3 * bound),
            Intervals(0.95, -2 * bound, 2 * bound),
        ),
        losses=[[(None, 0.02), (0.02, 0.01), (0.01, 0.015)]] * members,
        best_epochs=[1] * members,
    )


@pytest.mark.parametrize(("assets", "members"), [(1, 1), (3, 2), (90, 1)])
def test_every_picture_is_drawn_for_few_and_many_assets_and_members(
    assets: int, members: int
) -> None:
    pictures = draw_version(figures(assets, members=members))
    assert sorted(pictures) == NAMES
    for png in pictures.values():
        width, height = png_size(png)
        assert 400 < width < 3000
        assert 150 < height < 3000


def test_the_same_figures_give_the_same_bytes() -> None:
    assert draw_version(figures(2)) == draw_version(figures(2))


def test_an_asset_without_an_outcome_and_fewer_rows_than_the_rolling_mean_are_drawn() -> None:
    few = figures(2, rows=10)
    few.actual[:, 0] = np.nan
    few.actual_roi_pct[:, 0] = np.nan
    assert sorted(draw_version(few)) == NAMES


@given(
    r2=st.lists(st.floats(-1, 1) | st.just(float("nan")), min_size=1, max_size=60),
    most=st.integers(2, 24),
)
def test_best_and_worst_are_among_the_shown_assets(r2: list[float], most: int) -> None:
    values = np.array(r2)
    shown = shown_assets(values, most)
    assert shown == sorted(set(shown))
    assert len(shown) == min(most, len(r2))
    known = np.nan_to_num(values, nan=-np.inf)
    assert known[shown].max() == known.max()
    assert known[shown].min() == known.min()


def test_a_picture_does_not_depend_on_a_persons_style() -> None:
    expected = draw_version(figures(3))
    with matplotlib.rc_context({"text.usetex": True, "axes.facecolor": "red", "font.size": 30}):
        assert draw_version(figures(3)) == expected
        assert matplotlib.rcParams["font.size"] == 30
