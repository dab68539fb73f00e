"""Prices from a file or a folder of them, whoever wrote it.

`content` leads from a path to lines safely, `layout` finds out what the columns mean, `values`
reads dates and numbers. `reading` puts these together for one file (`rows` divides lines,
`collecting` keeps the wanted ones, `file_rows` holds the result; `parquet` does without lines),
`source` maps assets to files, and `contents` tells people what was understood. To add a format,
declare what is special about it in `layout.formats`.
"""

from roi_forecast.market.sources.csv_files.contents import FileContents, SymbolContents, understand
from roi_forecast.market.sources.csv_files.conventions import Conventions
from roi_forecast.market.sources.csv_files.source import CsvSource, open_source

__all__ = [
    "Conventions",
    "CsvSource",
    "FileContents",
    "SymbolContents",
    "open_source",
    "understand",
]
