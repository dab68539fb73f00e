"""What rests on the columns that a source may lack, and which of them it lacks for which asset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import pandas as pd
from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import distinct_on

from roi_forecast.database.tables import extractions
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.checks.check_results import CheckResult
from roi_forecast.quoting import listed

INCOMPLETE_CHECK = "incomplete_bars"

CONTEXT_COLUMNS = ("adj_close",)
"""Columns of a context asset's bars that anything rests on, besides symbol and date."""

_CONSEQUENCES = {
    ("open",): "the opening gap is not forecast apart",
    ("high", "low"): "the interval scale rests on closes",
    ("volume",): "unusual volume does not widen intervals",
    ("adj_close",): "returns are price returns, so dividends and splits look like moves",
}


def in_words(missing: Collection[str]) -> str:
    """Say which columns are missing and what that means.

    Args:
        missing: Some columns of `BAR_COLUMNS`, at least one.
    """
    names = ", ".join(name for name in BAR_COLUMNS if name in missing)
    effects = [
        text for columns, text in _CONSEQUENCES.items() if not set(missing).isdisjoint(columns)
    ]
    return f"no {names}: {', '.join(effects)}"


def missed(missing: Collection[str] | None, *, context: bool) -> tuple[str, ...]:
    """Return the missing columns that anything rests on, in the order of `BAR_COLUMNS`.

    Args:
        missing: Some columns of `BAR_COLUMNS`; None: nothing is known, so none.
        context: Whether the asset is context alone.
    """
    used = CONTEXT_COLUMNS if context else BAR_COLUMNS
    return tuple(name for name in used if name in (missing or ()))


def lines_about(missing_by_symbol: Mapping[str, Collection[str]]) -> list[str]:
    """Say which assets lack which columns, in one line for all that lack the same.

    Args:
        missing_by_symbol: By asset, the columns; an asset that lacks none is left out.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for symbol, missing in missing_by_symbol.items():
        if missing:
            alike[in_words(missing)].append(symbol)
    return [f"{listed(own)}: {words}" for words, own in alike.items()]


def incomplete_bars(
    symbol: str, bars: pd.DataFrame, missing: Sequence[str], *, context: bool
) -> list[CheckResult]:
    """Say once what bars lack that may be missing.

    Args:
        symbol: The asset.
        bars: Believed bars, columns `BAR_COLUMNS`.
        missing: The columns that the source does not have for this asset.
        context: Whether the asset is context alone, so that nothing rests on most columns.

    Returns:
        One failed result of severity `warn`, or none where nothing is missing.
    """
    absent = missed(missing, context=context)
    present = missed(set(BAR_COLUMNS) - set(missing), context=context)
    empty = bars[list(present)].isna().sum()
    findings = [in_words(absent)] if absent else []
    findings += [
        f"{name} is empty in {count} of {len(bars)} bars" for name, count in empty.items() if count
    ]
    if not findings:
        return []
    message = f"{symbol}: {'; '.join(findings)}"
    return [CheckResult(INCOMPLETE_CHECK, "warn", passed=False, message=message, symbol=symbol)]


def load_missing_columns(
    connection: Connection, source: str, symbols: Collection[str], context: Collection[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Read which columns a source lacked when it last gave bars of assets.

    Args:
        connection: Market database.
        source: Key of the source.
        symbols: The assets.
        context: Context assets; of those that are no assets, only `CONTEXT_COLUMNS` count.

    Returns:
        By symbol, in alphabetical order; only what lacks something.
    """
    record = extractions.c
    rows = connection.execute(
        select(record.symbol, record.missing_columns)
        .ext(distinct_on(record.symbol))
        .where(
            record.source == source,
            record.symbol.in_({*symbols, *context}),
            record.missing_columns.is_not(None),
        )
        .order_by(record.symbol, record.finished_at.desc())
    )
    found: Mapping[str, Sequence[str]] = {row.symbol: row.missing_columns for row in rows}
    lacking = {
        symbol: missed(found[symbol], context=symbol not in symbols) for symbol in sorted(found)
    }
    return {symbol: missing for symbol, missing in lacking.items() if missing}
