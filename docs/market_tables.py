"""Write the tables of docs/market-data.md from what its tests read.

python docs/market_tables.py
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from roi_forecast.universe import load_universe

REPOSITORY = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("market-data.md")
MARKETS = REPOSITORY / "tests" / "market" / "markets.csv"
FIXTURES = "../tests/market/sources/csv_files/fixtures"

_TABLE = "<!-- {name} -->\n.*?<!-- end of {name} -->"


def markets() -> Iterator[str]:
    """Yield a row for each exchange, with the symbols of it that the test looks at."""
    yield "| exchange | tested with | currency | bar of a day final at | sessions |"
    yield "|---|---|---|---|---|"
    with MARKETS.open(encoding="utf-8") as file:
        tested = [row["symbol"] for row in csv.DictReader(file)]
    assets = load_universe().select(tested)
    for exchange in load_universe().exchanges:
        own = [asset for asset in assets if asset.exchange == exchange]
        symbols = ", ".join(f"`{asset.symbol}`" for asset in own)
        currencies = ", ".join(dict.fromkeys(asset.currency for asset in own))
        final = f"{exchange.cut_off:%H:%M} + {exchange.delay_minutes} min {exchange.timezone.key}"
        yield f"| {exchange.name} | {symbols} | {currencies} | {final} | {exchange.calendar} |"


def formats() -> Iterator[str]:
    """Yield a row for each file that the test reads."""
    sys.path.insert(0, str(REPOSITORY))
    from tests.market.sources.csv_files.test_formats import CASES

    yield "| format, as the log names it | file of the test | lacks |"
    yield "|---|---|---|"
    seen = set()
    for case in CASES:
        if case.path not in seen:
            seen.add(case.path)
            missing = ", ".join(case.missing) or "nothing"
            name = case.path.partition("/")[0]
            yield f"| {case.format} | [{name}]({FIXTURES}/{quote(case.path)}) | {missing} |"


def page() -> str:
    """Return the page with its tables brought up to date."""
    text = PAGE.read_text(encoding="utf-8")
    for name, lines in (("markets", markets()), ("formats", formats())):
        table = f"<!-- {name} -->\n" + "\n".join(lines) + f"\n<!-- end of {name} -->"
        text = re.sub(_TABLE.format(name=name), lambda _, t=table: t, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
