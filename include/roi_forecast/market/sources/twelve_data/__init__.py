"""Prices from Twelve Data.

`symbols` names instruments in its words, `requests` asks and tells its errors apart, and `source`
reads the bars.
"""

from roi_forecast.market.sources.twelve_data.source import TwelveDataSource, open_source

__all__ = ["TwelveDataSource", "open_source"]
