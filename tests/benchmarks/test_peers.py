from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student_t
from sklearn.linear_model import LinearRegression

from network.synthetic_dataset import synthetic_dataset, with_wild_rows_from
from roi_forecast.backtest.folds import Fold
from roi_forecast.features.dataset import Dataset
from roi_forecast.forecaster.conformal import LEVELS

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import lightgbm_peer
from arima_peer import Arima, Order, auto_arima, choose_order, corrected_aic, fit_arima
from garch_peers import garch, garch_ahead, gjr_garch
from interval_peers import ewma_scale
from lightgbm_peer import lightgbm_quantiles, peer_inputs
from nlinear_peer import LAGS, nlinear
from peers import PeerForecasts, no_forecasts, parts_of, refit_rows

DATASET = synthetic_dataset(rows=190, assets=2, context=2)
REFITS = [130, 160]
TARGETS = range(130, 190)
DAY = DATASET.dates[0].item()
FOLDS = [Fold(0, range(130, 160), DAY, DAY, 0.0, 0.0, np.zeros(2))]


def garch_five_ahead(dataset: Dataset, refits: list[int]) -> PeerForecasts:
    bounds = garch_ahead(dataset, refits, (5,))[0]
    return PeerForecasts(bounds.mean(axis=(0, 1)), bounds)


PEERS = [garch, gjr_garch, garch_five_ahead, auto_arima, nlinear, lightgbm_quantiles]


@pytest.fixture(autouse=True)
def small_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lightgbm_peer._SETTINGS, "min_data_in_leaf", 10)
    monkeypatch.setitem(lightgbm_peer._SETTINGS, "num_threads", 1)
    monkeypatch.setattr(lightgbm_peer, "_TREES", 30)


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("row", [130, 145, 160])
def test_no_peer_reads_its_target_or_a_later_row(
    peer: Callable[[Dataset, list[int]], PeerForecasts], row: int
) -> None:
    wild = with_wild_rows_from(DATASET, row)
    found, expected = peer(wild, REFITS), peer(DATASET, REFITS)
    # ARIMA's forecast is the row's value less its error, exact but for rounding.
    np.testing.assert_allclose(
        found.point[: row + 1], expected.point[: row + 1], rtol=0, atol=1e-12
    )
    if expected.bounds is not None:
        assert found.bounds is not None
        seen = slice(0, row + 1)
        np.testing.assert_allclose(
            found.bounds[:, :, seen], expected.bounds[:, :, seen], rtol=0, atol=1e-12
        )
        assert not np.array_equal(found.bounds[:, :, row + 1 :], expected.bounds[:, :, row + 1 :])
    else:
        assert not np.array_equal(found.point[row + 1 :], expected.point[row + 1 :])


@pytest.mark.parametrize("peer", PEERS)
def test_every_row_from_the_first_refit_on_is_forecast(
    peer: Callable[[Dataset, list[int]], PeerForecasts],
) -> None:
    forecasts = peer(DATASET, REFITS)
    assert np.isnan(forecasts.point[:130]).all()
    assert np.isfinite(forecasts.point[130:]).all()
    if forecasts.bounds is not None:
        bounds = forecasts.bounds[:, :, 130:]
        assert (bounds[:, 0] < bounds[:, 1]).all()
        at_80, at_95 = bounds
        assert ((at_95[0] < at_80[0]) & (at_80[1] < at_95[1])).mean() > 0.9


def test_refits_begin_half_a_year_after_the_first_row_and_hold_every_fold() -> None:
    folds = [replace(FOLDS[0], targets=range(start, start + 21)) for start in (190, 211)]
    assert refit_rows(folds) == [127, 148, 169, 190, 211]
    assert refit_rows(FOLDS) == [130]
    assert refit_rows([replace(FOLDS[0], targets=range(40, 61))]) == [40]
    assert parts_of([127, 148], 150) == [range(127, 148), range(148, 150)]


def test_own_bounds_are_turned_into_percent() -> None:
    point, bounds = no_forecasts(DATASET)
    bounds[:, 0], bounds[:, 1] = -0.02, 0.03
    for level, each in zip(
        LEVELS, PeerForecasts(point, bounds).own_intervals(TARGETS), strict=True
    ):
        assert each.level == level
        np.testing.assert_allclose(each.lower, 100 * np.expm1(-0.02))
        np.testing.assert_allclose(each.upper, 100 * np.expm1(0.03))


def test_a_peer_without_a_distribution_says_so() -> None:
    with pytest.raises(ValueError, match="no distribution"):
        PeerForecasts(np.zeros((3, 2)), None).own_intervals(range(1, 3))


def test_conformal_bounds_keep_their_middle_and_forget_how_wide_the_peer_was() -> None:
    point, bounds = no_forecasts(DATASET)
    found = []
    for half in (0.02, 0.2):
        bounds[:, 0], bounds[:, 1] = 0.1 - half, 0.1 + half
        peer = PeerForecasts(point, bounds)
        found.append(peer.conformal_intervals(DATASET, TARGETS, np.ones(point.shape)))
    for level, narrow, wide in zip(LEVELS, *found, strict=True):
        np.testing.assert_allclose(narrow.upper, wide.upper)
        np.testing.assert_allclose(narrow.lower, wide.lower)
        logs = np.log1p(narrow.lower / 100) + np.log1p(narrow.upper / 100)
        np.testing.assert_allclose(logs / 2, 0.1)
        covered = narrow.covers(100 * np.expm1(DATASET.log_roi[TARGETS.start :]))
        assert covered.mean() == pytest.approx(level, abs=0.12)


def test_conformal_intervals_of_a_point_alone_stand_around_it_on_the_given_scale() -> None:
    point = np.full(DATASET.log_roi.shape, 0.01)
    scales = np.linspace(1, 2, 190)[:, np.newaxis] * np.ones((1, 2))
    at_80, _ = PeerForecasts(point, None).conformal_intervals(DATASET, TARGETS, scales)
    logs = np.log1p(at_80.lower / 100) + np.log1p(at_80.upper / 100)
    np.testing.assert_allclose(logs / 2, 0.01)


def test_garch_bounds_are_the_quantiles_of_students_t() -> None:
    forecasts = garch(DATASET, REFITS)
    assert forecasts.bounds is not None
    half = (forecasts.bounds[:, 1] - forecasts.bounds[:, 0])[:, 130] / 2
    np.testing.assert_allclose(
        forecasts.bounds[:, :, 130].mean(axis=1), [forecasts.point[130]] * 2, atol=1e-12
    )
    ratio = (half[1] / half[0])[0]
    known = [student_t.ppf(0.975, nu) / student_t.ppf(0.9, nu) for nu in (2.05, 1e6)]
    assert min(known) <= ratio <= max(known)


def test_one_session_of_simulated_paths_is_the_next_session_of_garch() -> None:
    simulated = garch_ahead(DATASET, REFITS, (1,))[0]
    exact = garch(DATASET, REFITS).bounds
    assert exact is not None
    width = (exact[:, 1] - exact[:, 0])[:, 130:]
    np.testing.assert_allclose((simulated[:, 1] - simulated[:, 0])[:, 130:], width, rtol=0.1)


def test_farther_horizons_of_independent_returns_widen_with_the_root_of_time() -> None:
    one, nine = garch_ahead(DATASET, REFITS, (1, 9))[:, 0, :, 130:]
    ratio = (nine[1] - nine[0]) / (one[1] - one[0])
    assert 2.4 < ratio.mean() < 3.6


def test_the_search_ends_where_no_order_a_step_away_is_better() -> None:
    noise = np.random.default_rng(1).normal(size=300)
    series = np.zeros(300)
    for row in range(1, 300):
        series[row] = 0.7 * series[row - 1] + noise[row]
    found = choose_order(series + 3.0)
    assert found.autoregressive >= 1
    assert found.trend == "c"
    least = corrected_aic(series + 3.0, found)
    for step in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        lags = found.autoregressive + step[0], found.moving_average + step[1]
        if min(lags) >= 0 and max(lags) <= 5:
            assert corrected_aic(series + 3.0, Order(*lags, "c")) >= least


def test_the_corrected_aic_of_noise_is_that_of_its_variance() -> None:
    values = np.random.default_rng(1).normal(1.0, 2.0, 100)
    expected = 100 * np.log(values.var()) + 2 * 2 * 100 / (100 - 3)
    assert corrected_aic(values, Order(0, 0, "c")) == pytest.approx(expected)


def test_arima_without_errors_lags_is_least_squares_on_lags() -> None:
    values = DATASET.log_roi[:130, 0]
    lagged = [np.r_[np.zeros(lag), values[:-lag]] for lag in (1, 2)]
    oracle = LinearRegression(fit_intercept=False).fit(np.transpose(lagged), values)
    fitted = fit_arima(values, Order(2, 0, "n"))
    np.testing.assert_allclose(fitted.autoregressive, oracle.coef_, atol=1e-5)


def test_arima_gives_back_the_weights_of_a_simulated_series() -> None:
    noise = np.random.default_rng(1).normal(size=20_000)
    series = np.full(20_000, 0.5)
    for row in range(1, 20_000):
        before = series[row - 1] - 0.5
        series[row] = 0.5 + 0.6 * before + noise[row] + 0.3 * noise[row - 1]
    fitted = fit_arima(series, Order(1, 1, "c"))
    assert fitted.mean == pytest.approx(0.5, abs=0.05)
    assert fitted.autoregressive == pytest.approx([0.6], abs=0.03)
    assert fitted.moving_average == pytest.approx([0.3], abs=0.03)
    np.testing.assert_allclose(fitted.errors(series)[100:], noise[100:], atol=0.2)


@pytest.mark.parametrize(
    ("own", "errors", "expected"),
    [([0.9], [0.5], True), ([1.0], [], False), ([], [1.2], False), ([], [], True)],
)
def test_only_a_stationary_and_invertible_model_is_stable(
    own: list[float], errors: list[float], expected: bool
) -> None:
    assert Arima(0.0, np.array(own), np.array(errors)).is_stable is expected


def test_arima_bounds_are_normal_around_the_mean() -> None:
    forecasts = auto_arima(DATASET, REFITS)
    assert forecasts.bounds is not None
    width = (forecasts.bounds[:, 1] - forecasts.bounds[:, 0])[:, 130:]
    np.testing.assert_allclose(width[1] / width[0], norm.ppf(0.975) / norm.ppf(0.9))
    np.testing.assert_allclose(forecasts.bounds[0, :, 130:].mean(axis=0), forecasts.point[130:])


def test_nlinear_is_least_squares_on_values_less_the_last() -> None:
    dataset = replace(DATASET, filled=np.zeros_like(DATASET.filled))
    scale = np.sqrt((dataset.log_roi[:130] ** 2).mean(axis=0))
    scaled = dataset.log_roi / scale
    places = [(row, asset) for row in range(LAGS, 130) for asset in range(2)]
    lags = [scaled[row - LAGS : row - 1, asset] - scaled[row - 1, asset] for row, asset in places]
    rises = [scaled[place] - scaled[place[0] - 1, place[1]] for place in places]
    oracle = LinearRegression().fit(lags, rises)
    window = scaled[140 - LAGS : 140, 1]
    expected = window[-1] + oracle.predict([window[:-1] - window[-1]])[0]
    assert nlinear(dataset, REFITS).point[140, 1] == pytest.approx(expected * scale[1])


def test_lightgbm_sees_what_is_known_before_the_row_and_which_asset_it_is() -> None:
    scale = ewma_scale(DATASET)
    inputs = peer_inputs(DATASET, scale)
    np.testing.assert_array_equal(inputs[100, :, -1], [0, 1])
    expected = DATASET.log_roi[99] / scale[100]
    assert any(np.allclose(inputs[100, :, column], expected) for column in range(inputs.shape[-1]))


def test_lightgbm_learns_from_a_context_asset_that_leads() -> None:
    dataset = synthetic_dataset(rows=400, assets=2, context=1)
    led = dataset.log_roi * 0.2
    led[1:] += dataset.context[:-1]
    forecasts = lightgbm_quantiles(replace(dataset, log_roi=led), [300])
    assert np.corrcoef(forecasts.point[300:, 0], dataset.context[299:-1, 0])[0, 1] > 0.8
