"""Prices from a text file or a folder of them.

`opening` reads lines safely, `layout` interprets the header, `lines` extracts the bars of the
requested symbols, `values` parses their text, and `source` maps assets to files. To read another
text format, add a layout.
"""

from roi_forecast.market.sources.csv_files.source import CsvSource, open_source

__all__ = ["CsvSource", "open_source"]
