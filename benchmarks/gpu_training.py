"""Training on a GPU: a step by Keras' backend, precision and LSTM, and whole trainings.

    python benchmarks/gpu_training.py [PRICES] [--backends jax torch] [--output FILE]

Needs a GPU and, of each backend, a build for it. The network, its losses and its batches are those
of the project; TensorFlow's kernels for CPUs and its loop over steps are not. Without TensorFlow it
needs keras, pydantic, universal-pathlib, exchange-calendars and what these need. Prints two tables
and writes them to benchmarks/gpu.md.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from output_file import output_file
from reference_data import (
    LAST,
    REPOSITORY,
    START,
    describe_machine,
    load_dataset,
    prices_path,
    reference_symbols,
)

from roi_forecast.config import ModelConfig
from roi_forecast.files.artifacts import write_file

RESULT = REPOSITORY / "benchmarks" / "gpu.md"
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
SIZES = ((23, 32), (23, 256), (500, 32), (5000, 32))
"""Assets and windows in a batch."""
WARM_UP, ROUNDS, STEPS, ROWS = 2, 5, 20, 60
CUDNN = {"jax": ("jax.experimental.rnn", "lstm"), "torch": ("torch._VF", "lstm")}
"""The function of each backend that calls cuDNN."""
WITHOUT_CUDNN = {("jax", "mixed_bfloat16"), ("jax", "mixed_float16")}
"""Where that function refuses the number format, and Keras does not turn to its loop by itself."""


@dataclass(frozen=True)
class Step:
    """How long a training step takes.

    Attributes:
        backend: Keras' backend.
        lstm: `cuDNN` where its function was called, otherwise `loop`.
        precision: As the parameter.
        assets: Also the features of a row.
        batch_size: Windows in a batch.
        milliseconds: The median of the rounds.
        first_seconds: Of the first epoch, compilation included.
    """

    backend: str
    lstm: str
    precision: str
    assets: int
    batch_size: int
    milliseconds: float
    first_seconds: float


@dataclass(frozen=True)
class Training:
    """A whole training on real prices, to its end by early stopping.

    Attributes:
        backend: Keras' backend.
        precision: As the parameter.
        seconds: With preparation, compilation and saved states.
        epochs: How many.
        untrained_loss: On the validation rows, scaled.
        best_loss: The lowest on the validation rows, scaled.
        correction: Largest difference of a scaled forecast from the linear part's.
        difference: Largest difference of a scaled forecast on validation rows between the GPU in
            float32 and the same weights in numpy.
    """

    backend: str
    precision: str
    seconds: float
    epochs: int
    untrained_loss: float
    best_loss: float
    correction: float
    difference: float


def measure(backend: str, prices: Path) -> Iterator[Step | Training]:
    """Measure one backend, in the process that calls."""
    # Before anything else imports Keras.
    os.environ["KERAS_BACKEND"] = backend
    import keras

    if keras.backend.backend() != backend:
        raise SystemExit(f"Keras runs on {keras.backend.backend()}; expected {backend}")
    calls = _counted_cudnn_calls(backend)
    for precision in PRECISIONS:
        for assets, batch_size in SIZES:
            yield measure_step(backend, precision, assets, batch_size, calls)
        # Where cuDNN is refused, that was the loop already.
        if (backend, precision) not in WITHOUT_CUDNN:
            yield measure_step(backend, precision, *SIZES[0], calls, with_cudnn=False)
    for precision in PRECISIONS:
        yield measure_training(backend, precision, prices)


def measure_step(
    backend: str,
    precision: str,
    assets: int,
    batch_size: int,
    calls: list[int],
    *,
    with_cudnn: bool = True,
) -> Step:
    """Train the reference network on random windows for some epochs."""
    import keras

    from roi_forecast.features.windows import window_view
    from roi_forecast.network.compilation import compile_network
    from roi_forecast.network.inputs import SCALED
    from roi_forecast.network.network import build_network
    from roi_forecast.network.training.batches import WindowBatches

    keras.utils.set_random_seed(0)
    config = ModelConfig(architecture="hybrid", precision=precision)  # type: ignore[arg-type]
    network = build_network(config, ROWS, assets)
    if not with_cudnn or (backend, precision) in WITHOUT_CUDNN:
        _forbid_cudnn(network)
    compile_network(network, config)
    generator = np.random.default_rng(0)
    targets = range(ROWS, ROWS + STEPS * batch_size)
    rows = generator.random((targets.stop, assets), dtype=np.float32)
    batches = WindowBatches(
        {SCALED: window_view(rows, targets, ROWS)}, rows[ROWS:], batch_size, seed=0
    )
    before = calls[0]
    seconds = []
    for _ in range(WARM_UP + ROUNDS):
        began = time.perf_counter()
        network.fit(batches, epochs=1, shuffle=False, verbose=0)
        seconds.append(time.perf_counter() - began)
    lstm = "cuDNN" if calls[0] > before else "loop"
    step = 1000 * float(np.median(seconds[WARM_UP:])) / STEPS
    return Step(backend, lstm, precision, assets, batch_size, step, seconds[0])


def measure_training(backend: str, precision: str, prices: Path) -> Training:
    """Train the default network on the reference assets as far as the prices have them."""
    import keras

    from roi_forecast.linear.baseline import linear_baseline
    from roi_forecast.linear.through_time import Linear
    from roi_forecast.network.compilation import compile_network
    from roi_forecast.network.inputs import model_inputs
    from roi_forecast.network.network import input_names
    from roi_forecast.network.predictor import Predictor
    from roi_forecast.network.training.batches import window_batches
    from roi_forecast.network.training.progress import TrainingProgress, untrained_state
    from roi_forecast.network.training.saving import as_arrays, dataset_network

    config = ModelConfig(precision=precision)  # type: ignore[arg-type]
    dataset = load_dataset(prices, reference_symbols(), START, LAST)
    began = time.perf_counter()
    keras.utils.set_random_seed(config.seed)
    linear = Linear.fit(dataset, config.half_life)
    network = dataset_network(dataset, config)
    if (backend, precision) in WITHOUT_CUDNN:
        _forbid_cudnn(network)
    compile_network(network, config)
    split = dataset.split
    baselines = [
        linear_baseline(linear, dataset, dataset.scaler, dataset.smoothing, targets)
        for targets in (split.train, split.validation)
    ]
    training, validation = (
        window_batches(
            dataset, baseline, targets, input_names(network), config.batch_size, seed=seed
        )
        for targets, baseline, seed in zip(
            (split.train, split.validation), baselines, (config.seed, None), strict=True
        )
    )
    with TemporaryDirectory() as directory:
        state = untrained_state(network, validation)
        progress = TrainingProgress(config, state, training, Path(directory), {})
        network.fit(
            training,
            validation_data=validation,
            epochs=config.epochs,
            shuffle=False,
            verbose=0,
            callbacks=list(progress.callbacks),
        )
    seconds = time.perf_counter() - began
    in_float32 = dataset_network(dataset, config.model_copy(update={"precision": "float32"}))
    in_float32.set_weights(network.get_weights())
    windows = model_inputs(dataset.inputs, baselines[1], split.validation, dataset.seq_len)
    found = keras.ops.convert_to_numpy(
        in_float32({name: windows[name].copy() for name in input_names(network)}, training=False)
    )
    predictor = Predictor((as_arrays(network, dataset.seq_len),), Path())
    expected = predictor.predict(dataset.inputs, baselines[1], split.validation)
    losses = [record.validation_loss for record in progress.history]
    correction = expected - baselines[1]
    return Training(
        backend,
        precision,
        seconds,
        len(losses) - 1,
        losses[0],
        min(losses),
        float(np.abs(correction).max()),
        float(np.abs(found - expected).max()),
    )


def _forbid_cudnn(network: Any) -> None:
    for layer in network.layers:
        if hasattr(layer, "forward_layer"):
            layer.forward_layer.use_cudnn = layer.backward_layer.use_cudnn = False


def _counted_cudnn_calls(backend: str) -> list[int]:
    """Count, in one number, what returns from the backend's function for cuDNN."""
    module_name, name = CUDNN[backend]
    module = importlib.import_module(module_name)
    function = getattr(module, name)
    calls = [0]

    def counted(*arguments: Any, **options: Any) -> Any:
        result = function(*arguments, **options)
        calls[0] += 1
        return result

    setattr(module, name, counted)
    return calls


def report(measured: list[Step | Training], device: str) -> str:
    """Return the page of the results."""
    lines = [
        "# Training on a GPU",
        "",
        (
            f"Measured on {datetime.now(UTC):%Y-%m-%d} on {device}, {describe_machine()}, with "
            f"{_versions()}. Command: `python benchmarks/gpu_training.py`."
        ),
        "",
        (
            f"A training step of the reference network on windows of {ROWS} rows: the median of "
            f"{ROUNDS} epochs of {STEPS} steps after {WARM_UP}, with the batches brought from the "
            "processor, as in a training."
        ),
        "",
        "| backend | LSTM | precision | assets | windows a batch | ms a step | first epoch, s |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.backend} | {each.lstm} | {each.precision} | {each.assets} | {each.batch_size} "
        f"| {each.milliseconds:.2f} | {each.first_seconds:.1f} |"
        for each in measured
        if isinstance(each, Step)
    ]
    lines += [
        "",
        (
            "Whole trainings of the default network on the reference assets, to the end by early "
            "stopping; losses are those of the validation rows, scaled. The last two columns are "
            "largest differences of a forecast of these rows, scaled: from the linear part, and "
            "between the GPU in float32 and the same weights in numpy."
        ),
        "",
        (
            "| backend | precision | s | epochs | loss untrained | loss of the best epoch "
            "| correction | GPU and numpy |"
        ),
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.backend} | {each.precision} | {each.seconds:.1f} | {each.epochs} "
        f"| {each.untrained_loss:.6f} | {each.best_loss:.6f} | {each.correction:.1e} "
        f"| {each.difference:.1e} |"
        for each in measured
        if isinstance(each, Training)
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    if arguments.worker:
        for each in measure(arguments.worker, arguments.prices):
            print(json.dumps({"kind": type(each).__name__, **asdict(each)}), flush=True)
        return
    measured: list[Step | Training] = []
    failed = []
    for backend in arguments.backends:
        command = [sys.executable, __file__, str(arguments.prices), "--worker", backend]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        for line in worker.stdout:
            print(line, end="", flush=True)
            fields = json.loads(line)
            kind = {"Step": Step, "Training": Training}[fields.pop("kind")]
            measured.append(kind(**fields))
        if worker.wait():
            failed.append(backend)
        page = report(measured, _device())
        write_file(arguments.output, page.encode())
    print(page)
    if failed:
        raise SystemExit(f"ended before all was measured: {', '.join(failed)}")


def _device() -> str:
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return "no NVIDIA GPU"
    return "one " + listed.stdout.strip().splitlines()[0].replace(", ", ", driver ")


def _versions() -> str:
    named = []
    for package in ("keras", "jax", "torch", "numpy"):
        try:
            named.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(named)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prices", type=Path, nargs="?", default=prices_path())
    parser.add_argument("--backends", nargs="+", choices=CUDNN, default=list(CUDNN))
    parser.add_argument("--worker", choices=CUDNN, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=output_file, default=RESULT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
