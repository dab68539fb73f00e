"""What is understood of the price files that a run names, printed before it starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TextIO

from roi_forecast.market.sources.csv_files import (
    Conventions,
    FileContents,
    SymbolContents,
    understand,
)
from roi_forecast.planning.own_symbols import ENDED_DAYS, ended
from roi_forecast.quoting import listed, named
from roi_local.errors import LocalError
from roi_local.run_progress.report import print_table

_MAX_ROWS = 40
"""Symbols listed; of more, those that call for a look, then the first."""

_MAX_FAULTS = 3
_MAX_FILES = 10


def print_price_files(conf: Mapping[str, Any], out: TextIO) -> None:
    """Print what is understood of the file or folder in `csv_path`.

    Args:
        conf: Checked parameters of a run with source csv.
        out: Where to print.

    Raises:
        LocalError: No file is usable, or none holds any of the symbols asked for.
        SourceError: There is no such file or folder, or it holds no file of prices.
    """
    names = {"csv_dates": "dates", "csv_decimal": "decimal", "csv_suffix": "suffix"}
    conventions = Conventions(
        **{names[key]: conf[key] for key in names if conf.get(key) is not None}
    )
    files = understand(Path(conf["csv_path"]), conventions)
    shown = _shown(files)
    for contents in shown:
        out.writelines(f"{line}\n" for line in _lines(contents))
        if contents.symbols:
            print_table(
                _rows(contents.symbols),
                out,
                ("symbol", "first", "last", "rows", "weekdays without a row", "lacks"),
            )
            out.writelines(f"{line}\n" for line in _faults(contents.symbols))
        print(file=out, flush=True)
    if len(shown) < len(files):
        others = [contents for contents in files if contents not in shown]
        print(f"And {_count(len(others), 'file')} like these", file=out)
        out.writelines(f"{line}\n" for line in _totals(others))
        print(file=out, flush=True)
    there = [
        each
        for contents in files
        if contents.error is None
        for each in contents.symbols
        if each.refused is None
    ]
    present = [each.symbol for each in there if each.rows or each.faults]
    asked = conf.get("symbols") or ()
    over = {} if asked else ended(_last_dates(files))
    if over:
        print(
            f"A run without symbols leaves out what ended over {ENDED_DAYS} days before the rest: "
            f"{listed([f'{symbol} ({last})' for symbol, last in over.items()])}",
            file=out,
            flush=True,
        )
    if not any(each.rows and not each.faults for each in there):
        reasons = [contents.error for contents in files if contents.error]
        reasons += [each.refused for file in files for each in file.symbols if each.refused]
        reasons += [fault for file in files for each in file.symbols for fault in each.faults]
        raise LocalError(reasons[0] if reasons else f"{conf['csv_path']}: no row of any symbol")
    absent = [symbol for symbol in asked if symbol not in set(present)]
    if asked and len(absent) == len(asked):
        raise LocalError(
            f"symbols: received {listed(asked)}; none of them is in the file, which has "
            f"{listed(present)}"
        )
    if absent:
        print(f"Asked for, but not in the file: {listed(absent)}", file=out, flush=True)


def _shown(files: Sequence[FileContents]) -> list[FileContents]:
    """Return all files; of many, those that call for a look and then the first, in order."""
    sound = [
        contents.error is None and not any(e.refused or e.faults for e in contents.symbols)
        for contents in files
    ]
    places = sorted(range(len(files)), key=lambda place: sound[place])
    return [files[place] for place in sorted(places[:_MAX_FILES])]


def _last_dates(files: Sequence[FileContents]) -> dict[str, date]:
    found: dict[str, date] = {}
    for contents in files:
        for each in contents.symbols:
            if contents.error is None and each.refused is None and each.last is not None:
                found[each.symbol] = max(each.last, found.get(each.symbol, each.last))
    return found


def _lines(contents: FileContents) -> Iterator[str]:
    kind = ", ".join(
        part for part in (contents.packing, contents.encoding, contents.separator) if part
    )
    yield f"{contents.name}: {contents.format or 'not understood'}" + (f" ({kind})" if kind else "")
    for sentence in (*contents.conventions, *contents.notes):
        yield f"  {sentence}"
    if contents.error is not None:
        yield f"  Not usable: {contents.error}"
    yield from _totals([contents])


def _totals(files: Sequence[FileContents]) -> Iterator[str]:
    usable = [
        each
        for contents in files
        for each in contents.symbols
        if each.refused is None and each.first is not None
    ]
    if usable:
        first = min(each.first for each in usable if each.first)
        last = max(each.last for each in usable if each.last)
        rows = sum(each.rows for each in usable)
        symbols = len({each.symbol for each in usable})
        yield f"  {_count(symbols, 'symbol')}, {first} to {last}, {_count(rows, 'row')}"


def _rows(symbols: Sequence[SymbolContents]) -> list[tuple[str, ...]]:
    calls_for_a_look = [bool(each.refused or each.faults) for each in symbols]
    places = sorted(range(len(symbols)), key=lambda place: not calls_for_a_look[place])
    rows = [_row(symbols[place]) for place in sorted(places[:_MAX_ROWS])]
    if len(symbols) > _MAX_ROWS:
        rows.append((f"and {len(symbols) - _MAX_ROWS:,} more", *[""] * 5))
    return rows


def _row(each: SymbolContents) -> tuple[str, ...]:
    gaps = f"{each.missing_weekdays:,}"
    if each.longest_gap > 1:
        gaps += f", up to {each.longest_gap:,} in a row"
    return (
        named(each.symbol),
        str(each.first or "-"),
        str(each.last or "-"),
        f"{each.rows:,}",
        gaps,
        ", ".join(each.missing) or "nothing",
    )


def _faults(symbols: Sequence[SymbolContents]) -> Iterator[str]:
    """Return what is wrong with symbols; a line each, since a fault is long."""
    wrong = [each for each in symbols if each.refused or each.faults]
    for each in wrong[:_MAX_ROWS]:
        if each.refused:
            yield f"  Left out: {each.refused}"
            continue
        more = len(each.faults) - _MAX_FAULTS
        text = "; ".join(each.faults[:_MAX_FAULTS]) + (f"; and {more} more" if more > 0 else "")
        yield f"  {named(each.symbol)} is not usable: {text}"
    if len(wrong) > _MAX_ROWS:
        yield f"  and {len(wrong) - _MAX_ROWS:,} more symbols that are not usable"


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}" + ("" if number == 1 else "s")
