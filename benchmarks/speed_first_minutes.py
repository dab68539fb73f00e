"""The section `first-minutes` of `speed.py`: from a clone to a first forecast and an own symbol."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
from reference_data import REPOSITORY, prices_path

sys.path.insert(0, str(REPOSITORY / "tests"))
from market.yahoo_server import YahooServer

SYMBOLS = ["AAPL", "JPM", "TCS.NS", "GC=F"]
AS_OF_DATE = "2024-12-27"


def first_minutes(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield the seconds of each step that a newcomer takes in a new clone."""
    prices = pd.read_csv(prices_path(), parse_dates=["date"])
    own = prices[prices["symbol"].isin(SYMBOLS)].rename(columns={"date": "trading_date"})
    conf = {"model_name": "mine", "symbols": SYMBOLS, "as_of_date": AS_OF_DATE}
    live = json.dumps({"source": "yahoo", "context_symbols": [], **conf})
    seconds = {}
    with tempfile.TemporaryDirectory(prefix="roi-first-") as folder, YahooServer(own) as yahoo:
        clone = Path(folder, "roi-forecast")
        own.to_csv(Path(folder, "prices.csv"), index=False)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ROI_")},
            "ROI_YAHOO_URL": yahoo.url,
        }
        file = f"CSV={folder}/prices.csv"
        for step, command in {
            "`git clone`": ["git", "clone", "--quiet", str(REPOSITORY), str(clone)],
            "`make setup`: the packages": ["make", "setup"],
            "`make run`: first forecasts, simulated": ["make", "run"],
            "`make run CONF=…`: own symbols from Yahoo": ["make", "run", f"CONF={live}"],
            "`make check-csv`: own file, what is understood": ["make", "check-csv", file],
            "`make run SOURCE=csv`: own file": ["make", "run", "SOURCE=csv", file],
        }.items():
            seconds[step] = _time(command, clone, environment, arguments.timeout)
    yield (
        "In a new clone with an empty database; a local server answers in Yahoo's place. How long "
        "the packages take depends on the line and on pip's cache."
    )
    yield ""
    yield "| step | seconds | since the clone began |"
    yield "|---|---|---|"
    total = 0.0
    for step, each in seconds.items():
        total += each
        yield f"| {step} | {each:.0f} | {total:.0f} |"


def _time(command: list[str], clone: Path, environment: Mapping[str, str], timeout: float) -> float:
    started = time.monotonic()
    folder = clone if clone.exists() else clone.parent
    answer = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout
    )
    if answer.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{answer.stdout}\n{answer.stderr}")
    return time.monotonic() - started
