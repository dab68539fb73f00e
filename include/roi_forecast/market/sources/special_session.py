"""Sessions of an exchange on dates outside its calendar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from roi_forecast.errors import SourceDataError
from roi_forecast.market.sources.source import PriceSource
from roi_forecast.universe import Asset, reference_exchange

MAX_QUERIED = 9
"""Assets of the reference calendar to query; limits the requests that a mistyped date costs."""


def is_special_session(source: PriceSource, assets: Sequence[Asset], day: date) -> bool:
    """Return whether more than half of the queried assets have a bar on a date.

    Args:
        source: The price source.
        assets: The assets of a run; those of the reference calendar are queried.
        day: A date that is not a session of the reference calendar.

    Raises:
        SourceUnavailableError: The source does not answer now.
    """
    calendar = reference_exchange(assets).calendar
    queried = [asset for asset in assets if asset.exchange.calendar == calendar][:MAX_QUERIED]
    with_bar = without_bar = 0
    for asset in queried:
        if _has_bar(source, asset, day):
            with_bar += 1
        else:
            without_bar += 1
        if 2 * max(with_bar, without_bar) > len(queried):
            break
    return 2 * with_bar > len(queried)


def _has_bar(source: PriceSource, asset: Asset, day: date) -> bool:
    try:
        return bool(source.fetch(asset, day, day).bars["adj_close"].notna().any())
    except SourceDataError:
        return False
