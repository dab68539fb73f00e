"""The rows of one symbol in one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from roi_forecast.errors import SourceDataError
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.sources.csv_files.daily import doubled, shifted, sparse
from roi_forecast.market.sources.csv_files.faults import Fault, described
from roi_forecast.market.sources.csv_files.values.dates import (
    FIRST_DATE,
    Moments,
    last_date,
    settles,
)
from roi_forecast.quoting import quoted
from roi_forecast.universe import Exchange


@dataclass(frozen=True)
class SymbolRows:
    """The rows of one symbol in one file.

    Attributes:
        symbol: As the universe writes it.
        place: Name of the file and what a row is called, such as `p.csv, line`.
        lines: Number of each row's line, shape (rows,).
        dates: Each row's date, shape (rows,).
        date_texts: Each row's date as written.
        date_hint: What the file leaves open about its dates.
        values: By column of `BAR_COLUMNS`, float64 of shape (rows,); NaN where there is no value.
        faults: What is wrong apart from dates, the gravest first.
        currency: As the file states it, such as `GBp`; None if it states none.
        missing: Columns of `BAR_COLUMNS` that the file does not have.
    """

    symbol: str
    place: str
    lines: npt.NDArray[np.int32]
    dates: Moments
    date_texts: Sequence[str]
    date_hint: str
    values: Mapping[str, npt.NDArray[np.float64]]
    faults: tuple[Fault, ...]
    missing: tuple[str, ...]
    currency: str | None = None

    def trading_dates(self, zone: ZoneInfo) -> npt.NDArray[np.datetime64]:
        """Return the exchange's date of each row, shape (rows,); NaT where none can be."""
        days = self.dates.days.copy()
        is_moment = ~np.isnat(self.dates.moments)
        if is_moment.any():
            moments = pd.DatetimeIndex(self.dates.moments[is_moment], tz="UTC")
            local = moments.tz_convert(zone).tz_localize(None)
            days[is_moment] = local.to_numpy().astype("datetime64[D]")
        last = np.datetime64(last_date())
        days[(days < np.datetime64(FIRST_DATE)) | (days > last)] = np.datetime64("NaT")
        return days

    def faults_of(
        self, days: npt.NDArray[np.datetime64], exchange: Exchange | None
    ) -> tuple[Fault, ...]:
        """Return all faults, the gravest first.

        Args:
            days: See `trading_dates`.
            exchange: Of the symbol; None if none takes it.
        """
        wrong = np.flatnonzero(np.isnat(days))
        if not len(wrong):
            found = [doubled(self.lines, days, self.values), sparse(self.lines, days)]
            found += [shifted(self.lines, days, exchange)] if exchange is not None else []
            return (*self.faults, *(fault for fault in found if fault is not None))
        text = self.date_texts[wrong[0]]
        if self.date_hint and settles(text):
            expected = f"day and month in no doubt: {self.date_hint}"
        else:
            expected = (
                f"a date like 2024-12-31, with or without a time, from {FIRST_DATE} to "
                f"{last_date()}"
            )
        fault = Fault(
            int(self.lines[wrong[0]]), f"date is {quoted(text)}; expected {expected}", len(wrong)
        )
        # A line that cannot be divided comes first, since its date may be none.
        whole = [f for f in self.faults if f.is_of_line]
        return (*whole, fault, *(f for f in self.faults if not f.is_of_line))

    @property
    def lacking(self) -> set[str]:
        """The columns that the file does not have, or that are empty in all rows; never `close`."""
        empty = {
            name for name, values in self.values.items() if len(values) and np.isnan(values).all()
        }
        return {*self.missing, *empty} - {"close"}

    def bars(self, exchange: Exchange) -> pd.DataFrame:
        """Return the bars.

        Args:
            exchange: Of the symbol.

        Returns:
            Shape (rows, 7), columns `BAR_COLUMNS`: dates without a zone, prices and volume as
            float64, NaN where there is none; a missing `adj_close` repeats `close`.

        Raises:
            SourceDataError: A row is not a bar; names file, line and value.
        """
        days = self.trading_dates(exchange.timezone)
        faults = self.faults_of(days, exchange)
        if faults:
            raise SourceDataError(described(self.place, faults[0], self.symbol))
        bars = {"trading_date": days.astype("datetime64[us]"), **self.values}
        bars.setdefault("adj_close", bars["close"])
        nothing = np.full(len(days), np.nan)
        return pd.DataFrame({column: bars.get(column, nothing) for column in BAR_COLUMNS})
