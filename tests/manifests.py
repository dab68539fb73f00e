"""Reading manifests in tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from roi_forecast.errors import RoiForecastError
from roi_forecast.files.verified import open_verified


def read_manifest(directory: Path, error: type[RoiForecastError]) -> dict[str, Any]:
    """Return the manifest after checking every file that it lists."""
    return dict(open_verified(directory, error, sealed=False).manifest)
