from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import median_abs_deviation

from roi_forecast.config import TrainingConfig
from roi_forecast.errors import TrainingError
from roi_forecast.features.dataset import Dataset
from roi_forecast.network.training.outliers import check_outliers, find_outliers
from roi_forecast.network.training.train import train_model


def with_value(dataset: Dataset, row: int, column: int, value: float) -> Dataset:
    scaled = dataset.scaled.copy()
    scaled[row, column] = value
    return replace(dataset, scaled=scaled)


def test_tame_rows_hold_no_outlier(dataset):
    assert check_outliers(dataset, TrainingConfig()) == ()


def test_an_outlier_is_logged_with_asset_date_and_value(dataset, caplog):
    spiked = with_value(dataset, 40, 1, 9.5)

    (found,) = check_outliers(spiked, TrainingConfig())

    assert (found.symbol, str(found.trading_date)) == ("ASSET1.NS", str(dataset.dates[40]))
    column = spiked.scaled[: dataset.split.train.stop, 1].astype(float)
    spread = median_abs_deviation(column, scale="normal")
    assert found.deviations == pytest.approx((9.5 - np.median(column)) / spread, rel=1e-5)
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert f"ASSET1.NS on {dataset.dates[40]}: 9.5 scaled" in record.getMessage()


def test_outliers_are_refused_before_training_where_the_run_says_so(dataset, tmp_path):
    spiked = with_value(dataset, 40, 1, -9.5)
    config = TrainingConfig(outlier_limit=15)
    with pytest.raises(TrainingError, match=r"ASSET1\.NS on .*: -9\.5 scaled.*raise outlier_limit"):
        check_outliers(spiked, config)
    from network.synthetic_dataset import SMALL

    refusing = SMALL.model_copy(update={"outlier_limit": 15.0})
    with pytest.raises(TrainingError, match="outliers beyond 15"):
        train_model(spiked, refusing, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_limit_beyond_every_value_refuses_nothing(dataset):
    spiked = with_value(dataset, 40, 1, 9.5)
    assert check_outliers(spiked, TrainingConfig(outlier_limit=500)) == ()


def test_the_largest_come_first_and_at_most_ten_are_named(dataset):
    scaled = dataset.scaled.copy()
    scaled[10:30, 0] = np.arange(50, 70)
    with pytest.raises(TrainingError) as refusal:
        check_outliers(replace(dataset, scaled=scaled), TrainingConfig(outlier_limit=15))
    message = str(refusal.value)
    assert "20 outliers" in message
    assert message.index(": 69 scaled") < message.index(": 60 scaled")
    assert ": 59 scaled" not in message


def test_validation_and_test_rows_are_not_looked_at(dataset):
    assert find_outliers(with_value(dataset, dataset.split.train.stop, 0, 1e6), 15) == ()


def test_an_asset_that_rarely_moves_is_measured_by_its_standard_deviation(dataset):
    scaled = np.zeros_like(dataset.scaled)
    scaled[:40] = 0.5
    scaled[60, 2] = 4.0
    found = find_outliers(replace(dataset, scaled=scaled), 5)
    assert [outlier.symbol for outlier in found] == ["ASSET2.NS"]
