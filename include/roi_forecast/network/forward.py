"""A network's forecasts from its weights as named arrays, without TensorFlow.

Importing TensorFlow takes many times longer than the few hundred forecasts that an evaluation or a
daily forecast needs.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from roi_forecast.files.arrays import read_arrays

EPSILON = 1e-3
"""Added to the variance in both normalizations."""
_SEQ_LEN, _ADDS_BASELINE = "seq_len", "adds_baseline"
_MAX_SEQ_LEN = 500
_DIRECTIONS = ("forward", "backward")
_LAYERS = {
    *("bidirectional_lstm_1", "bidirectional_lstm_2", "self_attention", "layer_normalization"),
    *("batch_normalization", "dense", "output"),
}

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Network:
    """A trained network.

    Attributes:
        seq_len: Rows in one window.
        weights: By the names that Keras gives the weights of `build_network`, for example
            `bidirectional_lstm_1/forward_lstm/lstm_cell/kernel`. Those of the batch normalization
            are absent where the network has none.
        adds_baseline: Whether it adds to the baseline, or forecasts alone.
    """

    seq_len: int
    weights: Mapping[str, Array]
    adds_baseline: bool

    @classmethod
    def from_bytes(cls, content: bytes) -> Network:
        """Read what `to_bytes` wrote, and check by one forecast that the arrays fit together.

        Raises:
            KeyError, ValueError: The content is damaged or not such a network.
        """
        arrays = read_arrays(content)
        seq_len, adds_baseline = int(arrays.pop(_SEQ_LEN)), bool(arrays.pop(_ADDS_BASELINE))
        if not 1 <= seq_len <= _MAX_SEQ_LEN:
            raise ValueError(f"windows of {seq_len} rows; expected 1 to {_MAX_SEQ_LEN}")
        if unknown := {name for name in arrays if name.split("/")[0] not in _LAYERS}:
            raise ValueError(f"arrays of unknown layers: {', '.join(sorted(unknown))}")
        if kinds := {str(array.dtype) for array in arrays.values()} - {"float32"}:
            raise ValueError(f"arrays of {sorted(kinds)}; expected float32")
        weights = {name: array.astype(np.float32) for name, array in arrays.items()}
        network = cls(seq_len, weights, adds_baseline)
        window = np.zeros((1, seq_len, network.n_inputs), np.float32)
        found = network.forecast(window, np.zeros((1, network.n_assets), np.float32))
        if found.shape != (1, network.n_assets):
            raise ValueError(f"its forecast has the shape {found.shape}")
        return network

    def to_bytes(self) -> bytes:
        """Return the content of a file of named arrays, uncompressed and without pickles."""
        file = io.BytesIO()
        facts = {_SEQ_LEN: np.array(self.seq_len), _ADDS_BASELINE: np.array(self.adds_baseline)}
        np.savez(file, allow_pickle=False, **facts, **self.weights)
        return file.getvalue()

    @property
    def n_assets(self) -> int:
        """Assets in a row."""
        return len(self.weights["output/bias"])

    @property
    def n_inputs(self) -> int:
        """Assets and context assets in a row of a window."""
        return len(self.weights["bidirectional_lstm_1/forward_lstm/lstm_cell/kernel"])

    def forecast(
        self, scaled: Array, baseline: npt.NDArray[np.floating]
    ) -> npt.NDArray[np.floating]:
        """Forecast the session after each window.

        Args:
            scaled: Windows, shape (windows, seq_len, assets + context assets), oldest row first.
            baseline: What is added to, shape (windows, assets), in its own precision: a network
                that adds nothing gives it back; `hybrid` does not look at it.

        Returns:
            Scaled smoothed log ROI, shape (windows, assets).
        """
        return self.forecast_projected(self.project(scaled), baseline)

    def project(self, rows: Array) -> Array:
        """Return what the first layer makes of each row by itself, shape (…, features).

        Most work of a network of thousands of assets is here, and windows share their rows.

        Args:
            rows: Scaled, shape (…, assets + context assets).
        """
        return self._projected("bidirectional_lstm_1", rows)

    def forecast_projected(
        self, projected: Array, baseline: npt.NDArray[np.floating]
    ) -> npt.NDArray[np.floating]:
        """Forecast as `forecast`, from windows of rows that `project` gave."""
        features = self._bidirectional_lstm("bidirectional_lstm_1", projected)
        projected = self._projected("bidirectional_lstm_2", features)
        features = self._bidirectional_lstm("bidirectional_lstm_2", projected)
        features = features + self._self_attention(features)
        mean, variance = features.mean(-1, keepdims=True), features.var(-1, keepdims=True)
        features = self._normalized("layer_normalization", features, mean, variance).mean(axis=1)
        if "batch_normalization/gamma" in self.weights:
            mean = self.weights["batch_normalization/moving_mean"]
            variance = self.weights["batch_normalization/moving_variance"]
            features = self._normalized("batch_normalization", features, mean, variance)
        features = np.maximum(self._dense("dense", features), 0)
        forecast = self._dense("output", features)
        return forecast + baseline if self.adds_baseline else forecast

    def _dense(self, name: str, features: Array) -> Array:
        product: Array = features @ self.weights[f"{name}/kernel"]
        return product + self.weights[f"{name}/bias"]

    def _projected(self, name: str, rows: Array) -> Array:
        """Return the gates' inputs of both directions, as far as a row gives them by itself."""
        cells = (f"{name}/{direction}_lstm/lstm_cell" for direction in _DIRECTIONS)
        return np.concatenate([self._dense(cell, rows) for cell in cells], axis=-1)

    def _bidirectional_lstm(self, name: str, projected: Array) -> Array:
        forward, backward = np.split(projected, 2, axis=-1)
        forward = self._lstm(f"{name}/forward_lstm/lstm_cell", forward)
        backward = self._lstm(f"{name}/backward_lstm/lstm_cell", backward[:, ::-1])
        # Both directions' outputs stand at the row they belong to.
        return np.concatenate([forward, backward[:, ::-1]], axis=-1)

    def _lstm(self, name: str, projected: Array) -> Array:
        recurrent_kernel = self.weights[f"{name}/recurrent_kernel"]
        units = len(recurrent_kernel)
        # sigmoid(x) = tanh(x / 2) / 2 + 1 / 2, so one tanh serves the gates and the candidate.
        scale = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], np.float32), units)
        offset = np.repeat(np.array([0.5, 0.5, 0.0, 0.5], np.float32), units)
        recurrent_kernel = recurrent_kernel * scale
        # Only the product with the hidden state has to wait for the row before.
        from_input = np.multiply(projected.swapaxes(0, 1), scale, order="C")
        outputs = np.empty((*from_input.shape[:2], units), np.float32)
        hidden = cell = np.zeros_like(outputs[0])
        for row, gates in enumerate(from_input):
            gates += hidden @ recurrent_kernel
            np.tanh(gates, out=gates)
            gates *= scale
            gates += offset
            input_gate, forget_gate, candidate, output_gate = (
                gates[:, first : first + units] for first in range(0, 4 * units, units)
            )
            cell = forget_gate * cell + input_gate * candidate
            hidden = np.multiply(output_gate, np.tanh(cell), out=outputs[row])
        return outputs.swapaxes(0, 1)

    def _self_attention(self, sequence: Array) -> Array:
        query, key, value = (
            self._projection(name, sequence, 1).swapaxes(1, 2) for name in ("query", "key", "value")
        )
        scores = query @ key.swapaxes(2, 3) * np.float32(query.shape[-1] ** -0.5)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        return self._projection("attention_output", (scores @ value).swapaxes(1, 2), 2)

    def _projection(self, name: str, values: Array, axes: int) -> Array:
        place = f"self_attention/{name}"
        product: Array = np.tensordot(values, self.weights[f"{place}/kernel"], axes)
        return product + self.weights[f"{place}/bias"]

    def _normalized(self, name: str, features: Array, mean: Array, variance: Array) -> Array:
        normalized: Array = (features - mean) / np.sqrt(variance + np.float32(EPSILON))
        return normalized * self.weights[f"{name}/gamma"] + self.weights[f"{name}/beta"]
