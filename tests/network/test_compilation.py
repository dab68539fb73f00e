from __future__ import annotations

import keras
import numpy as np
import pytest

from network.synthetic_dataset import SMALL
from roi_forecast.config import ModelConfig
from roi_forecast.features.dataset import Dataset
from roi_forecast.linear.baseline import dataset_baseline
from roi_forecast.network.compilation import compile_network
from roi_forecast.network.network import build_network, input_names
from roi_forecast.network.training.batches import target_weights, window_batches

Batch = tuple[dict[str, np.ndarray], np.ndarray]


def compiled(dataset: Dataset, **changes: object) -> tuple[keras.Model, Batch, ModelConfig]:
    """A compiled network and its first training batch."""
    keras.utils.set_random_seed(1)
    config = SMALL.model_copy(update=changes)
    network = build_network(config, dataset.seq_len, 3)
    compile_network(network, config)
    train = dataset.split.train
    batches = window_batches(dataset, baseline_of(dataset), train, input_names(network), 16, seed=1)
    return network, batches[0], config


def baseline_of(dataset: Dataset) -> np.ndarray:
    return dataset_baseline(dataset, 250, dataset.split.train)


def masked(batch: Batch) -> Batch:
    return batch[0], np.full_like(batch[1], np.nan)


def kernels(network: keras.Model) -> dict[str, np.ndarray]:
    """The kernels by path. The output layer of hybrid_linear starts at zero and says nothing."""
    return {
        weight.path: weight.numpy()
        for weight in network.trainable_weights
        if weight.path.endswith("/kernel") and not weight.path.startswith("output")
    }


def largest_gradient_norm(network: keras.Model) -> float:
    """After one step from zero, Adam's first moment is a tenth of the gradient."""
    return max(10 * np.linalg.norm(moment.numpy()) for moment in network.optimizer._momentums)


def test_on_another_backend_keras_own_optimizer_takes_one_step_a_call(dataset, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    network, batch, _ = compiled(dataset)
    assert type(network.optimizer) is keras.optimizers.AdamW
    assert network.steps_per_execution == 1
    assert np.isfinite(network.train_on_batch(*batch)[0])


def test_gradients_are_clipped_to_the_norm(dataset):
    plain, batch, _ = compiled(dataset, architecture="hybrid")
    plain.train_on_batch(*batch)
    clipped, batch, _ = compiled(dataset, architecture="hybrid", gradient_clip_norm=1e-3)
    clipped.train_on_batch(*batch)
    assert largest_gradient_norm(plain) > 1e-2
    assert largest_gradient_norm(clipped) == pytest.approx(1e-3, rel=1e-4)


def test_an_assets_weight_multiplies_the_gradient_of_its_output(dataset):
    network, _, config = compiled(
        dataset,
        architecture="hybrid",
        lstm_dropout=0.0,
        dense_dropout=0.0,
        loss="weighted_mse",
        loss_asset_weights={"ASSET1.NS": 6.0, "ASSET2.NS": 2.0},
    )
    untrained = network.get_weights()
    train = dataset.split.train
    gradients = []
    for weights in (None, target_weights(dataset, train, config)):
        network.set_weights(untrained)
        compile_network(network, config)
        batches = window_batches(
            dataset,
            baseline_of(dataset),
            train,
            input_names(network),
            16,
            seed=None,
            weights=weights,
        )
        keras.utils.set_random_seed(1)
        network.train_on_batch(*batches[0])
        (index,) = (
            number
            for number, weight in enumerate(network.trainable_weights)
            if weight.path == "output/bias"
        )
        gradients.append(network.optimizer._momentums[index].numpy())
    np.testing.assert_allclose(gradients[1] / gradients[0], [1 / 3, 2.0, 2 / 3], rtol=1e-4)


def test_weight_decay_shrinks_the_network_but_moves_no_forecast_off_the_baseline(dataset):
    network, batch, config = compiled(dataset, weight_decay=0.5)
    before = kernels(network)
    # Without a target there is no gradient: what moves the weights is the decay alone.
    network.train_on_batch(*masked(batch))
    for path, kernel in kernels(network).items():
        expected = before[path] * (1 - config.learning_rate * 0.5)
        np.testing.assert_allclose(kernel, expected, rtol=1e-4)
    np.testing.assert_array_equal(network.predict_on_batch(batch[0]), batch[0]["baseline"])


def test_l2_pulls_every_kernel_towards_zero_and_stays_out_of_the_recorded_loss(dataset):
    network, batch, _ = compiled(dataset, kernel_l2=0.5, weight_decay=0.0)
    before = kernels(network)
    scores = network.train_on_batch(*masked(batch), return_dict=True)
    for path, kernel in kernels(network).items():
        assert np.linalg.norm(kernel) < np.linalg.norm(before[path]), path
    assert scores["target_loss"] == 0.0
    assert scores["loss"] > 1.0

    plain, batch, _ = compiled(dataset, weight_decay=0.0)
    before = kernels(plain)
    plain.train_on_batch(*masked(batch))
    for path, kernel in kernels(plain).items():
        np.testing.assert_array_equal(kernel, before[path])


def test_batch_normalization_learns_the_statistics_of_the_batches(dataset):
    network, batch, _ = compiled(
        dataset, batch_normalization=True, lstm_dropout=0.0, learning_rate=1e-9
    )
    layer = network.get_layer("batch_normalization")
    assert np.ptp(layer.moving_mean.numpy()) == 0.0

    for _ in range(80):
        network.train_on_batch(*batch)

    pooled = keras.Model(network.inputs, network.get_layer("average_pooling").output)
    found = pooled.predict_on_batch(batch[0])
    np.testing.assert_allclose(layer.moving_mean.numpy(), found.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(layer.moving_variance.numpy(), found.var(axis=0), atol=1e-3)


@pytest.mark.parametrize("name", ["lstm_dropout", "dense_dropout"])
def test_dropout_makes_training_passes_differ_and_forecasts_not(dataset, name):
    rates = {"lstm_dropout": 0.0, "dense_dropout": 0.0}
    for rate in (0.0, 0.5):
        network, (inputs, _), _ = compiled(dataset, architecture="hybrid", **{**rates, name: rate})
        first, second = (network(inputs, training=True).numpy() for _ in range(2))
        assert np.array_equal(first, second) == (rate == 0.0)
        np.testing.assert_array_equal(network(inputs).numpy(), network(inputs).numpy())


@pytest.mark.parametrize(
    ("precision", "computed"), [("mixed_float16", "float16"), ("mixed_bfloat16", "bfloat16")]
)
def test_mixed_precision_computes_in_half_and_keeps_weights_and_forecast_in_float32(
    dataset, precision, computed
):
    network, batch, _ = compiled(dataset, precision=precision)
    assert {weight.dtype for weight in network.weights} == {"float32"}
    for name in ("bidirectional_lstm_1", "self_attention", "dense"):
        assert network.get_layer(name).compute_dtype == computed
    assert network.output.dtype == "float32"
    before = kernels(network)
    # A loss scale that is too large at first skips a step or two until it fits.
    for _ in range(5):
        network.train_on_batch(*batch)
    moved = [not np.array_equal(kernel, before[path]) for path, kernel in kernels(network).items()]
    assert any(moved)
    assert all(np.isfinite(kernel).all() for kernel in kernels(network).values())
