"""Bars of many assets, a block of assets at a time, so that not all are in memory at once."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

Bars = pd.DataFrame | Iterable[pd.DataFrame]
"""Bars in long form: one frame, or frames that each hold all bars of some assets.

Frames come from an object that gives them anew each time it is iterated over.
"""


def blocks_of(bars: Bars) -> Iterable[pd.DataFrame]:
    """Return the frames; one frame is the only block."""
    return [bars] if isinstance(bars, pd.DataFrame) else bars
