"""The oracle is Keras, whose network the arrays come from."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from network.saved_network import network_bytes, random_network, save_network
from network.synthetic_dataset import SMALL
from roi_forecast.config import PRESETS, ModelConfig
from roi_forecast.errors import RegistryError
from roi_forecast.files.artifacts import write_manifest
from roi_forecast.network.forward import Network
from roi_forecast.network.network import build_network, named_weights
from roi_forecast.network.predictor import load_predictor


def windows(count: int, seq_len: int, assets: int = 3, context: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(3)
    return {
        "scaled": generator.random((count, seq_len, assets + context)).astype(np.float32),
        "baseline": generator.random((count, assets)).astype(np.float32),
    }


def from_keras(network: keras.Model, inputs: dict[str, np.ndarray]) -> np.ndarray:
    names = [tensor.name for tensor in network.inputs]
    return network.predict_on_batch({name: inputs[name] for name in names})


@pytest.mark.parametrize(
    "options",
    [
        {"architecture": "hybrid"},
        {"architecture": "hybrid_linear"},
        {"lstm_units": (8, 12), "attention_key_dim": 5},
        {"lstm_units": (6, 2), "attention_heads": 1, "dense_units": 5},
        {"batch_normalization": True},
        {"architecture": "hybrid", "batch_normalization": True, "attention_heads": 3},
        {"kernel_l2": 0.01, "lstm_dropout": 0.0, "dense_dropout": 0.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("context", [0, 4])
def test_named_arrays_forecast_what_keras_does(options, context):
    network = random_network(SMALL.model_copy(update=options), context=context)
    inputs = windows(40, 8, context=context)
    own = Network.from_bytes(network_bytes(network)).forecast(**inputs)
    assert own.dtype == np.float32
    np.testing.assert_allclose(own, from_keras(network, inputs), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("architecture", ["hybrid", "hybrid_linear"])
def test_the_file_says_whether_the_network_adds_to_the_baseline(architecture):
    network = random_network(SMALL.model_copy(update={"architecture": architecture}), context=2)
    read = Network.from_bytes(network_bytes(network))
    assert (read.n_assets, read.n_inputs, read.seq_len) == (3, 5, 8)
    assert read.adds_baseline == (architecture == "hybrid_linear")
    inputs = windows(4, 8, context=2)
    alone = read.forecast(inputs["scaled"], np.zeros((4, 3), np.float32))
    added = read.forecast(**inputs) - alone
    expected = inputs["baseline"] if read.adds_baseline else np.zeros((4, 3))
    np.testing.assert_allclose(added, expected, atol=1e-6)


@pytest.mark.parametrize("preset", PRESETS)
def test_named_arrays_forecast_what_keras_does_at_the_size_of_each_preset(preset):
    values = PRESETS[preset].values
    config = ModelConfig(
        **{name: values[name] for name in values if name in ModelConfig.model_fields}
    )
    seq_len = values.get("seq_len", 60)
    # Weights as training leaves them: larger ones would saturate 128 units.
    network = random_network(config, seq_len, size=0.06)
    inputs = windows(5, seq_len)
    own = Network.from_bytes(network_bytes(network, seq_len)).forecast(**inputs)
    np.testing.assert_allclose(own, from_keras(network, inputs), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("mixed_bfloat16", 0.05), ("mixed_float16", 0.01)]
)
def test_a_network_of_another_precision_is_stored_in_float32_and_forecasts_nearly_the_same(
    precision, tolerance
):
    network = random_network(SMALL.model_copy(update={"precision": precision}))
    own = Network.from_bytes(network_bytes(network)).forecast(**windows(40, 8))
    assert {array.dtype for array in named_weights(network).values()} == {np.dtype("float32")}
    np.testing.assert_allclose(own, from_keras(network, windows(40, 8)), atol=tolerance)


def test_the_names_of_the_arrays_are_those_of_the_layers_however_many_networks_were_built():
    names = set(
        named_weights(random_network(SMALL.model_copy(update={"batch_normalization": True})))
    )
    lstm = {
        f"bidirectional_lstm_{number}/{direction}_lstm/lstm_cell/{part}"
        for number in (1, 2)
        for direction in ("forward", "backward")
        for part in ("kernel", "recurrent_kernel", "bias")
    }
    dense = {
        f"{layer}/{part}"
        for layer in (
            *("self_attention/query", "self_attention/key", "self_attention/value"),
            *("self_attention/attention_output", "dense", "output"),
        )
        for part in ("kernel", "bias")
    }
    normalizations = {
        *("layer_normalization/gamma", "layer_normalization/beta"),
        *("batch_normalization/gamma", "batch_normalization/beta"),
        *("batch_normalization/moving_mean", "batch_normalization/moving_variance"),
    }
    assert names == lstm | dense | normalizations


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(network_bytes(random_network()))) as content:
        return dict(content)


def stored(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seq_len", np.array(0)),
        ("seq_len", np.array(2**40)),
        ("seq_len", np.array([8, 8])),
        ("dense/kernel", np.zeros((5, 7), np.float32)),
        ("dense/kernel", None),
        ("dense/bias", np.zeros(32)),
        ("adds_baseline", None),
        ("adds_baseline", np.array([True, False])),
        (
            "bidirectional_lstm_1/backward_lstm/lstm_cell/kernel",
            np.zeros((4, 8), np.float32),
        ),
        ("self_attention/query/kernel", np.zeros((4, 4), np.float32)),
        ("bidirectional_lstm_2/backward_lstm/lstm_cell/recurrent_kernel", None),
        ("output/bias", np.zeros((3, 1), np.float32)),
    ],
    ids=str,
)
def test_arrays_that_do_not_make_a_network_are_refused(arrays, tmp_path, name, value):
    changed = {**arrays, name: value}
    content = stored({key: array for key, array in changed.items() if array is not None})
    with pytest.raises((KeyError, ValueError, TypeError)):
        Network.from_bytes(content)
    (tmp_path / "network.npz").write_bytes(content)
    with pytest.raises(RegistryError, match="is damaged or not a network of this project"):
        load_predictor(tmp_path)


def test_an_array_of_a_layer_that_the_forecast_does_not_know_is_refused(arrays, tmp_path):
    content = stored({**arrays, "gate/kernel": np.zeros(3, np.float32)})
    (tmp_path / "network.npz").write_bytes(content)
    with pytest.raises(RegistryError, match="gate/kernel"):
        load_predictor(tmp_path)


def test_a_file_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dense/kernel.npy", bytes(2**26))
    with pytest.raises(ValueError, match="unpacks to"):
        Network.from_bytes(file.getvalue())
    (tmp_path / "network.npz").write_bytes(file.getvalue())
    with pytest.raises(RegistryError, match="is damaged or not a network of this project"):
        load_predictor(tmp_path)


def test_an_array_that_promises_more_than_it_holds_is_refused(
    arrays: dict[str, np.ndarray],
) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (2**16, 2**16)}
    )
    file = io.BytesIO(stored(arrays))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("more.npy", header.getvalue())
    with pytest.raises(ValueError, match=re.escape("(65536, 65536)")):
        Network.from_bytes(file.getvalue())


def test_an_unlisted_network_in_an_ensembles_folder_changes_no_forecast(tmp_path: Path) -> None:
    for number in range(2):
        save_network(tmp_path / f"member_{number}")
    write_manifest(tmp_path, {})
    rows = np.random.default_rng(0).random((20, 3)).astype(np.float32)
    baseline = np.random.default_rng(1).random((13, 3))
    before = load_predictor(tmp_path).predict_members(rows, baseline, range(8, 21))

    other = build_network(SMALL, 8, 3)
    other.set_weights([weight + 1 for weight in other.get_weights()])
    for place in (tmp_path, tmp_path / "member_2"):
        save_network(place, other)
        found = load_predictor(tmp_path).predict_members(rows, baseline, range(8, 21))
        np.testing.assert_array_equal(found, before)


@pytest.mark.parametrize("names", [(".", "member_0"), ("member_0", "member_2")])
def test_a_manifest_of_two_kinds_of_network_or_with_a_gap_is_refused(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    for name in names:
        save_network(tmp_path / name)
    write_manifest(tmp_path, {})
    with pytest.raises(RegistryError, match="received members"):
        load_predictor(tmp_path)
