"""One way of training the reference network, timed round by round at the parent's word.

    python benchmarks/speed_steps.py keras|fused|project|torch

prints `ready`, then for each line read a round's milliseconds per training step, as wall time and
as processor time of all threads. `torch` needs PyTorch only, the others this project's environment.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

BATCH, ROWS, ASSETS = 32, 60, 23
STEPS, EPOCHS = 20, 5


def torch_steps() -> Callable[[], None]:
    """PyTorch's own LSTM and its fused attention, key dimension 64 in each of 4 heads."""
    import torch

    torch.manual_seed(0)

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.LSTM(ASSETS, 64, batch_first=True, bidirectional=True)
            self.second = torch.nn.LSTM(128, 32, batch_first=True, bidirectional=True)
            self.query = torch.nn.Linear(64, 256)
            self.key = torch.nn.Linear(64, 256)
            self.value = torch.nn.Linear(64, 256)
            self.back = torch.nn.Linear(256, 64)
            self.norm = torch.nn.LayerNorm(64, eps=1e-3)
            self.dense = torch.nn.Linear(64, 128)
            self.output = torch.nn.Linear(128, ASSETS)
            self.lstm_dropout = torch.nn.Dropout(0.2)
            self.dense_dropout = torch.nn.Dropout(0.3)

        def forward(self, windows: Any) -> Any:
            features, _ = self.first(self.lstm_dropout(windows))
            features, _ = self.second(self.lstm_dropout(features))

            def heads(projected: Any) -> Any:
                return projected.view(BATCH, ROWS, 4, 64).transpose(1, 2)

            attended = torch.nn.functional.scaled_dot_product_attention(
                heads(self.query(features)), heads(self.key(features)), heads(self.value(features))
            )
            attended = self.back(attended.transpose(1, 2).reshape(BATCH, ROWS, 256))
            pooled = self.norm(features + attended).mean(1)
            return self.output(self.dense_dropout(torch.relu(self.dense(pooled))))

    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-4)
    windows, targets = torch.rand(BATCH, ROWS, ASSETS), torch.rand(BATCH, ASSETS)

    def steps() -> None:
        for _ in range(EPOCHS * STEPS):
            optimizer.zero_grad()
            ((network(windows) - targets) ** 2).mean().backward()
            optimizer.step()

    return steps


def keras_steps(kind: str) -> Callable[[], None]:
    """This project's network and training; `keras` and `fused` with Keras' layers in its place."""
    if kind != "project":
        # TensorFlow's own choice: all cores for each operation.
        os.environ["TF_NUM_INTRAOP_THREADS"] = "0"
    from roi_forecast.config import ModelConfig
    from roi_forecast.network import compilation
    from roi_forecast.network import network as building
    from roi_forecast.network.backend import keras
    import tensorflow as tf  # isort: skip - after Keras, which quiets it

    if kind in ("keras", "fused"):
        compilation.STEPS_IN_A_CALL = 1
        building.SelfAttention = keras.layers.MultiHeadAttention  # type: ignore[misc]
    if kind == "keras":
        building.FusedLSTM = keras.layers.LSTM  # type: ignore[misc]
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    config = ModelConfig(architecture="hybrid")
    network = building.build_network(config, ROWS, ASSETS)
    compilation.compile_network(network, config)
    generator = np.random.default_rng(0)
    windows = {"scaled": generator.random((BATCH, ROWS, ASSETS)).astype(np.float32)}
    targets = generator.random((BATCH, ASSETS)).astype(np.float32)
    batches = tf.data.Dataset.from_tensors((windows, targets)).repeat(STEPS)
    return lambda: network.fit(batches, epochs=EPOCHS, verbose=0)


def main() -> None:
    """Time one way of training."""
    kind = sys.argv[1]
    if kind == "project":
        from roi_forecast.network.allocator import freed_memory_kept

        with freed_memory_kept():
            time_rounds(kind)
    else:
        time_rounds(kind)


def time_rounds(kind: str) -> None:
    """Warm up, then time a round for each line."""
    began = time.perf_counter()
    steps = torch_steps() if kind == "torch" else keras_steps(kind)
    steps()
    print(f"ready {time.perf_counter() - began:.2f}", flush=True)
    steps()
    for _ in sys.stdin:
        used, started = _processor_time(), time.perf_counter()
        steps()
        wall = (time.perf_counter() - started) / (EPOCHS * STEPS)
        print(1000 * wall, 1000 * (_processor_time() - used) / (EPOCHS * STEPS), flush=True)


def _processor_time() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
