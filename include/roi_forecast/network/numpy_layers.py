"""The layers of the network in numpy, each built from its Keras configuration and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Config = Mapping[str, Any]
Weights = Callable[[str], list[Array]]
Function = Callable[[Sequence[Array]], Array]


class UnknownArchitectureError(Exception):
    """The file holds a layer, an option or a wiring that numpy does not compute here."""


def require_options(name: str, config: Config, options: Mapping[str, Any]) -> None:
    """Refuse a layer whose options are not those that are computed here.

    Raises:
        UnknownArchitectureError: An option has another value.
    """
    for option, allowed in options.items():
        value = config.get(option)
        if option == "dtype" and isinstance(value, Mapping):
            value = value["config"]["name"]
        if value != allowed:
            raise UnknownArchitectureError(f"the layer {name} with {option}={value!r}")


def _lstm(config: Config, weights: list[Array], backwards: bool) -> Callable[[Array], Array]:
    require_options(config["name"], config, {**_LSTM_OPTIONS, "go_backwards": backwards})
    kernel, recurrent_kernel, bias = weights
    units = len(recurrent_kernel)
    # A sigmoid is half of the tanh of half its argument, and a half: one tanh serves all gates, and
    # half of a weight is exact.
    factor = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], np.float32), units)
    offset = np.repeat(np.array([0.5, 0.5, 0.0, 0.5], np.float32), units)
    kernel, recurrent_kernel, bias = kernel * factor, recurrent_kernel * factor, bias * factor

    def run(sequence: Array) -> Array:
        windows, rows, features = sequence.shape
        # Row by row later: what does not depend on the row before is multiplied at once.
        projected = (sequence.reshape(-1, features) @ kernel + bias).reshape(windows, rows, -1)
        outputs = np.empty((windows, rows, units), np.float32)
        hidden = np.zeros((windows, units), np.float32)
        cell, fresh = np.zeros_like(hidden), np.empty_like(hidden)
        gates = np.empty((windows, 4 * units), np.float32)
        entering, forgetting, candidate, leaving = np.split(gates, 4, axis=1)
        for row in range(rows)[::-1] if backwards else range(rows):
            np.matmul(hidden, recurrent_kernel, out=gates)
            gates += projected[:, row]
            np.tanh(gates, out=gates)
            gates *= factor
            gates += offset
            cell *= forgetting
            cell += np.multiply(entering, candidate, out=fresh)
            np.multiply(leaving, np.tanh(cell, out=fresh), out=hidden)
            outputs[:, row] = hidden
        return outputs

    return run


def _bidirectional(config: Config, weights: Weights) -> Function:
    parts = []
    for option, place, backwards in (
        ("layer", "forward_layer", False),
        ("backward_layer", "backward_layer", True),
    ):
        inner = config[option]
        if inner["class_name"] not in ("FusedLSTM", "LSTM"):
            raise UnknownArchitectureError(f"{config['name']} of {inner['class_name']}")
        parts.append(_lstm(inner["config"], weights(f"/{place}/cell"), backwards))
    # Both directions' outputs stand at the row they belong to.
    return lambda inputs: np.concatenate([part(inputs[0]) for part in parts], axis=-1)


def _self_attention(config: Config, weights: Weights) -> Function:
    (to_query, query_bias), (to_key, key_bias), (to_value, value_bias), (back, bias) = (
        weights(f"/{name}_dense") for name in ("query", "key", "value", "output")
    )
    scale = np.float32(config["key_dim"] ** -0.5)

    def run(inputs: Sequence[Array]) -> Array:
        sequence, value = inputs
        if sequence is not value:
            raise UnknownArchitectureError(f"{config['name']} attends to another sequence")
        total = np.zeros_like(sequence) + bias
        for head in range(config["num_heads"]):
            queries = (sequence @ to_query[:, head] + query_bias[head]) * scale
            keys = sequence @ to_key[:, head] + key_bias[head]
            scores = queries @ keys.swapaxes(1, 2)
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            scores /= scores.sum(axis=-1, keepdims=True)
            total += (scores @ (sequence @ to_value[:, head] + value_bias[head])) @ back[head]
        return total

    return run


def _layer_normalization(config: Config, weights: Weights) -> Function:
    scale, center = weights("")
    epsilon = np.float32(config["epsilon"])

    def run(inputs: Sequence[Array]) -> Array:
        (values,) = inputs
        centred = values - values.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        normalized: Array = centred / np.sqrt(variance + epsilon) * scale + center
        return normalized

    return run


def _batch_normalization(config: Config, weights: Weights) -> Function:
    scale, center, mean, variance = weights("")
    factor = scale / np.sqrt(variance + np.float32(config["epsilon"]))
    return lambda inputs: (inputs[0] - mean) * factor + center


def _dense(config: Config, weights: Weights) -> Function:
    kernel, bias = weights("")
    if config["activation"] == "linear":
        return lambda inputs: inputs[0] @ kernel + bias
    if config["activation"] == "relu":
        return lambda inputs: np.maximum(inputs[0] @ kernel + bias, np.float32(0))
    raise UnknownArchitectureError(f"{config['name']} with activation={config['activation']!r}")


def _highway(config: Config, weights: Weights) -> Function:
    del config
    smoothed_weights, plain_weights, center = weights("")

    def run(inputs: Sequence[Array]) -> Array:
        smoothed, plain = inputs
        own = np.einsum("bta,t->ba", smoothed - center, smoothed_weights)
        forecast: Array = center + own + np.einsum("bta,t->ba", plain, plain_weights)
        return forecast

    return run


def _add(config: Config, weights: Weights) -> Function:
    del config, weights
    return lambda inputs: sum(inputs[1:], inputs[0])


def _average(config: Config, weights: Weights) -> Function:
    del config, weights
    return lambda inputs: inputs[0].mean(axis=1)


def _unchanged(config: Config, weights: Weights) -> Function:
    del config, weights
    return lambda inputs: inputs[0]


_LSTM_OPTIONS = {
    "dtype": "float32",
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
    "use_bias": True,
    "return_sequences": True,
    "return_state": False,
    "stateful": False,
}
_ATTENTION = (
    {
        "use_bias": True,
        "output_shape": None,
        "attention_axes": [1],
        "use_gate": False,
        "sliding_window": None,
    },
    _self_attention,
)
# By Keras' class: the folder of its weights, the options it has to have, and what computes it.
LAYERS: dict[str, tuple[str, Mapping[str, Any], Callable[[Config, Weights], Function]]] = {
    "Bidirectional": ("bidirectional", {"merge_mode": "concat"}, _bidirectional),
    "SelfAttention": ("self_attention", *_ATTENTION),
    "MultiHeadAttention": ("multi_head_attention", *_ATTENTION),
    "Add": ("add", {}, _add),
    "LayerNormalization": (
        "layer_normalization",
        {"axis": [-1], "center": True, "scale": True, "rms_scaling": False},
        _layer_normalization,
    ),
    "GlobalAveragePooling1D": (
        "global_average_pooling1d",
        {"data_format": "channels_last", "keepdims": False},
        _average,
    ),
    "BatchNormalization": (
        "batch_normalization",
        {"axis": -1, "center": True, "scale": True, "renorm": False},
        _batch_normalization,
    ),
    "Dense": ("dense", {"use_bias": True}, _dense),
    # Nothing is dropped outside of training.
    "Dropout": ("dropout", {}, _unchanged),
    "AutoregressiveHighway": ("autoregressive_highway", {}, _highway),
}
