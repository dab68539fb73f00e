"""Faster forms of Keras' LSTM and attention."""

from __future__ import annotations

from typing import Any

from roi_forecast.network.backend import keras
from roi_forecast.network.device import has_cpu_kernels

ops = keras.ops

WIDE = 6
"""Features for each unit above which `FusedLSTM` projects all rows before the kernel runs: that
multiplies one row after the other, and its gradient computes that of the features too, which is of
no use in a first layer."""


@keras.saving.register_keras_serializable(package="roi_forecast")
class FusedLSTM(keras.layers.LSTM):  # type: ignore[misc]
    """An LSTM with the weights, configuration and numbers of `keras.layers.LSTM`.

    Without a GPU, Keras runs an LSTM as a loop of small operations, one round for each row of the
    window. TensorFlow's kernel `BlockLSTM` runs all rows in one operation, and so does its
    gradient. With a GPU or another backend of Keras, and for options that the kernel lacks (other
    activations, recurrent dropout, masks, no bias), this is Keras' own layer, with cuDNN where it
    can be used.

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
        import tensorflow as tf

        if training and self.dropout:
            # One mask for all rows of a window, as Keras draws it.
            mask_of_features = self.cell.get_dropout_mask(sequences[:, 0, :])
            sequences = sequences * tf.expand_dims(mask_of_features, 1)
        kernel = self.cell.kernel
        if kernel.shape[0] > WIDE * self.units:
            # The rows are projected already; the unit matrix leaves them as they are.
            sequences, kernel = tf.tensordot(sequences, kernel, 1), tf.eye(kernel.shape[1])
        rows = tf.transpose(sequences, (1, 0, 2))
        if self.go_backwards:
            rows = tf.reverse(rows, [0])
        no_peephole = tf.zeros((self.units,), rows.dtype)
        kernels = tf.concat([kernel, self.cell.recurrent_kernel], 0)
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
            # Keras' bias includes it, and Keras does not clip the cell state.
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
            and has_cpu_kernels()
            and self.activation is keras.activations.tanh
            and self.recurrent_activation is keras.activations.sigmoid
            and self.use_bias
            and not self.recurrent_dropout
            and not self.unroll
            and self.compute_dtype == "float32"
        )


def _gates_in_kernel_order(weights: Any) -> Any:
    # Keras and BlockLSTMV2 order gates as input, forget, cell, output. TensorFlow 2.21 registers
    # the gradient of the older BlockLSTM, with its order input, cell, forget, output, for V2 too:
    # V2's gradients are wrong, so the older kernel is used in its own order.
    import tensorflow as tf

    input_gate, forget_gate, cell_gate, output_gate = tf.split(
        tf.convert_to_tensor(weights), 4, axis=-1
    )
    return tf.concat([input_gate, cell_gate, forget_gate, output_gate], -1)


@keras.saving.register_keras_serializable(package="roi_forecast")
class SelfAttention(keras.layers.MultiHeadAttention):  # type: ignore[misc]
    """Attention with the weights, configuration and numbers of `keras.layers.MultiHeadAttention`.

    With x a row's features, Q, K, V and O a head's projections and b their biases, a head's scores
    are (x Q + b_q) (x K + b_k)' and its output is P (x V + b_v) O + b_o, where P is the softmax of
    the scores. A softmax ignores what is added to every score of a row, such as b_k's part, and the
    rows of P add up to 1. So

        scores = (x Q K' + b_q K') x'        output = (P x) V O + b_v O + b_o

    which needs two projections of the rows instead of four: the products Q K' and V O are computed
    once for all rows. That saves work where the features are no wider than a head's key; elsewhere,
    and with masks, dropout or another sequence to attend to, this is Keras' own layer.

    In training on CPUs, the two halves of a batch run in parallel: each of these operations waits
    for the one before, and alone would keep half of the cores busy.

    Input: the same sequence as query and value, shape (batch, rows, features). Output: same shape.
    """

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """Attend; called by Keras. The arguments are those of `keras.layers.MultiHeadAttention`."""
        masks = (query_mask, value_mask, key_mask, attention_mask)
        if (
            query is value
            and (key is None or key is value)
            and all(mask is None for mask in masks)
            and not (return_attention_scores or use_causal_mask)
            and self._can_be_multiplied_out(query)
        ):
            return self._attend_to_itself(query, in_halves=bool(training) and has_cpu_kernels())
        return super().call(
            query,
            value,
            key,
            query_mask=query_mask,
            value_mask=value_mask,
            key_mask=key_mask,
            attention_mask=attention_mask,
            return_attention_scores=return_attention_scores,
            training=training,
            use_causal_mask=use_causal_mask,
        )

    def _can_be_multiplied_out(self, sequence: Any) -> bool:
        configuration = self.get_config()
        return (
            len(sequence.shape) == 3
            and self.compute_dtype == "float32"
            and sequence.shape[2] <= self.key_dim
            and configuration["use_bias"]
            and not self.dropout
            and configuration["attention_axes"] in (None, [1], (1,))
            and configuration["output_shape"] is None
            and not configuration.get("use_gate")
            and configuration.get("sliding_window") is None
        )

    def _attend_to_itself(self, sequence: Any, in_halves: bool) -> Any:
        rows, features = sequence.shape[1:]
        heads = self.num_heads
        to_scores, score_bias = self._score_weights(features)
        to_output, output_bias = self._output_weights(features)

        def attend(windows: Any) -> Any:
            flat = ops.reshape(windows, (-1, features))
            queries = ops.reshape(
                ops.matmul(flat, to_scores) + score_bias, (-1, rows * heads, features)
            )
            scores = ops.softmax(ops.matmul(queries, ops.transpose(windows, (0, 2, 1))))
            seen = ops.reshape(ops.matmul(scores, windows), (-1, heads * features))
            output = ops.matmul(seen, to_output) + output_bias
            return ops.reshape(output, (-1, rows, features))

        if not in_halves:
            return attend(sequence)
        half = ops.shape(sequence)[0] // 2
        return ops.concatenate([attend(sequence[:half]), attend(sequence[half:])])

    # Projections to heads have the shape (features, heads, key) and biases (heads, key), the one
    # back has the shape (heads, key, features).

    def _score_weights(self, features: int) -> tuple[Any, Any]:
        to_query, to_key = (
            ops.transpose(layer.kernel, (1, 0, 2)) for layer in (self.query_dense, self.key_dense)
        )
        width = self.num_heads * features
        scaled_query = to_query * self.key_dim**-0.5
        scaled_bias = ops.expand_dims(self.query_dense.bias, 1) * self.key_dim**-0.5
        to_key = ops.transpose(to_key, (0, 2, 1))
        weights = ops.transpose(ops.matmul(scaled_query, to_key), (1, 0, 2))
        bias = ops.matmul(scaled_bias, to_key)
        return ops.reshape(weights, (features, width)), ops.reshape(bias, (width,))

    def _output_weights(self, features: int) -> tuple[Any, Any]:
        to_value = ops.transpose(self.value_dense.kernel, (1, 0, 2))
        back = ops.convert_to_tensor(self.output_dense.kernel)
        weights = ops.reshape(ops.matmul(to_value, back), (self.num_heads * features, features))
        value_bias = ops.reshape(self.value_dense.bias, (1, -1))
        bias = ops.matmul(value_bias, ops.reshape(back, (-1, features))) + self.output_dense.bias
        # The key's bias stays a part of the graph, with its gradient of 0.
        return weights, bias + 0.0 * ops.sum(self.key_dense.bias)
