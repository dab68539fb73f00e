"""Which files a path stands for: itself, or those in the folder."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from roi_forecast.errors import SourceDataError, SourceUnavailableError
from roi_forecast.market.sources.csv_files.layout.symbols import Spelling, symbol_of_file
from roi_forecast.quoting import named

ENDINGS = frozenset(
    {".csv", ".tsv", ".txt", ".tab", ".gz", ".zip", ".xz", ".bz2", ".parquet", ".pq"}
)
"""Endings, in small letters, of the files in a folder that count."""


class PriceFiles:
    """A file, or the files of a folder.

    Args:
        path: The file or folder.
        allowed: Folder that must contain every file after following links; None: `path` if it is a
            folder, else the folder of the file.
        suffix: Exchange suffix of the symbols that files are named after, where they have none.
    """

    def __init__(self, path: Path, allowed: Path | None, suffix: str) -> None:
        self._path, self._allowed, self._suffix = path, allowed, suffix

    @cached_property
    def is_folder(self) -> bool:
        """Whether the path is a folder."""
        return self._path.is_dir()

    @cached_property
    def allowed_folder(self) -> Path:
        """The folder that every file must be in."""
        if self._allowed is not None:
            return self._allowed
        # A link that the user names may lead anywhere.
        return self._path if self.is_folder else Path(os.path.realpath(self._path)).parent

    @cached_property
    def paths(self) -> list[Path]:
        """The file, or those in the folder; hidden files and other endings do not count.

        Raises:
            SourceUnavailableError: The folder cannot be read now.
            SourceDataError: It has no file that counts.
        """
        if not self.is_folder:
            return [self._path]
        try:
            paths = sorted(self._path.iterdir())
        except OSError as error:
            raise SourceUnavailableError(
                f"{named(self._path)}: cannot be read ({error.strerror})"
            ) from error
        files = [
            path
            for path in paths
            if not path.name.startswith(".") and path.suffix.lower() in ENDINGS
        ]
        if not files:
            endings = ", ".join(sorted(ENDINGS))
            raise SourceDataError(f"{named(self._path)}: the folder has no file with {endings}")
        return files

    @cached_property
    def by_symbol(self) -> dict[str, list[Path]]:
        """The files in the folder by the symbol that they are named after."""
        files: dict[str, list[Path]] = {}
        for path in self.paths if self.is_folder else ():
            symbol = symbol_of_file(path.name, Spelling(suffix=self._suffix))
            files.setdefault(symbol, []).append(path)
        return files
