"""How long the simulated market takes, and how much memory, for thousands of assets.

    python benchmarks/simulate_market.py --assets 5000 --years 10

Assets are drawn one by one; what a caller would keep of each, its adjusted closes, fills one matrix
of the shape (sessions, assets).
"""

from __future__ import annotations

import argparse
import time
from datetime import date, timedelta

import numpy as np
from peak_memory import peak_mib

from roi_forecast.market.calendars import sessions
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.universe import load_universe

END = date(2024, 12, 31)


def main() -> None:
    """Draw the market and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=int, default=5000)
    parser.add_argument("--years", type=int, default=10)
    arguments = parser.parse_args()
    start = END - timedelta(days=round(365.25 * arguments.years))
    assets = load_universe().select([f"SIM{number:05}.NS" for number in range(arguments.assets)])
    market = SimulatedSource(today=END)
    rows = len(sessions(assets[0].exchange, start, END))
    closes = np.empty((rows, len(assets)))
    began = time.perf_counter()
    for column, asset in enumerate(assets):
        closes[:, column] = market.fetch(asset, start, END).bars["adj_close"]
    seconds = time.perf_counter() - began
    peak = peak_mib()
    print(f"assets x sessions     {len(assets)} x {rows}")
    print(f"seconds               {seconds:.1f} ({1000 * seconds / len(assets):.1f} ms per asset)")
    print(f"peak memory in MiB    {peak:.0f} (of which the matrix {closes.nbytes / 2**20:.0f})")


if __name__ == "__main__":
    main()
