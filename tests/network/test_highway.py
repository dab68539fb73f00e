from __future__ import annotations

import keras
import numpy as np
import pytest

from roi_forecast.network.layers import AutoregressiveHighway


@pytest.fixture
def highway() -> AutoregressiveHighway:
    layer = AutoregressiveHighway(name="highway")
    layer.build([(None, 4, 2), (None, 3, 2)])
    layer.set_weights(
        [np.array([0.1, 0.2, 0.3, 0.4]), np.array([-1.0, 0.0, 2.0]), np.array([0.5, 0.25])]
    )
    return layer


def test_highway_weighs_each_assets_own_lags(highway):
    generator = np.random.default_rng(0)
    smoothed, plain = generator.normal(size=(5, 4, 2)), generator.normal(size=(5, 3, 2))

    output = keras.ops.convert_to_numpy(
        highway([smoothed.astype(np.float32), plain.astype(np.float32)])
    )

    for window in range(5):
        for asset, center in enumerate((0.5, 0.25)):
            expected = center
            for lag, weight in enumerate((0.1, 0.2, 0.3, 0.4)):
                expected += weight * (smoothed[window, lag, asset] - center)
            for lag, weight in enumerate((-1.0, 0.0, 2.0)):
                expected += weight * plain[window, lag, asset]
            assert output[window, asset] == pytest.approx(expected, abs=1e-5)


def test_highway_comes_back_from_a_file_with_its_weights(highway, tmp_path):
    inputs = [keras.Input((4, 2)), keras.Input((3, 2))]
    network = keras.Model(inputs, highway(inputs))
    network.save(tmp_path / "highway.keras")

    loaded = keras.saving.load_model(tmp_path / "highway.keras").get_layer("highway")

    assert isinstance(loaded, AutoregressiveHighway)
    for own, other in zip(highway.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)


def test_highway_trains_its_lag_weights_but_not_the_center(highway):
    assert [weight.name for weight in highway.trainable_weights] == [
        "smoothed_weights",
        "plain_weights",
    ]
    assert [weight.name for weight in highway.non_trainable_weights] == ["center"]


@pytest.mark.parametrize(
    "shapes",
    [
        [(None, 4, 2), (None, 3, 5)],
        [(None, 4, 2)],
        [(None, 4), (None, 3)],
        [(None, None, 2), (None, 3, 2)],
    ],
)
def test_highway_refuses_inputs_that_are_not_two_windows_over_the_same_assets(shapes):
    with pytest.raises(ValueError, match="two windows over the same assets"):
        AutoregressiveHighway().build(shapes)


def test_highway_refuses_weights_of_another_length(highway):
    with pytest.raises(ValueError, match=r"highway weight shape \(3,\) .* shape \(4,\)"):
        highway.set_weights([np.zeros(4), np.zeros(4), np.zeros(2)])
