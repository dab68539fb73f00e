"""Prices from files: one file or a folder of them.

`opening` reads lines of a file that somebody else may have put there, `layout` finds out what its
header means, `lines` takes the bars of the asked symbols out of it, `values` turns their text into
numbers and dates, and `source` knows which file holds which asset. Another text format is another
layout.
"""

from roi_forecast.market.sources.csv_files.source import CsvSource

__all__ = ["CsvSource"]
