"""The option --output of the benchmarks, checked before hours of work rather than after."""

from __future__ import annotations

import argparse
from pathlib import Path

from roi_forecast.files.artifacts import require_regular_or_absent


def output_file(text: str) -> Path:
    """Return the path that the option names, for argparse."""
    try:
        require_regular_or_absent(Path(text))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error.strerror}") from error
    return Path(text)
