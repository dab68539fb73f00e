"""Ridge with leave-one-day-out strengths, against refits that leave each day out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from roi_forecast.array_types import FloatArray
from roi_forecast.linear.ridge import STRENGTHS, fit_days, fit_pooled


def _planted(seed: int, days: int = 40, noise: float = 1.0) -> tuple[FloatArray, ...]:
    generator = np.random.default_rng(seed)
    inputs = generator.standard_normal((days, 3))
    weights = generator.standard_normal((3, 2))
    outputs = inputs @ weights + noise * generator.standard_normal((days, 2))
    return inputs, outputs, generator.uniform(0.2, 1.0, days)


def _left_out(
    inputs: FloatArray, outputs: FloatArray, weights: FloatArray, penalty: float
) -> FloatArray:
    predictions = []
    for day in range(len(inputs)):
        others = np.arange(len(inputs)) != day
        model = Ridge(alpha=penalty, fit_intercept=False)
        model.fit(inputs[others], outputs[others], sample_weight=weights[others])
        predictions.append(model.predict(inputs[day : day + 1])[0])
    return np.array(predictions)


def test_the_chosen_strength_has_the_least_error_of_days_left_out_one_by_one() -> None:
    inputs, outputs, weights = _planted(1)

    found = fit_days(inputs, outputs, weights)

    losses = []
    for strength in STRENGTHS:
        predicted = _left_out(inputs, outputs, weights, strength * weights.sum())
        losses.append(float((weights[:, np.newaxis] * (outputs - predicted) ** 2).sum()))
    best = STRENGTHS[int(np.argmin(losses))] * weights.sum()
    expected = Ridge(alpha=best, fit_intercept=False).fit(inputs, outputs, sample_weight=weights)
    np.testing.assert_allclose(found.weights, expected.coef_.T, rtol=1e-7)
    np.testing.assert_allclose(
        found.left_out, _left_out(inputs, outputs, weights, best), rtol=1e-6, atol=1e-9
    )


def test_inputs_that_say_nothing_get_no_weight() -> None:
    generator = np.random.default_rng(2)
    zero = 0
    for _ in range(20):
        inputs = generator.standard_normal((60, 2))
        found = fit_days(inputs, generator.standard_normal((60, 1)), np.ones(60))
        zero += not found.weights.any()
    assert zero >= 5


def test_an_input_that_never_moves_gets_no_weight() -> None:
    inputs, outputs, weights = _planted(3)
    still = np.column_stack([inputs, np.zeros(len(inputs))])

    found = fit_days(still, outputs, weights)

    np.testing.assert_allclose(found.weights[:3], fit_days(inputs, outputs, weights).weights)
    assert not found.weights[3].any()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), day=st.integers(0, 29))
def test_a_left_out_prediction_does_not_depend_on_its_own_day(seed: int, day: int) -> None:
    inputs, outputs, weights = _planted(seed, days=30, noise=0.1)
    changed = outputs.copy()
    changed[day] += 1e-3

    before, after = (fit_days(inputs, each, weights) for each in (outputs, changed))

    # The strength may change with the day; with the same one the prediction may not.
    if np.allclose(before.weights, after.weights, rtol=1e-2):
        np.testing.assert_allclose(before.left_out[day], after.left_out[day], atol=2e-5)


def test_pooled_weights_are_those_of_all_assets_stacked() -> None:
    generator = np.random.default_rng(4)
    inputs = generator.standard_normal((80, 5, 2))
    outputs = inputs @ np.array([0.5, -0.3]) + 0.5 * generator.standard_normal((80, 5))
    grams = np.einsum("dai,daj->dij", inputs, inputs)
    moments = np.einsum("dai,da->di", inputs, outputs)

    found = fit_pooled(grams, moments)

    unit = np.trace(grams.sum(axis=0)) / 2
    losses = []
    for strength in STRENGTHS:
        error = 0.0
        for day in range(80):
            others = np.arange(80) != day
            model = Ridge(alpha=strength * unit, fit_intercept=False)
            model.fit(inputs[others].reshape(-1, 2), outputs[others].ravel())
            error += float(((outputs[day] - model.predict(inputs[day])) ** 2).sum())
        losses.append(error)
    best = STRENGTHS[int(np.argmin(losses))] * unit
    expected = Ridge(alpha=best, fit_intercept=False).fit(inputs.reshape(-1, 2), outputs.ravel())
    np.testing.assert_allclose(found.weights, expected.coef_, rtol=1e-7)


def test_pooled_inputs_without_a_value_give_no_weight() -> None:
    found = fit_pooled(np.zeros((10, 2, 2)), np.zeros((10, 2)))
    assert found.weights.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("outputs", [1, 3])
def test_no_input_at_all_gives_weights_of_no_rows(outputs: int) -> None:
    found = fit_days(np.zeros((10, 0)), np.ones((10, outputs)), np.ones(10))
    assert found.weights.shape == (0, outputs)
    assert not found.left_out.any()
