"""The network: the reference LSTM-attention architecture, alone or next to the linear part."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roi_forecast.config import ModelConfig
from roi_forecast.network.backend import keras
from roi_forecast.network.forward import EPSILON
from roi_forecast.network.inputs import BASELINE, SCALED
from roi_forecast.network.layers import FusedLSTM, SelfAttention


def build_network(
    config: ModelConfig, seq_len: int, n_assets: int, n_context: int = 0
) -> keras.Model:
    """Build the network that `config.architecture` names, untrained.

    `hybrid` takes the input `scaled`, shape (batch, seq_len, assets + context assets).
    `hybrid_linear` also takes `baseline`, shape (batch, assets), and adds to it; its output layer
    starts at zero, so that the untrained network predicts the baseline. Both return the scaled
    smoothed log ROI of the next row, shape (batch, assets), in float32 at any precision.

    Args:
        config: The architecture, its sizes and its precision.
        seq_len: Rows in one window.
        n_assets: Assets that are forecast.
        n_context: Context assets next to them.
    """
    scaled = keras.Input((seq_len, n_assets + n_context), name=SCALED)
    if config.architecture == "hybrid":
        output = _reference_layers(scaled, config, n_assets, output_initializer="glorot_uniform")
        return keras.Model({SCALED: scaled}, output, name="hybrid")

    baseline = keras.Input((n_assets,), name=BASELINE)
    correction = _reference_layers(scaled, config, n_assets, output_initializer="zeros")
    forecast = keras.layers.Add(name="forecast")([baseline, correction])
    return keras.Model({SCALED: scaled, BASELINE: baseline}, forecast, name="hybrid_linear")


def named_weights(network: keras.Model) -> dict[str, npt.NDArray[np.float32]]:
    """Return a network's weights by the names that `forward.Network` reads them by."""
    return {weight.path: keras.ops.convert_to_numpy(weight) for weight in network.weights}


def input_names(network: keras.Model) -> list[str]:
    """Return the names of the windows that a network takes."""
    return [str(tensor.name) for tensor in network.inputs]


def _reference_layers(
    scaled: Any, config: ModelConfig, n_assets: int, output_initializer: str
) -> Any:
    layers = keras.layers
    l2 = keras.regularizers.L2(config.kernel_l2) if config.kernel_l2 else None
    precision = config.precision
    features = scaled
    for number, units in enumerate(config.lstm_units, start=1):
        lstm = FusedLSTM(
            units // 2,
            return_sequences=True,
            dropout=config.lstm_dropout,
            kernel_regularizer=l2,
            name="lstm",
            dtype=precision,
        )
        features = layers.Bidirectional(lstm, name=f"bidirectional_lstm_{number}", dtype=precision)(
            features
        )
    attended = SelfAttention(
        config.attention_heads,
        config.attention_key_dim,
        kernel_regularizer=l2,
        name="self_attention",
        dtype=precision,
    )(features, features)
    features = layers.Add(name="residual", dtype=precision)([features, attended])
    features = layers.LayerNormalization(
        epsilon=EPSILON, name="layer_normalization", dtype=precision
    )(features)
    features = layers.GlobalAveragePooling1D(name="average_pooling", dtype=precision)(features)
    if config.batch_normalization:
        # Keras' momentum of 0.99 needs hundreds of batches; an epoch here has a dozen.
        features = layers.BatchNormalization(
            momentum=0.9, epsilon=EPSILON, name="batch_normalization", dtype=precision
        )(features)
    features = layers.Dense(
        config.dense_units, "relu", kernel_regularizer=l2, name="dense", dtype=precision
    )(features)
    features = layers.Dropout(config.dense_dropout, name="dense_dropout", dtype=precision)(features)
    # The output stays in float32, since its sums limit the digits of the forecast.
    return layers.Dense(
        n_assets,
        kernel_initializer=output_initializer,
        kernel_regularizer=l2,
        name="output",
        dtype="float32",
    )(features)
