from __future__ import annotations

from dataclasses import replace

import numpy as np

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.backtest.folds import fold_dataset, plan_folds
from roi_forecast.features.dataset import Dataset

DATASET = synthetic_dataset(rows=300)


def of(
    targets: range, window: int | None = None, share: float = 0.15, dataset: Dataset = DATASET
) -> Dataset:
    return fold_dataset(dataset, targets, window, share)


def test_longer_folds_take_the_place_of_more_than_the_most() -> None:
    first = DATASET.dates[200].item()
    assert plan_folds(DATASET, first, 40, None) == [
        range(200, 240),
        range(240, 280),
        range(280, 300),
    ]
    assert plan_folds(DATASET, first, 40, 2) == [range(200, 250), range(250, 300)]
    assert plan_folds(DATASET, first, 40, 8) == plan_folds(DATASET, first, 40, None)


def test_gaps_of_the_smoothing_span_lie_between_the_parts() -> None:
    split = of(range(200, 221)).split
    assert split.test == range(200, 221)
    assert split.validation.stop == 200 - DATASET.smoothing
    assert split.train.stop == split.validation.start - DATASET.smoothing
    assert len(split.validation) == round((200 - DATASET.seq_len) * 0.15) - DATASET.smoothing


def test_scaler_is_fitted_on_the_training_rows_of_the_fold() -> None:
    own = of(range(200, 221), window=120)
    train = own.smoothed[: own.split.train.stop]
    scaled = own.scaler.transform(train)
    np.testing.assert_allclose(scaled.min(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.max(axis=0), 1)


def test_id_differs_wherever_a_forecaster_would_be_fitted_on_other_rows() -> None:
    ids = {
        of(range(200, 221)).dataset_id,
        of(range(221, 242)).dataset_id,
        of(range(200, 221), window=120).dataset_id,
        of(range(200, 221), share=0.2).dataset_id,
        of(range(200, 221), dataset=replace(DATASET, dataset_id="other")).dataset_id,
    }
    assert len(ids) == 5
    assert of(range(200, 250)).dataset_id == of(range(200, 221)).dataset_id
