"""Losses and metrics without masked targets. A target is masked where it is NaN."""

from __future__ import annotations

from typing import Any

from roi_forecast.config import LossConfig
from roi_forecast.network.backend import keras
from roi_forecast.network.device import sum_over_devices


@keras.saving.register_keras_serializable(package="roi_forecast")
class MaskedLoss(keras.losses.Loss):  # type: ignore[misc]
    """The mean of a function of the error over the unmasked targets, in float32.

    Args:
        kind: `mse`, `mae`, `huber` (Huber 1964), `weighted_mse` or `pinball` (Koenker and Bassett
            1978). `weighted_mse` is `mse` with weights.
        huber_delta: Huber's function is quadratic up to this error, scaled, and linear beyond.
        pinball_level: The quantile whose forecast minimises the loss.
    """

    def __init__(
        self,
        kind: str = "mse",
        huber_delta: float = 0.1,
        pinball_level: float = 0.5,
        name: str = "masked_loss",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.kind = kind
        self.huber_delta = huber_delta
        self.pinball_level = pinball_level

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the loss.

        Args:
            y_true: Shape (batch, assets), scaled, NaN where masked.
            y_pred: Same shape, scaled.
            sample_weight: Weights of the targets, same shape, or None.

        Returns:
            A scalar: the sum divided by the number of unmasked targets; 0, with a gradient of 0,
            where every target is masked. On one of several devices, the sum over its own part of
            the batch, divided by the number in all parts.
        """
        error, counted = _error_where_counted(y_true, y_pred)
        values = self._of_error(error)
        if sample_weight is not None:
            values = values * keras.ops.cast(sample_weight, values.dtype)
        # Gradients of several devices are summed, so each gives its share of the batch's loss.
        counted = sum_over_devices(counted)
        return keras.ops.sum(values) / keras.ops.maximum(counted, 1.0)

    def _of_error(self, error: Any) -> Any:
        # The error is forecast minus target. Every kind is 0 at 0, where masked targets are.
        ops = keras.ops
        if self.kind == "mae":
            return ops.abs(error)
        if self.kind == "huber":
            size = ops.abs(error)
            linear = self.huber_delta * (size - 0.5 * self.huber_delta)
            return ops.where(size <= self.huber_delta, 0.5 * ops.square(error), linear)
        if self.kind == "pinball":
            return ops.maximum((1.0 - self.pinball_level) * error, -self.pinball_level * error)
        return ops.square(error)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {
            **super().get_config(),
            "kind": self.kind,
            "huber_delta": self.huber_delta,
            "pinball_level": self.pinball_level,
        }


def build_loss(config: LossConfig) -> MaskedLoss:
    """Return the configured loss."""
    return MaskedLoss(config.loss, config.huber_delta, config.pinball_level)


@keras.saving.register_keras_serializable(package="roi_forecast")
class TargetLoss(keras.metrics.Metric):  # type: ignore[misc]
    """A loss over all batches of an epoch, without the weight penalties that training adds.

    Batches are weighted by their windows, as in the loss that Keras reports.

    Args:
        loss: The loss.
        name: Its name in the logs.
    """

    def __init__(self, loss: MaskedLoss, name: str = "target_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.loss = loss
        self.total = self.add_variable(shape=(), initializer="zeros", name="total")
        self.count = self.add_variable(shape=(), initializer="zeros", name="count")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch, shapes (batch, assets)."""
        windows = keras.ops.cast(keras.ops.shape(y_true)[0], self.total.dtype)
        loss = self.loss(y_true, y_pred, sample_weight)
        self.total.assign_add(sum_over_devices(windows) * loss)
        self.count.assign_add(windows)

    def result(self) -> Any:
        """Return the loss so far; 0 before the first batch."""
        return self.total / keras.ops.maximum(self.count, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "loss": keras.losses.serialize(self.loss)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TargetLoss:
        """Build one from the result of `get_config`."""
        return cls(**{**config, "loss": keras.losses.deserialize(config["loss"])})


@keras.saving.register_keras_serializable(package="roi_forecast")
class MaskedMeanAbsoluteError(keras.metrics.Metric):  # type: ignore[misc]
    """The mean absolute error over all unmasked targets of an epoch."""

    def __init__(self, name: str = "mae", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.total = self.add_variable(shape=(), initializer="zeros", name="total")
        self.count = self.add_variable(shape=(), initializer="zeros", name="count")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # noqa: ARG002
        """Add a batch, shapes (batch, assets)."""
        error, counted = _error_where_counted(y_true, y_pred)
        self.total.assign_add(keras.ops.sum(keras.ops.abs(error)))
        self.count.assign_add(counted)

    def result(self) -> Any:
        """Return the error so far, in scaled units; 0 where every target is masked."""
        return self.total / keras.ops.maximum(self.count, 1.0)


def _error_where_counted(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    y_pred = keras.ops.cast(y_pred, "float32")
    y_true = keras.ops.cast(y_true, "float32")
    masked = keras.ops.isnan(y_true)
    # The target is masked before the subtraction too: a gradient through NaN is NaN even where the
    # result is discarded.
    error = keras.ops.where(masked, 0.0, y_pred - keras.ops.where(masked, 0.0, y_true))
    counted = keras.ops.sum(keras.ops.cast(keras.ops.logical_not(masked), "float32"))
    return error, counted
