"""Sessions that an exchange holds on dates its calendar does not know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from roi_forecast.errors import SourceDataError
from roi_forecast.market.sources.source import PriceSource
from roi_forecast.universe import Asset, reference_exchange

MAX_ASKED = 9
"""Assets of the reference calendar that are asked for a bar, so that a slip costs few requests."""


def is_special_session(source: PriceSource, assets: Sequence[Asset], day: date) -> bool:
    """Tell whether more than half of the assets asked have a bar on a date.

    Args:
        source: Where prices come from.
        assets: The assets of a run; those of the reference calendar are asked.
        day: A date that is no session of the reference calendar.

    Raises:
        SourceUnavailableError: The source does not answer now.
    """
    calendar = reference_exchange(assets).calendar
    asked = [asset for asset in assets if asset.exchange.calendar == calendar][:MAX_ASKED]
    with_bar = without_bar = 0
    for asset in asked:
        if _has_bar(source, asset, day):
            with_bar += 1
        else:
            without_bar += 1
        if 2 * max(with_bar, without_bar) > len(asked):
            break
    return 2 * with_bar > len(asked)


def _has_bar(source: PriceSource, asset: Asset, day: date) -> bool:
    try:
        return bool(source.fetch(asset, day, day)["adj_close"].notna().any())
    except SourceDataError:
        return False
