"""The form of daily bars in memory."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

PRICE_COLUMNS = ("open", "high", "low", "close", "adj_close")
BAR_COLUMNS = ("trading_date", *PRICE_COLUMNS, "volume")
REQUIRED_PRICES = ("close", "adj_close")
"""Prices without which a bar is not stored; any other value may be missing."""

Bars = pd.DataFrame | Iterable[pd.DataFrame]
"""Bars in long form: one frame, or frames that each hold all bars of some assets.

An iterable of frames must yield them again each time it is iterated over.
"""


def blocks_of(bars: Bars) -> Iterable[pd.DataFrame]:
    """Return the frames; a single frame is the only block."""
    return [bars] if isinstance(bars, pd.DataFrame) else bars
