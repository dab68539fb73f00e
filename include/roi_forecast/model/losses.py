"""Errors that leave out masked targets. A target is masked where it is NaN."""

from __future__ import annotations

from typing import Any

from roi_forecast.model.backend import keras


@keras.saving.register_keras_serializable(package="roi_forecast")  # type: ignore[untyped-decorator]
def masked_mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Return the mean squared error over the targets that are not NaN.

    Args:
        y_true: Shape (batch, assets), scaled, NaN where masked.
        y_pred: Same shape, scaled.

    Returns:
        A scalar in squared scaled units; 0, with a gradient of 0, where every target is masked.
    """
    error, counted = _error_where_counted(y_true, y_pred)
    return keras.ops.sum(keras.ops.square(error)) / keras.ops.maximum(counted, 1.0)


@keras.saving.register_keras_serializable(package="roi_forecast")  # type: ignore[untyped-decorator]
def masked_mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Return the mean absolute error over the targets that are not NaN.

    Args:
        y_true: Shape (batch, assets), scaled, NaN where masked.
        y_pred: Same shape, scaled.

    Returns:
        A scalar in scaled units; 0, with a gradient of 0, where every target is masked.
    """
    error, counted = _error_where_counted(y_true, y_pred)
    return keras.ops.sum(keras.ops.abs(error)) / keras.ops.maximum(counted, 1.0)


@keras.saving.register_keras_serializable(package="roi_forecast")
class MaskedMeanAbsoluteError(keras.metrics.Metric):  # type: ignore[misc]
    """The masked mean absolute error over all batches of an epoch, each target counting once."""

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
        """Return the error so far, in scaled units; 0 where nothing counted."""
        return self.total / keras.ops.maximum(self.count, 1.0)


def _error_where_counted(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    y_pred = keras.ops.convert_to_tensor(y_pred)
    y_true = keras.ops.cast(y_true, y_pred.dtype)
    masked = keras.ops.isnan(y_true)
    # The mask goes on the target before the subtraction: a gradient through NaN would be NaN even
    # where the result is then discarded.
    error = keras.ops.where(masked, 0.0, y_pred - keras.ops.where(masked, 0.0, y_true))
    counted = keras.ops.sum(keras.ops.cast(keras.ops.logical_not(masked), y_pred.dtype))
    return error, counted
