"""A small dataset of random returns, and a training small enough for tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from roi_forecast.config import ModelConfig
from roi_forecast.features.dataset import Dataset, Split
from roi_forecast.features.scaling import Scaler

# Chosen so that a state in the middle matters: the best epoch lies early, the learning rate is
# halved several times after it, and dense units stay alive, so dropout has an effect.
SMALL = ModelConfig(
    lstm_units=(4, 4),
    attention_heads=2,
    attention_key_dim=4,
    dense_units=32,
    batch_size=16,
    learning_rate=0.01,
    epochs=40,
    early_stopping_patience=8,
    improvement_standard_errors=0,
    plateau_patience=2,
    seed=1,
)


def synthetic_dataset(
    rows: int = 200,
    assets: int = 3,
    seq_len: int = 8,
    smoothing: int = 3,
    context: int = 0,
    lead: float = 0.0,
    drift: float = 0.0005,
) -> Dataset:
    """Random log ROIs with one filled value in ten; the same for the same arguments.

    Context moves are random, too, with one missing in ten. Each opens the next session of every
    asset by `lead` times itself. `drift` is the mean log ROI.
    """
    generator = np.random.default_rng(5)
    log_roi = generator.normal(drift, 0.02, (rows + smoothing - 1, assets))
    filled = generator.random((rows, assets)) < 0.1
    test_start, validation_start = int(rows * 0.8), int(rows * 0.65)
    split = Split(
        train=range(seq_len, validation_start - smoothing),
        validation=range(validation_start, test_start - smoothing),
        test=range(test_start, rows),
    )
    beyond = generator.uniform(0, 0.02, filled.shape)
    gap = generator.normal(0, 0.01, filled.shape)
    volume = np.where(filled, np.nan, generator.lognormal(12, 0.4, filled.shape))
    context_missing = generator.random((rows, context)) < 0.1
    moves = np.where(context_missing, 0.0, generator.normal(0, 0.01, (rows, context)))
    led = lead * moves[:-1].sum(axis=1, keepdims=True)
    log_roi[smoothing:] += led
    gap[1:] += led
    gap[filled] = np.nan
    smoothed = np.stack([log_roi[row : row + smoothing].mean(axis=0) for row in range(rows)])
    prices = 100 * np.exp(log_roi.cumsum(axis=0))[smoothing - 1 :]
    log_roi = log_roi[smoothing - 1 :]
    true_range = np.where(filled, np.nan, np.abs(log_roi) + beyond)
    dates = np.datetime64("2024-01-01") + np.arange(rows)
    fitted = slice(0, split.train.stop)
    scaler = Scaler.fit(smoothed[fitted], log_roi[fitted], "minmax", moves[fitted])
    return Dataset(
        dataset_id=f"synthetic-{rows}-{assets}-{seq_len}-{smoothing}",
        directory=Path(),
        source="simulated",
        symbols=tuple(f"ASSET{number}.NS" for number in range(assets)),
        seq_len=seq_len,
        smoothing=smoothing,
        dates=dates,
        prices=prices,
        log_roi=log_roi,
        smoothed=smoothed,
        scaled=scaler.transform(smoothed).astype(np.float32),
        filled=filled,
        true_range=true_range,
        gap=gap,
        volume=volume,
        published_at=dates.astype("datetime64[s]") + np.timedelta64(22, "h"),
        publish="after_close",
        context_symbols=tuple(f"CONTEXT{number}" for number in range(context)),
        context=moves,
        context_missing=context_missing,
        scaled_context=scaler.transform_context(moves).astype(np.float32),
        scaler=scaler,
        split=split,
    )


def trainable_dataset() -> Dataset:
    """One whose drift the linear part, which has no constant, leaves to the network."""
    return synthetic_dataset(drift=0.01)


def with_wild_rows_from(dataset: Dataset, row: int) -> Dataset:
    """The same dataset with other values from a row on: none of them may matter before it."""
    generator = np.random.default_rng(3)
    changed = {}
    for name in (
        *("prices", "log_roi", "smoothed", "true_range", "scaled"),
        *("gap", "volume", "context", "scaled_context"),
    ):
        values = getattr(dataset, name).copy()
        values[row:] = generator.uniform(0.1, 0.4, values[row:].shape)
        changed[name] = values
    for name in ("filled", "context_missing"):
        changed[name] = getattr(dataset, name).copy()
        changed[name][row:] ^= True
    return replace(dataset, **changed)
