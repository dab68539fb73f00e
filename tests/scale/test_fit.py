from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import minimize

from roi_forecast.errors import TrainingError
from roi_forecast.features.movement import MIN_MOVE
from roi_forecast.scale.fit import PENALTY, Scale, fit_scale


def moving_market(rows: int, assets: int, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(9)
    inputs = generator.normal(1, 2, (rows, assets, len(slopes)))
    scales = np.exp(-4 + inputs @ slopes)
    return inputs, generator.laplace(0, 1, (rows, assets)) * scales


def test_fit_is_the_minimum_that_a_search_finds() -> None:
    inputs, log_rois = moving_market(150, 2, np.array([0.3, -0.1]))
    log_rois[5:20, 1] = np.nan
    counted = np.isfinite(log_rois)
    design = inputs[counted]
    moves = np.maximum(np.abs(log_rois[counted]), MIN_MOVE)
    spread = design.std(axis=0)

    def loss(weights: np.ndarray) -> float:
        logs = weights[0] + design @ weights[1:]
        penalty = 0.5 * PENALTY * ((weights[1:] * spread) ** 2).sum()
        return float((logs + moves * np.exp(-logs)).sum() + penalty)

    expected = minimize(loss, np.array([-4.0, 0, 0]), method="Nelder-Mead", options={"xatol": 1e-8})
    found = fit_scale(inputs, log_rois)
    np.testing.assert_allclose([found.intercept, *found.slopes], expected.x, atol=1e-4)


def test_fit_finds_the_slopes_that_made_the_returns() -> None:
    slopes = np.array([0.3, -0.1, 0.0])
    found = fit_scale(*moving_market(4000, 4, slopes))
    np.testing.assert_allclose(found.slopes, slopes, atol=0.02)
    assert found.intercept == pytest.approx(-4, abs=0.05)


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_an_input_that_never_varies_changes_nothing(value: float) -> None:
    inputs, log_rois = moving_market(300, 2, np.array([0.3]))
    constant = np.concatenate([inputs, np.full((300, 2, 1), value)], axis=-1)
    np.testing.assert_allclose(
        fit_scale(constant, log_rois).predict(constant), fit_scale(inputs, log_rois).predict(inputs)
    )


def test_zero_returns_do_not_reward_ever_smaller_scales() -> None:
    inputs, log_rois = moving_market(600, 2, np.array([0.3]))
    inputs[:, 1], log_rois[:, 1] = inputs[:, 0].min() - 1.0, 0.0
    fitted = fit_scale(inputs, log_rois, penalty=1.0).predict(inputs)
    assert fitted[:, 1].min() > 0.9 * MIN_MOVE


def test_moves_below_the_smallest_are_alike() -> None:
    inputs, log_rois = moving_market(300, 2, np.array([0.3]))
    calm = np.random.default_rng(2).random(log_rois.shape) < 0.2
    one = fit_scale(inputs, np.where(calm, 0.0, log_rois))
    other = fit_scale(inputs, np.where(calm, 0.99 * MIN_MOVE, log_rois))
    assert one.to_json() == other.to_json()


def test_one_wild_return_does_not_stop_the_search() -> None:
    inputs, log_rois = moving_market(300, 2, np.array([0.3]))
    log_rois[7] = 1e6
    assert np.isfinite(fit_scale(inputs, log_rois).predict(inputs)).all()


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_prices_that_never_moved_are_refused(value: float) -> None:
    inputs, log_rois = moving_market(30, 2, np.array([0.3]))
    with pytest.raises(TrainingError, match="no price moved on any"):
        fit_scale(inputs, np.full_like(log_rois, value))


def test_json_keeps_every_digit() -> None:
    scale = Scale(1 / 3, np.array([1 / 7, -2 / 11]))
    read = Scale.from_json(json.loads(json.dumps(scale.to_json())))
    assert read.intercept == scale.intercept
    np.testing.assert_array_equal(read.slopes, scale.slopes)
