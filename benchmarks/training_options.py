"""What each option of training does to validation and test scores on real prices.

    python benchmarks/training_options.py [PRICES]

Trains the network once for each option, with few epochs, prints a table and writes it to
benchmarks/training_options.md.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from output_file import output_file

from roi_forecast.config import FeatureConfig, ModelConfig
from roi_forecast.evaluation import metrics
from roi_forecast.features.build import assemble_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.rows import PriceRows, align_rows
from roi_forecast.files.artifacts import write_file
from roi_forecast.linear.baseline import dataset_baseline
from roi_forecast.market.sources.csv_files import CsvSource
from roi_forecast.network.predictor import load_predictor
from roi_forecast.network.training.fine_tuning import FineTuning
from roi_forecast.network.training.outliers import find_outliers
from roi_forecast.network.training.result import NETWORK_FILE, TrainingResult
from roi_forecast.network.training.train import train_model
from roi_forecast.universe import load_universe

REPOSITORY = Path(__file__).resolve().parents[1]
DEFAULT_PRICES = REPOSITORY.parent / "shared" / "market" / "daily_prices.csv.gz"
RESULT = REPOSITORY / "benchmarks" / "training_options.md"
STAND_IN = {"BHARTIARTL.NS": "ONGC.NS"}
"""What the supplied prices have in place of an asset of the reference universe."""
START, LAST = date(2022, 7, 1), date(2024, 12, 31)
LATER_SESSIONS = 21
"""Sessions between the data of the champion and that of the run that goes on from it."""

EPOCHS = {"hybrid_linear": 8, "hybrid": 10}
"""Most epochs of each architecture here; a daily run has 120, and ends after about 15 and 35."""
PATIENCE = 4

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "defaults": {},
    "loss mae": {"loss": "mae"},
    "loss huber, delta 0.05": {"loss": "huber", "huber_delta": 0.05},
    "loss weighted_mse, half-life 120 sessions": {
        "loss": "weighted_mse",
        "loss_recency_half_life": 120,
    },
    "loss weighted_mse, metals count 4 times": {
        "loss": "weighted_mse",
        "loss_asset_weights": {"GC=F": 4.0, "SI=F": 4.0, "PL=F": 4.0},
    },
    "loss pinball, level 0.5": {"loss": "pinball"},
    "loss pinball, level 0.9": {"loss": "pinball", "pinball_level": 0.9},
    "dropouts 0.4 and 0.5": {"lstm_dropout": 0.4, "dense_dropout": 0.5},
    "weight_decay 0.01": {"weight_decay": 0.01},
    "kernel_l2 0.0001": {"kernel_l2": 1e-4},
    "batch_normalization": {"batch_normalization": True},
    "gradient_clip_norm 0.01": {"gradient_clip_norm": 0.01},
    "noise_share 0.01": {"noise_share": 0.01},
    "noise_share 0.05": {"noise_share": 0.05},
    "time_shift_sessions 1": {"time_shift_sessions": 1},
    "time_shift_sessions 3": {"time_shift_sessions": 3},
    "early_stopping_patience 1": {"early_stopping_patience": 1},
}
WITHOUT_BASELINE = (
    "defaults",
    "loss huber, delta 0.05",
    "kernel_l2 0.0001",
    "batch_normalization",
    "noise_share 0.05",
    "time_shift_sessions 3",
)
MEMBERS = 5


@dataclass(frozen=True)
class Line:
    """One row of the table; R2 and MAE are of the scaled smoothed ROI."""

    name: str
    architecture: str
    epochs: str
    validation_r2: float
    test_r2: float
    test_mae: float
    seconds: float


class Bench:
    """Trains on one dataset and scores on its validation and test rows.

    Args:
        dataset: What to train on.
        directory: Where trainings may leave their files.
    """

    def __init__(self, dataset: Dataset, directory: Path) -> None:
        self.dataset = dataset
        self._directory = directory
        self._trained = 0

    def train(
        self,
        architecture: str,
        changes: Mapping[str, Any],
        dataset: Dataset | None = None,
        fine_tuning: FineTuning | None = None,
    ) -> TrainingResult:
        """Train once with some parameters changed."""
        self._trained += 1
        values = {
            "architecture": architecture,
            "epochs": EPOCHS[architecture],
            "early_stopping_patience": PATIENCE,
            # What an option does is shown even where it is no better beyond chance.
            "improvement_standard_errors": 0.0,
            **changes,
        }
        logging.info("training %d: %s", self._trained, values)
        return train_model(
            dataset or self.dataset,
            ModelConfig.model_validate(values),
            self._directory / str(self._trained),
            fine_tuning=fine_tuning,
        )

    def predict(self, directory: Path, dataset: Dataset | None = None) -> dict[str, np.ndarray]:
        """Predict validation and test rows, scaled."""
        dataset, predictor = dataset or self.dataset, load_predictor(directory)
        return {
            part: predictor.predict(dataset.inputs, baseline, getattr(dataset.split, part))
            for part, baseline in _baselines(dataset).items()
        }

    def line(
        self,
        name: str,
        architecture: str,
        epochs: str,
        predicted: Mapping[str, np.ndarray],
        seconds: float,
        dataset: Dataset | None = None,
    ) -> Line:
        """Score predictions."""
        actual = {part: _actual(dataset or self.dataset, part) for part in predicted}
        r2 = {part: metrics.r2.overall(actual[part], predicted[part]) for part in actual}
        mae = metrics.mean_absolute_error.overall(actual["test"], predicted["test"])
        return Line(name, architecture, epochs, r2["validation"], r2["test"], mae, seconds)

    def option(self, name: str, architecture: str) -> Line:
        """Train and score one option."""
        began = time.perf_counter()
        result = self.train(architecture, OPTIONS[name])
        return self.line(
            name,
            architecture,
            f"{result.best_epoch} of {result.epochs}",
            self.predict(result.directory),
            time.perf_counter() - began,
        )


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    began = time.perf_counter()
    rows = _rows(arguments.prices)
    with TemporaryDirectory() as directory:
        bench = Bench(_dataset(rows, FeatureConfig()), Path(directory))
        lines = list(_lines(bench, rows))
        spread = _ensemble(bench, lines)
        difference = _repetition(bench)
    text = _report(bench.dataset, lines, spread, difference, arguments, began)
    print(text)
    write_file(arguments.output, text.encode())


def _baselines(dataset: Dataset) -> dict[str, np.ndarray]:
    """Return the linear part's forecasts of validation and test rows, scaled."""
    return {
        part: dataset_baseline(dataset, ModelConfig().half_life, getattr(dataset.split, part))
        for part in ("validation", "test")
    }


def _lines(bench: Bench, rows: PriceRows) -> Iterator[Line]:
    linear = _baselines(bench.dataset)
    yield bench.line("linear part, for comparison", "linear", "", linear, 0.0)
    for name in OPTIONS:
        yield bench.option(name, "hybrid_linear")
    for name in WITHOUT_BASELINE:
        yield bench.option(name, "hybrid")
    small = _dataset(rows, FeatureConfig(seq_len=30))
    began = time.perf_counter()
    result = bench.train("hybrid_linear", {"batch_size": 16}, small)
    yield bench.line(
        "preset small_memory",
        "hybrid_linear",
        f"{result.best_epoch} of {result.epochs}",
        bench.predict(result.directory, small),
        time.perf_counter() - began,
        small,
    )
    for architecture in ("hybrid_linear", "hybrid"):
        yield from _fine_tuning(bench, rows, architecture)


def _fine_tuning(bench: Bench, rows: PriceRows, architecture: str) -> Iterator[Line]:
    kept = slice(0, len(rows.dates) - LATER_SESSIONS)
    earlier = _dataset(
        replace(
            rows,
            **{
                name: getattr(rows, name)[kept]
                for name in ("dates", "prices", "filled", "true_range")
            },
        ),
        FeatureConfig(),
    )
    champion = bench.train(architecture, {}, earlier)
    own = Preprocessing.of_dataset(earlier).read(bench.dataset)
    yield bench.line(
        f"trained {LATER_SESSIONS} sessions earlier, left as it is",
        architecture,
        "",
        bench.predict(champion.directory, own),
        0.0,
        own,
    )
    base = (champion.directory / NETWORK_FILE).read_bytes()
    for layers in (2, 20):
        began = time.perf_counter()
        tuned = bench.train(architecture, {}, own, FineTuning(base, trainable_layers=layers))
        yield bench.line(
            f"the same, fine-tuned, trainable_layers {layers}",
            architecture,
            f"{tuned.best_epoch} of {tuned.epochs}",
            bench.predict(tuned.directory, own),
            time.perf_counter() - began,
            own,
        )


def _ensemble(bench: Bench, lines: list[Line]) -> dict[str, tuple[float, float]]:
    """Add the lines of ensembles; return the spread of the members, and their R2's range."""
    facts = {}
    for architecture in ("hybrid_linear", "hybrid"):
        began = time.perf_counter()
        results = [bench.train(architecture, {"seed": seed}) for seed in range(MEMBERS)]
        members = [bench.predict(result.directory) for result in results]
        predicted = {
            part: np.mean([member[part] for member in members], axis=0)
            for part in ("validation", "test")
        }
        lines.append(
            bench.line(
                f"ensemble_size {MEMBERS}",
                architecture,
                ", ".join(f"{result.best_epoch} of {result.epochs}" for result in results),
                predicted,
                time.perf_counter() - began,
            )
        )
        actual = _actual(bench.dataset, "test")
        single = [metrics.r2.overall(actual, member["test"]) for member in members]
        facts[architecture] = (min(single), max(single))
        spread = np.std([member["test"] for member in members], axis=0, ddof=1).mean()
        facts[f"{architecture} spread"] = (float(spread), 0.0)
    return facts


def _repetition(bench: Bench) -> float:
    """Return the largest difference between the predictions of two trainings of the same inputs."""
    first, second = (
        bench.predict(bench.train("hybrid", {"epochs": 2}).directory) for _ in range(2)
    )
    return float(np.abs(first["test"] - second["test"]).max())


def _report(
    dataset: Dataset,
    lines: Sequence[Line],
    ensemble: Mapping[str, tuple[float, float]],
    difference: float,
    arguments: argparse.Namespace,
    began: float,
) -> str:
    named = [] if arguments.prices == DEFAULT_PRICES else [str(arguments.prices)]
    told = shlex.join(["python", "benchmarks/training_options.py", *named])
    split = dataset.split
    facts = (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} in {time.perf_counter() - began:.0f} s on "
        f"{os.cpu_count()} cores ({platform.machine()}) without a GPU, shared with other work, "
        f"Python {platform.python_version()}, tensorflow {version('tensorflow')}, keras "
        f"{version('keras')}. Command: `{told}`."
    )
    data = (
        f"Daily prices of {len(dataset.symbols)} assets "
        f"({', '.join(f'{used} in place of {asked}' for asked, used in STAND_IN.items())}), "
        f"{dataset.dates[0]} to {dataset.dates[-1]}; {len(split.train)} windows to train on, "
        f"{len(split.validation)} to validate, {len(split.test)} to test. Overall R2 and MAE of "
        "the scaled smoothed ROI, filled targets masked. Seed 0 unless an ensemble says otherwise; "
        f"at most {EPOCHS['hybrid_linear']} epochs of hybrid_linear and {EPOCHS['hybrid']} of "
        f"hybrid, early stopping after {PATIENCE}: fewer than in a daily run, the same for every "
        "line."
    )
    text = [
        "# What the options of training do",
        "",
        facts,
        "",
        data,
        "",
        "| option | architecture | best epoch | validation R2 | test R2 | test MAE | seconds |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {line.name} | {line.architecture} | {line.epochs} | {line.validation_r2:.4f} | "
            f"{line.test_r2:.4f} | {line.test_mae:.5f} | "
            f"{f'{line.seconds:.0f}' if line.seconds else ''} |"
            for line in lines
        ),
        "",
        *(
            f"Members of the {architecture} ensemble by themselves: test R2 "
            f"{ensemble[architecture][0]:.4f} to {ensemble[architecture][1]:.4f}; mean standard "
            f"deviation across them {ensemble[f'{architecture} spread'][0]:.5f}, scaled."
            for architecture in ("hybrid_linear", "hybrid")
        ),
        "",
        f"Two trainings of the same inputs: test predictions differ by at most {difference:.1e}.",
        "",
        *_outliers(dataset),
    ]
    return "\n".join(text) + "\n"


def _outliers(dataset: Dataset) -> list[str]:
    lines = ["| outlier_limit | outliers in the training rows | largest |", "|---|---|---|"]
    for limit in (5, 8, 10, 15):
        found = find_outliers(dataset, limit)
        lines.append(f"| {limit} | {len(found)} | {found[0] if found else ''} |")
    return lines


def _actual(dataset: Dataset, part: str) -> np.ndarray:
    targets: range = getattr(dataset.split, part)
    rows = slice(targets.start, targets.stop)
    return np.where(dataset.filled[rows], np.nan, dataset.scaled[rows])


def _rows(path: Path) -> PriceRows:
    symbols = [STAND_IN.get(asset.symbol, asset.symbol) for asset in load_universe().assets]
    assets = load_universe().select(symbols)
    source = CsvSource("csv:benchmark", path)
    bars = pd.concat(
        [source.fetch(asset, START, LAST).bars.assign(symbol=asset.symbol) for asset in assets],
        ignore_index=True,
    )
    return align_rows(bars, assets, START, LAST)


def _dataset(rows: PriceRows, features: FeatureConfig) -> Dataset:
    return assemble_dataset(rows, features, "csv:benchmark", Path())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    prices = Path(os.environ.get("ROI_PRICES") or DEFAULT_PRICES)
    parser.add_argument("prices", type=Path, nargs="?", default=prices)
    parser.add_argument("--output", type=output_file, default=RESULT)
    arguments = parser.parse_args()
    if not arguments.prices.exists():
        parser.error(f"no prices at {arguments.prices}; name a file with daily bars as argument")
    return arguments


if __name__ == "__main__":
    main()
