"""Keras' attention of a sequence to itself, with half of its projections multiplied out."""

from __future__ import annotations

from typing import Any

from roi_forecast.model.backend import keras

ops = keras.ops


@keras.saving.register_keras_serializable(package="roi_forecast")
class SelfAttention(keras.layers.MultiHeadAttention):  # type: ignore[misc]
    """Attention with the weights, configuration and numbers of `keras.layers.MultiHeadAttention`.

    With x a row's features, Q, K, V and O a head's projections and b their biases, a head's scores
    are (x Q + b_q) (x K + b_k)' and its output is P (x V + b_v) O + b_o, where P are the softmaxed
    scores. What adds the same to every score of a row, b_k among it, changes no softmax, and the
    rows of P add up to 1. So

        scores = (x Q K' + b_q K') x'        output = (P x) V O + b_v O + b_o

    which needs two projections of the rows instead of four: the products Q K' and V O are taken
    once for all rows. That saves work where the features are no wider than a head's key; elsewhere,
    and with masks, dropout or another sequence to attend to, this is Keras' own layer.

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
            return self._attend_to_itself(query)
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

    def _attend_to_itself(self, sequence: Any) -> Any:
        rows, features = sequence.shape[1:]
        heads = self.num_heads
        # Projections to heads have the shape (features, heads, key), the one back (heads, key,
        # features); the biases of the first (heads, key).
        to_query, to_key, to_value = (
            ops.transpose(layer.kernel, (1, 0, 2))
            for layer in (self.query_dense, self.key_dense, self.value_dense)
        )
        back = ops.convert_to_tensor(self.output_dense.kernel)
        query_bias = ops.expand_dims(self.query_dense.bias, 1)
        value_bias = ops.reshape(self.value_dense.bias, (1, -1))

        scale = self.key_dim**-0.5
        to_scores = ops.matmul(to_query * scale, ops.transpose(to_key, (0, 2, 1)))
        to_scores = ops.reshape(ops.transpose(to_scores, (1, 0, 2)), (features, heads * features))
        score_bias = ops.reshape(
            ops.matmul(query_bias * scale, ops.transpose(to_key, (0, 2, 1))),
            (heads * features,),
        )
        flat = ops.reshape(sequence, (-1, features))
        queries = ops.reshape(
            ops.matmul(flat, to_scores) + score_bias, (-1, rows * heads, features)
        )
        scores = ops.softmax(ops.matmul(queries, ops.transpose(sequence, (0, 2, 1))))

        seen = ops.reshape(ops.matmul(scores, sequence), (-1, heads * features))
        to_output = ops.reshape(ops.matmul(to_value, back), (heads * features, features))
        output_bias = ops.matmul(value_bias, ops.reshape(back, (-1, features)))
        # Keeps the key's bias a part of the graph, with the gradient of 0 that it has.
        output_bias = output_bias + 0.0 * ops.sum(self.key_dense.bias)
        output = ops.matmul(seen, to_output) + output_bias + self.output_dense.bias
        return ops.reshape(output, (-1, rows, features))
