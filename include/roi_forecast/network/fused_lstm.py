"""Keras' LSTM, computed by one fused kernel for the whole sequence where there is no GPU."""

from __future__ import annotations

from typing import Any

from roi_forecast.network.backend import keras  # isort: skip - it quiets TensorFlow's start
import tensorflow as tf

from roi_forecast.network.device import has_gpu


@keras.saving.register_keras_serializable(package="roi_forecast")
class FusedLSTM(keras.layers.LSTM):  # type: ignore[misc]
    """An LSTM with the weights, configuration and numbers of `keras.layers.LSTM`.

    Without a GPU, Keras runs an LSTM as a loop of small operations, one round for each row of the
    window. TensorFlow's kernel `BlockLSTM` runs all rows of a window in one operation, and so does
    its gradient. With a GPU, and for options that the kernel does not know (other activations,
    recurrent dropout, masks, no bias), this is Keras' own layer: cuDNN where it can be used.

    Input: shape (batch, rows, features). Output: shape (batch, rows, units), or (batch, units)
    without `return_sequences`.
    """

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> Any:
        """Run all rows; called by Keras.

        Args:
            sequences: Shape (batch, rows, features).
            initial_state: Hidden and cell state before the first row, shapes (batch, units).
            mask: None, or which rows count.
            training: Whether dropout applies.

        Returns:
            The last output, all outputs in the order they were computed, and the last states.
        """
        if mask is not None or not self._fits_kernel():
            return super().inner_loop(sequences, initial_state, mask, training=training)
        rows = tf.transpose(sequences, (1, 0, 2))
        if self.go_backwards:
            rows = tf.reverse(rows, [0])
        if training and self.dropout:
            # One mask for all rows of a window, as Keras draws it.
            rows = rows * self.cell.get_dropout_mask(sequences[:, 0, :])
        no_peephole = tf.zeros((self.units,), rows.dtype)
        kernels = tf.concat([self.cell.kernel, self.cell.recurrent_kernel], 0)
        computed = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.cast(tf.shape(rows)[0], tf.int64),
            x=rows,
            cs_prev=initial_state[1],
            h_prev=initial_state[0],
            w=_gates_in_kernel_order(kernels),
            wci=no_peephole,
            wcf=no_peephole,
            wco=no_peephole,
            b=_gates_in_kernel_order(self.cell.bias),
            # Keras' bias holds it already, and Keras does not clip the cell state.
            forget_bias=0.0,
            cell_clip=0.0,
            use_peephole=False,
        )
        last = computed.h[-1]
        outputs = tf.transpose(computed.h, (1, 0, 2))
        return last, outputs, [last, computed.cs[-1]]

    def _fits_kernel(self) -> bool:
        return (
            self.use_cudnn == "auto"
            and not has_gpu()
            and self.activation is keras.activations.tanh
            and self.recurrent_activation is keras.activations.sigmoid
            and self.use_bias
            and not self.recurrent_dropout
            and not self.unroll
            and self.compute_dtype == "float32"
        )


def _gates_in_kernel_order(weights: Any) -> Any:
    # Keras and BlockLSTMV2 order gates as input, forget, cell, output. TensorFlow 2.21 registers
    # the gradient of the older BlockLSTM for V2 too, which reads them as input, cell, forget,
    # output: V2's gradients are wrong, so the older kernel is used in its own order.
    entering, forgetting, cell, leaving = tf.split(tf.convert_to_tensor(weights), 4, axis=-1)
    return tf.concat([entering, cell, forgetting, leaving], -1)
