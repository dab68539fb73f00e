"""The autoregressive highway: a linear forecast beside the network, shared by all assets."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roi_forecast.network.backend import keras

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="roi_forecast")
class AutoregressiveHighway(keras.layers.Layer):  # type: ignore[misc]
    """Linear regression on an asset's own lags, with one set of weights for all assets.

    The prediction of asset a is center[a] plus the weighted sum of its centred scaled smoothed lags
    plus the weighted sum of its scaled plain lags. Weights start at zero: the center is predicted.

    Inputs: a list of the scaled smoothed window, shape (batch, seq_len, assets), and the scaled
    plain window, shape (batch, plain lags, assets), oldest row first.
    Output: shape (batch, assets), scaled.

    Source: the autoregressive component of LSTNet (Lai et al. 2018, section 3.6).
    """

    def build(self, input_shape: list[Shape]) -> None:
        """Create the weights.

        Raises:
            ValueError: The inputs are not two windows over the same assets.
        """
        _require_two_windows(input_shape)
        smoothed, plain = input_shape
        self.center = self.add_weight(
            shape=(smoothed[2],), initializer="zeros", trainable=False, name="center"
        )
        self.smoothed_weights = self.add_weight(
            shape=(smoothed[1],), initializer="zeros", name="smoothed_weights"
        )
        self.plain_weights = self.add_weight(
            shape=(plain[1],), initializer="zeros", name="plain_weights"
        )

    def start_from(
        self,
        center: npt.NDArray[np.float64],
        smoothed_weights: npt.NDArray[np.float64],
        plain_weights: npt.NDArray[np.float64],
    ) -> None:
        """Set all weights, for example to those of ridge regression.

        Args:
            center: Shape (assets,), scaled.
            smoothed_weights: Shape (seq_len,), oldest lag first.
            plain_weights: Shape (plain lags,), oldest lag first.

        Raises:
            ValueError: A shape differs from the layer's.
        """
        for name, variable, value in (
            ("center", self.center, center),
            ("smoothed_weights", self.smoothed_weights, smoothed_weights),
            ("plain_weights", self.plain_weights, plain_weights),
        ):
            if value.shape != tuple(variable.shape):
                raise ValueError(
                    f"{name} of {self.name} has the shape {tuple(variable.shape)}; "
                    f"received an array of shape {value.shape}"
                )
            variable.assign(value)

    def call(self, inputs: list[Any]) -> Any:
        """Predict from both windows."""
        smoothed, plain = inputs
        return (
            self.center
            + keras.ops.einsum("bta,t->ba", smoothed - self.center, self.smoothed_weights)
            + keras.ops.einsum("bta,t->ba", plain, self.plain_weights)
        )

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """Return (batch, assets)."""
        _require_two_windows(input_shape)
        return (input_shape[0][0], input_shape[0][2])


def _require_two_windows(shapes: list[Shape]) -> None:
    if (
        len(shapes) != 2
        or any(len(shape) != 3 or None in shape[1:] for shape in shapes)
        or shapes[0][2] != shapes[1][2]
    ):
        raise ValueError(
            "the highway takes two windows over the same assets, of shapes (batch, seq_len, "
            f"assets) and (batch, plain lags, assets); received {shapes}"
        )
