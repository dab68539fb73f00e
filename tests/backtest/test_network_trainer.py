from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from network.synthetic_dataset import SMALL, synthetic_dataset
from roi_forecast.backtest.folds import Fold
from roi_forecast.backtest.network_trainer import NetworkTrainer
from roi_forecast.backtest.walk_forward import WalkForward, walk_forward
from roi_forecast.network.training import train as training
from roi_forecast.network.training.result import NETWORK_FILE

DATASET = synthetic_dataset(rows=300, context=1)
FIRST_DATE = DATASET.dates[240].item()
CONFIG = SMALL.model_copy(update={"epochs": 2})


def walk(directory: Path) -> WalkForward:
    return walk_forward(
        DATASET,
        FIRST_DATE,
        fit_network=NetworkTrainer(CONFIG, directory),
        max_folds=2,
        predictor="model",
    )


def network_of(directory: Path, fold: Fold) -> Path:
    (path,) = directory.glob(f"{fold.first_date}-*/{NETWORK_FILE}")
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WalkForward]:
    """An uninterrupted walk-forward."""
    directory = tmp_path_factory.mktemp("networks")
    return directory, walk(directory)


def test_each_fold_has_a_network_of_its_own(whole: tuple[Path, WalkForward]) -> None:
    directory, result = whole
    assert len(result.folds) == 2
    first, second = (network_of(directory, fold) for fold in result.folds)
    assert first.read_bytes() != second.read_bytes()


def test_killed_walk_trains_only_what_is_missing_and_ends_with_the_same_forecasts(
    whole: tuple[Path, WalkForward], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, expected = whole
    finish, finished = training.finish, []

    def cut_off(*arguments: object) -> None:
        if finished:
            raise KeyboardInterrupt
        finished.append(arguments)
        finish(*arguments)

    monkeypatch.setattr(training, "finish", cut_off)
    with pytest.raises(KeyboardInterrupt):
        walk(tmp_path)
    first = network_of(tmp_path, expected.folds[0])
    trained_at = first.stat().st_mtime_ns
    monkeypatch.setattr(training, "finish", finish)

    resumed = walk(tmp_path)

    assert first.stat().st_mtime_ns == trained_at
    np.testing.assert_array_equal(resumed.smoothed, expected.smoothed)
    np.testing.assert_array_equal(resumed.published, expected.published)


def test_a_network_that_is_taken_again_has_the_time_of_its_last_use(
    whole: tuple[Path, WalkForward],
) -> None:
    directory, result = whole
    folders = [network_of(directory, fold).parent for fold in result.folds]
    for folder in folders:
        os.utime(folder, (0, 0))
    walk(directory)
    assert all(folder.stat().st_mtime > 0 for folder in folders)
