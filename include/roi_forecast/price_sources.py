"""The price sources that a run may name.

To add one, write a module with a function `open_source(config, settings, symbols)` that returns a
`PriceSource`, and list it here: the run parameters `source` and `fallback_source`, their forms and
checks, and the variables `ROI_<NAME>_URL` and `ROI_<NAME>_KEY` of `Settings` follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class SourceEntry(NamedTuple):
    """One source.

    Attributes:
        label: How forms name it.
        module: Where its `open_source` is; loaded only when a run asks for this source.
        live: Whether a vendor answers over the network, so that another one can stand in for it.
        key_from: Where people get the key that it asks for; None: it asks for none.
    """

    label: str
    module: str
    live: bool = False
    key_from: str | None = None


PRICE_SOURCES: Mapping[str, SourceEntry] = {
    "yahoo": SourceEntry("Yahoo Finance", "roi_forecast.market.sources.yahoo", live=True),
    "twelve_data": SourceEntry(
        "Twelve Data, with a key",
        "roi_forecast.market.sources.twelve_data.source",
        live=True,
        key_from="https://twelvedata.com",
    ),
    "csv": SourceEntry(
        "a CSV file or a folder of them", "roi_forecast.market.sources.csv_files.source"
    ),
    "simulated": SourceEntry(
        "simulated market, for trying out", "roi_forecast.market.sources.simulated"
    ),
}

LIVE_SOURCES = tuple(name for name, entry in PRICE_SOURCES.items() if entry.live)
