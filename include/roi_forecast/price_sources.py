"""The price sources that a run may name.

To add one, write a module with a function `open_source(config, settings, symbols)` that returns a
`PriceSource`, and list it here: the run parameter `source`, its form and its checks follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class SourceEntry(NamedTuple):
    """One source.

    Attributes:
        label: How forms name it.
        module: Where its `open_source` is; loaded only when a run asks for this source.
    """

    label: str
    module: str


PRICE_SOURCES: Mapping[str, SourceEntry] = {
    "yahoo": SourceEntry("Yahoo Finance", "roi_forecast.market.sources.yahoo"),
    "csv": SourceEntry(
        "a CSV file or a folder of them", "roi_forecast.market.sources.csv_files.source"
    ),
    "simulated": SourceEntry(
        "simulated market, for trying out", "roi_forecast.market.sources.simulated"
    ),
}
