"""The network's test R2 of the smoothed ROI beside its peers, and the bars it has to reach."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from reference_data import load_dataset, reference_symbols

from roi_forecast.config import ModelConfig
from roi_forecast.evaluation.baselines import next_session_forecasts
from roi_forecast.evaluation.evaluate import score_candidate
from roi_forecast.evaluation.overall_figures import SMOOTHED, TEST, find_overall
from roi_forecast.evaluation.scores import Score
from roi_forecast.features.dataset import Dataset
from roi_forecast.network.predictor import load_predictor
from roi_forecast.network.ridge import fit_ridge
from roi_forecast.network.training.train import train_model

SHARE_OF_NO_SKILL = 0.985
BELOW_RIDGE = 0.005
SEEDS = (0, 1, 2)

LEFT_OUT = (
    "RELIANCE.NS",
    "HDFCBANK.NS",
    "SBIN.NS",
    "KOTAKBANK.NS",
    "ASIANPAINT.NS",
    "HCLTECH.NS",
    "TITAN.NS",
)
ADDED = ("AAPL", "JPM", "KO", "NVDA")


@dataclass(frozen=True)
class Setting:
    """A universe and a period to train and test on.

    Attributes:
        name: In words.
        symbols: The assets.
        start: First date of the prices.
        last: Last date of the prices, a session.
        with_plain_network: Whether the reference network without the highway is trained too.
    """

    name: str
    symbols: tuple[str, ...]
    start: date
    last: date
    with_plain_network: bool = False


@dataclass(frozen=True)
class Measured:
    """One training and what it scored on the test rows."""

    architecture: str
    seed: int
    scores: tuple[Score, ...]
    best_epoch: int
    epochs: int
    seconds: float

    def r2(self, predictor: str = "model") -> float:
        """Return the overall test R2 of the scaled smoothed ROI."""
        return find_overall(self.scores, predictor, SMOOTHED, "r2")

    @property
    def reaches_the_bars(self) -> bool:
        """Whether it is near enough to the no-skill forecast and not too far below ridge."""
        return (
            self.r2() >= SHARE_OF_NO_SKILL * self.r2("no_skill")
            and self.r2() >= self.r2("ridge") - BELOW_RIDGE
        )


def settings() -> tuple[Setting, ...]:
    """Return the two windows of the aim, then a window and a universe that nothing was tuned on."""
    reference = tuple(reference_symbols())
    another = (*(symbol for symbol in reference if symbol not in LEFT_OUT), *ADDED)
    return (
        Setting(
            "The aim, first window",
            reference,
            date(2020, 10, 1),
            date(2023, 3, 31),
            with_plain_network=True,
        ),
        Setting(
            "The aim, second window",
            reference,
            date(2022, 7, 1),
            date(2024, 12, 31),
            with_plain_network=True,
        ),
        Setting("A window between them", reference, date(2021, 4, 1), date(2023, 9, 29)),
        Setting("Another universe", another, date(2021, 10, 1), date(2024, 3, 28)),
    )


def network_tables(prices: Path) -> list[str]:
    """Train and score every setting; return the section as lines of Markdown."""
    lines = [
        "## The model: overall test R2 of the scaled smoothed ROI",
        "",
        (
            "Unweighted mean over the assets, filled targets left out; split as in a daily run "
            "(the last 20 % of the windows are the test), no refit. Demanded of `hybrid_ar` for "
            f"each seed: at least {SHARE_OF_NO_SKILL} of the no-skill forecast, and not more than "
            f"{BELOW_RIDGE} below ridge. Four fifths of the target are known a day ahead, so that "
            "nothing here is insight into tomorrow's return. Nothing was tuned on the last two "
            "settings."
        ),
        "",
    ]
    everything = settings()
    for number, setting in enumerate(everything, start=1):
        logging.info("setting %d of %d: %s", number, len(everything), setting.name)
        dataset = load_dataset(prices, setting.symbols, setting.start, setting.last)
        lines += network_table(setting, dataset, list(_trainings(setting, dataset)))
    return lines


def network_table(setting: Setting, dataset: Dataset, measured: Sequence[Measured]) -> list[str]:
    """Return the table of one setting as lines of Markdown."""
    test = dataset.split.test
    first = measured[0]
    ridge, limit = first.r2("ridge"), first.r2("no_skill")
    lines = [
        (
            f"### {setting.name}: {len(dataset.symbols)} assets, prices {setting.start} to "
            f"{setting.last}"
        ),
        "",
        (
            f"Test: {len(test)} sessions from {dataset.dates[test.start]}. Bars: "
            f"{SHARE_OF_NO_SKILL * limit:.4f} (no-skill forecast) and {ridge - BELOW_RIDGE:.4f} "
            "(ridge)."
        ),
        "",
        "| predictor | seed | R2 | of no skill | less ridge | bars | best epoch of | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in ("training_mean", "persistence", "ridge", "no_skill"):
        value = first.r2(name)
        lines.append(
            f"| {name.replace('_', ' ')} | | {value:.4f} | {value / limit:.4f} | "
            f"{value - ridge:+.4f} | | | |"
        )
    for each in measured:
        verdict = "reached" if each.reaches_the_bars else "missed"
        lines.append(
            f"| `{each.architecture}` | {each.seed} | {each.r2():.4f} | {each.r2() / limit:.4f} | "
            f"{each.r2() - ridge:+.4f} | {verdict if each.architecture == 'hybrid_ar' else ''} | "
            f"{each.best_epoch} of {each.epochs} | {each.seconds:.0f} |"
        )
    return [*lines, ""]


def _trainings(setting: Setting, dataset: Dataset) -> Iterator[Measured]:
    configs = [ModelConfig(seed=seed) for seed in SEEDS]
    if setting.with_plain_network:
        configs.append(ModelConfig(architecture="hybrid", seed=SEEDS[0]))
    for number, config in enumerate(configs, start=1):
        logging.info(
            "training %d of %d: %s, seed %d", number, len(configs), config.architecture, config.seed
        )
        yield _train(dataset, config)


def _train(dataset: Dataset, config: ModelConfig) -> Measured:
    with TemporaryDirectory() as directory:
        began = perf_counter()
        result = train_model(dataset, config, Path(directory))
        seconds = perf_counter() - began
        predictor = load_predictor(Path(directory))
    targets = dataset.split.test
    scaled = predictor.predict(dataset.scaled, dataset.scaled_log_roi, targets)
    smoothed = dataset.scaler.inverse(scaled)
    # Only the smoothed ROI is scored here.
    test = next_session_forecasts(dataset, targets, smoothed, np.zeros(smoothed.shape))
    ridge = fit_ridge(dataset, config.ridge_penalty)
    return Measured(
        config.architecture,
        config.seed,
        tuple(score_candidate(dataset, {TEST: test}, ridge)),
        result.best_epoch,
        result.epochs,
        seconds,
    )
