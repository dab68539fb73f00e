"""The network's test R2 of the smoothed ROI beside its peers, and the bars it has to reach."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from reference_data import CONTEXT, load_dataset, reference_symbols

from roi_forecast.config import ModelConfig
from roi_forecast.evaluation.evaluate import score_candidate
from roi_forecast.evaluation.overall_figures import SMOOTHED, TEST, find_overall
from roi_forecast.evaluation.scores import Score
from roi_forecast.features.dataset import Dataset
from roi_forecast.forecaster.forecaster import Forecaster
from roi_forecast.forecaster.through_time import ThroughTime
from roi_forecast.network.predictor import load_predictor
from roi_forecast.network.training.train import train_model

SHARE_OF_NO_SKILL = 0.985
BELOW_LINEAR = 0.005
SEEDS = (0, 1, 2)
HYBRID_LINEAR = "hybrid_linear"
NAMES = {"linear": "linear part", "no_skill": "no-skill forecast"}

LEFT_OUT = (
    "RELIANCE.NS",
    "HDFCBANK.NS",
    "SBIN.NS",
    "KOTAKBANK.NS",
    "ASIANPAINT.NS",
    "HCLTECH.NS",
    "TITAN.NS",
)


@dataclass(frozen=True)
class Setting:
    """A universe and a period to train and test on.

    Attributes:
        name: In words.
        symbols: The assets.
        start: First date of the prices.
        last: Last date of the prices, a session.
        context: The context assets, from the same file.
        with_plain_network: Whether the reference network without the highway is trained too.
    """

    name: str
    symbols: tuple[str, ...]
    start: date
    last: date
    context: tuple[str, ...] = ()
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
        """Whether it is near enough to the no-skill forecast and to the linear part."""
        return (
            self.r2() >= SHARE_OF_NO_SKILL * self.r2("no_skill")
            and self.r2() >= self.r2("linear") - BELOW_LINEAR
        )


def settings() -> tuple[Setting, ...]:
    """Return the two windows of the aim, then a window and a universe that nothing was tuned on."""
    reference = tuple(reference_symbols())
    another = (*(symbol for symbol in reference if symbol not in LEFT_OUT), *CONTEXT)
    return (
        Setting(
            "The aim, first window",
            reference,
            date(2020, 10, 1),
            date(2023, 3, 31),
            CONTEXT,
            with_plain_network=True,
        ),
        Setting(
            "The aim, second window",
            reference,
            date(2022, 7, 1),
            date(2024, 12, 31),
            CONTEXT,
            with_plain_network=True,
        ),
        Setting("A window between them", reference, date(2021, 4, 1), date(2023, 9, 29), CONTEXT),
        Setting("Another universe", another, date(2021, 10, 1), date(2024, 3, 28)),
    )


def training_tables(prices: Path) -> list[str]:
    """Train and score every setting; return the section as lines of Markdown."""
    lines = [
        "## The model: overall test R2 of the scaled smoothed ROI",
        "",
        (
            "Unweighted mean over the assets, filled targets left out; split as in a daily run "
            "(the last 20 % of the windows are the test), no refit. Demanded of `hybrid_linear` "
            f"for each seed: at least {SHARE_OF_NO_SKILL} of the no-skill forecast, and not more "
            f"than {BELOW_LINEAR} below the linear part. Four fifths of the target are known a day "
            "ahead, so that nothing here is insight into tomorrow's return. Nothing was tuned "
            "on the last two settings."
        ),
        "",
    ]
    everything = settings()
    for number, setting in enumerate(everything, start=1):
        logging.info("setting %d of %d: %s", number, len(everything), setting.name)
        dataset = load_dataset(
            prices, setting.symbols, setting.start, setting.last, setting.context
        )
        lines += network_table(setting, dataset, list(_trainings(setting, dataset)))
    return lines


def network_table(setting: Setting, dataset: Dataset, measured: Sequence[Measured]) -> list[str]:
    """Return the table of one setting as lines of Markdown."""
    test = dataset.split.test
    first = measured[0]
    linear, limit = first.r2("linear"), first.r2("no_skill")
    lines = [
        (
            f"### {setting.name}: {len(dataset.symbols)} assets, prices {setting.start} to "
            f"{setting.last}, context {', '.join(setting.context) or 'none'}"
        ),
        "",
        (
            f"Test: {len(test)} sessions from {dataset.dates[test.start]}. Bars: "
            f"{SHARE_OF_NO_SKILL * limit:.4f} (no-skill forecast) and {linear - BELOW_LINEAR:.4f} "
            "(linear part)."
        ),
        "",
        "| predictor | seed | R2 | of no skill | less linear | bars | best epoch of | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in ("persistence", "linear", "no_skill"):
        value = first.r2(name)
        lines.append(
            f"| {NAMES.get(name, name)} | | {value:.4f} | {value / limit:.4f} | "
            f"{value - linear:+.4f} | | | |"
        )
    for each in measured:
        verdict = "reached" if each.reaches_the_bars else "missed"
        verdict = verdict if each.architecture == HYBRID_LINEAR else ""
        lines.append(
            f"| `{each.architecture}` | {each.seed} | {each.r2():.4f} | {each.r2() / limit:.4f} | "
            f"{each.r2() - linear:+.4f} | {verdict} | "
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
    through_time = ThroughTime.fit(dataset, config.half_life)
    forecaster = Forecaster.fit(dataset, predictor, through_time)
    model, linear = (
        {TEST: each.forecast(dataset, dataset.split.test, (1,), "recursive")}
        for each in (forecaster, replace(forecaster, predictor=None))
    )
    return Measured(
        config.architecture,
        config.seed,
        tuple(score_candidate(dataset, model, linear)),
        result.best_epoch,
        result.epochs,
        seconds,
    )
