"""Datasets on disk: one directory per dataset, named after the hash of its content."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from roi_forecast.data_path import DataPath
from roi_forecast.errors import DatasetError
from roi_forecast.features.dataset import Dataset, Split
from roi_forecast.features.leakage import MANIFEST_KEY, LeakageAudit
from roi_forecast.features.scaling import Scaler
from roi_forecast.files.arrays import read_array
from roi_forecast.files.artifacts import published_directory, write_manifest
from roi_forecast.files.verified import open_verified

_SCALER_FILE = "scaler.json"
_ARRAYS = (
    *("dates", "prices", "log_roi", "smoothed", "filled", "true_range", "gap", "volume"),
    *("published_at", "context", "context_missing"),
)


def save_dataset(dataset: Dataset, audit: LeakageAudit) -> None:
    """Write the dataset and its audit to its directory in one step."""
    with published_directory(dataset.directory) as directory:
        for name in _ARRAYS:
            np.save(directory / f"{name}.npy", getattr(dataset, name), allow_pickle=False)
        scaler = json.dumps(dataset.scaler.to_json())
        (directory / _SCALER_FILE).write_text(scaler, encoding="utf-8")
        write_manifest(directory, describe_dataset(dataset, audit))


def describe_dataset(dataset: Dataset, audit: LeakageAudit) -> dict[str, Any]:
    """Return the content of a dataset's manifest, as JSON values."""
    return {
        "dataset_id": dataset.dataset_id,
        "source": dataset.source,
        "simulated": dataset.source == "simulated",
        "symbols": list(dataset.symbols),
        "context_symbols": list(dataset.context_symbols),
        "publish": dataset.publish,
        "seq_len": dataset.seq_len,
        "smoothing": dataset.smoothing,
        "missing_columns": {
            symbol: list(missing) for symbol, missing in dataset.missing_columns.items()
        },
        "rows": len(dataset.dates),
        "first_date": str(dataset.dates[0]),
        "last_date": str(dataset.dates[-1]),
        "split": {
            name: {
                "start": part.start,
                "stop": part.stop,
                "first_date": str(dataset.dates[part.start]),
                "last_date": str(dataset.dates[part.stop - 1]),
            }
            for name, part in vars(dataset.split).items()
        },
        MANIFEST_KEY: audit.to_json(),
    }


def load_dataset(directory: DataPath) -> Dataset:
    """Read a dataset after checking every file against its manifest.

    Raises:
        DatasetError: The directory is missing, incomplete or damaged.
    """
    files = open_verified(directory, DatasetError)
    manifest = files.manifest
    arrays: dict[str, Any] = {name: read_array(files.read(f"{name}.npy")) for name in _ARRAYS}
    scaler = Scaler.from_json(json.loads(files.read(_SCALER_FILE)))
    parts = {name: range(part["start"], part["stop"]) for name, part in manifest["split"].items()}
    return Dataset(
        dataset_id=manifest["dataset_id"],
        directory=directory,
        source=manifest["source"],
        symbols=tuple(manifest["symbols"]),
        context_symbols=tuple(manifest["context_symbols"]),
        publish=manifest["publish"],
        seq_len=manifest["seq_len"],
        smoothing=manifest["smoothing"],
        scaled=scaler.transform(arrays["smoothed"]).astype(np.float32),
        scaled_context=scaler.transform_context(arrays["context"]).astype(np.float32),
        scaler=scaler,
        split=Split(**parts),
        missing_columns={
            symbol: tuple(missing) for symbol, missing in manifest["missing_columns"].items()
        },
        **arrays,
    )
