"""What a network can add to the linear part, tried in several ways, walking forward.

    python benchmarks/network_variants.py [PRICES] [--variants reference ensemble …] [--folds 8]

Each variant's network sees windows that end in the newest context moves and corrects the linear
part. It is trained on rows before each fold, and its correction is published as far as validation
rows support it. Prints a table and writes it to benchmarks/network_variants.md.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from accuracy import DEFAULTS
from output_file import output_file
from peer_accuracy import gains
from reference_data import (
    CONTEXT,
    REPOSITORY,
    describe_machine,
    load_dataset,
    prices_path,
    reference_symbols,
)

from roi_forecast.array_types import FloatArray
from roi_forecast.backtest.network_trainer import NetworkTrainer
from roi_forecast.backtest.walk_forward import WalkForward, walk_forward
from roi_forecast.config import ModelConfig
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.bootstrap import bootstrap_mean
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.windows import window_view
from roi_forecast.files.artifacts import write_file
from roi_forecast.linear.baseline import dataset_baseline
from roi_forecast.network.predictor import Predictor

RESULT = REPOSITORY / "benchmarks" / "network_variants.md"
SMALL = {"lstm_units": (16, 16), "attention_key_dim": 16, "dense_units": 16, "kernel_l2": 1e-4}


@dataclass(frozen=True)
class Shared:
    """One network for all assets, which sees an asset's own window and the context.

    It is fitted on the windows of all assets, so it learns from as many times more.
    """

    seq_len: int
    model: object
    assets: int
    networks: tuple[None] = (None,)

    def project(self, rows: np.ndarray) -> np.ndarray:
        """As `Predictor.project`: the rows as they are."""
        return rows

    def forecast_windows(self, windows: np.ndarray, baseline: FloatArray) -> FloatArray:
        """As `Predictor.forecast_windows`."""
        found = [
            np.asarray(
                self.model.predict(  # type: ignore[attr-defined]
                    _of_asset(windows, baseline, asset, self.assets), verbose=0, batch_size=512
                )
            )[:, 0]
            for asset in range(self.assets)
        ]
        return np.stack(found, axis=1).astype(np.float64)


def _of_asset(
    windows: np.ndarray, baseline: FloatArray, asset: int, assets: int
) -> dict[str, np.ndarray]:
    columns = [asset, *range(assets, windows.shape[2])]
    return {
        "scaled": windows[:, :, columns].astype(np.float32),
        "baseline": baseline[:, asset : asset + 1].astype(np.float32),
    }


def fit_shared(dataset: Dataset) -> Shared:
    """Fit one network on the windows of all assets."""
    from roi_forecast.network.backend import keras
    from roi_forecast.network.compilation import compile_network
    from roi_forecast.network.network import build_network

    config = ModelConfig.model_validate({**SMALL, "batch_size": 256})
    assets = len(dataset.symbols)
    keras.utils.set_random_seed(0)
    model = build_network(config, dataset.seq_len, 1, len(dataset.context_symbols))
    compile_network(model, config)
    parts = []
    for targets in (dataset.split.train, dataset.split.validation):
        windows = window_view(dataset.inputs, targets, dataset.seq_len)
        baseline = dataset_baseline(dataset, config.half_life, targets)
        rows = slice(targets.start, targets.stop)
        actual = np.where(dataset.filled[rows], np.nan, dataset.scaled[rows])
        each = [_of_asset(windows, baseline, asset, assets) for asset in range(assets)]
        inputs = {name: np.concatenate([one[name] for one in each]) for name in each[0]}
        parts.append((inputs, actual.T.reshape(-1, 1).astype(np.float32)))
    (inputs, actual), validation = parts
    stop = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    model.fit(
        inputs,
        actual,
        validation_data=validation,
        epochs=15,
        batch_size=config.batch_size,
        verbose=0,
        callbacks=[stop],
    )
    return Shared(dataset.seq_len, model, assets)


def _trained(**changes: object) -> Callable[[Dataset], Predictor]:
    config = ModelConfig.model_validate(changes)

    def fit(dataset: Dataset) -> Predictor:
        with TemporaryDirectory() as directory:
            return NetworkTrainer(config, Path(directory))(dataset)

    return fit


def _ensemble(size: int, **changes: object) -> Callable[[Dataset], Predictor]:
    def fit(dataset: Dataset) -> Predictor:
        members = [_trained(seed=seed, **changes)(dataset).networks[0] for seed in range(size)]
        return Predictor(tuple(members), Path())

    return fit


VARIANTS: dict[str, tuple[str, Callable[[Dataset], object]]] = {
    "reference": ("the defaults: the best epoch only where it is proven", _trained()),
    "always": ("its best epoch, proven or not", _trained(improvement_standard_errors=0.0)),
    "small": (
        "an eighth of the units, L2, a third of the learning rate",
        _trained(improvement_standard_errors=0.0, learning_rate=3e-4, **SMALL),
    ),
    "ensemble": (
        "five of these small ones, averaged",
        _ensemble(5, improvement_standard_errors=0.0, learning_rate=3e-4, **SMALL),
    ),
    "absolute": (
        "absolute instead of squared errors",
        _trained(improvement_standard_errors=0.0, loss="mae"),
    ),
    "shared": ("one small network for all assets, each with its own window", fit_shared),
}


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    dataset = load_dataset(
        arguments.prices, reference_symbols(), DEFAULTS["start"], DEFAULTS["last"], CONTEXT
    )
    first = DEFAULTS["first"]
    linear = walk_forward(dataset, first, max_folds=arguments.folds)
    lines = [
        "# What a network adds to the linear part",
        "",
        (
            f"Measured on {datetime.now(UTC):%Y-%m-%d} on {describe_machine()} with "
            f"`python benchmarks/network_variants.py`: {len(dataset.symbols)} reference assets, "
            f"context {', '.join(CONTEXT)}, targets {linear.dates[0]} to {linear.dates[-1]}, "
            f"{len(linear.folds)} trainings each. R2 of the next day is against the zero forecast, "
            "its difference to the linear part's is resampled over days in blocks of 20 sessions "
            "(95 %)."
        ),
        "",
        (
            "| variant | next-day R2 | less the linear part's | smoothed R2 | published share of "
            "what the network adds, by fold | s |"
        ),
        "|---|---|---|---|---|---|",
        _line("linear part alone", linear, linear, 0.0),
    ]
    print("\n".join(lines), flush=True)
    for name in arguments.variants:
        words, fit = VARIANTS[name]
        began = time.perf_counter()
        walk = walk_forward(
            dataset,
            first,
            fit_network=fit,  # type: ignore[arg-type]
            max_folds=arguments.folds,
            predictor=name,
        )
        lines.append(_line(f"{name}: {words}", walk, linear, time.perf_counter() - began))
        print(lines[-1], flush=True)
    write_file(arguments.output, ("\n".join(lines) + "\n").encode())


def _line(name: str, walk: WalkForward, linear: WalkForward, seconds: float) -> str:
    difference = bootstrap_mean(gains(walk.scored) - gains(linear.scored))
    shares = ", ".join(f"{fold.network:.2f}" for fold in walk.folds)
    return (
        f"| {name} | {metrics.r2_against_zero.together(walk.scored):+.4f} "
        f"| {difference.mean:+.4f} ({difference.lower_95:+.4f} to {difference.upper_95:+.4f}) "
        f"| {metrics.r2.overall(walk.actual_smoothed, walk.smoothed):.4f} | {shares} "
        f"| {seconds:.0f} |"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prices", type=Path, nargs="?", default=prices_path())
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--folds", type=int, default=8)
    parser.add_argument("--output", type=output_file, default=RESULT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
