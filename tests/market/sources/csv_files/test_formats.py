"""A file of each format, as its vendor writes it, with a bar that is read off it by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.sources.csv_files import Conventions, CsvSource, understand
from roi_forecast.market.sources.source import FetchedBars
from roi_forecast.universe import load_universe

FIXTURES = Path(__file__).with_name("fixtures")
NO_VOLUME = ("volume",)
NO_ADJUSTED = ("adj_close",)
CLOSE_ALONE = ("open", "high", "low", "adj_close", "volume")
NAN = float("nan")


def fetch(path: Path, symbol: str, conventions: Conventions = Conventions()) -> FetchedBars:  # noqa: B008
    source = CsvSource("csv:k", path, conventions=conventions)
    return source.fetch(load_universe().asset(symbol), date(2000, 1, 1), date(2026, 1, 1))


class Case(NamedTuple):
    """One file and one bar: open, high, low, close, adjusted close, volume."""

    path: str
    format: str
    symbols: tuple[str, ...]
    symbol: str
    day: str
    bar: tuple[float, ...]
    missing: tuple[str, ...] = NO_ADJUSTED
    bars: int = 2


AAPL = ("AAPL",)
CASES = [
    Case(
        "yfinance_download/prices.csv", "yfinance download, adjusted", AAPL, "AAPL", "2024-01-03",
        (182.5058471679687, 184.14199845582948, 181.71387001404946, 182.52655029296875,
         182.52655029296875, 58414500), bars=3,
    ),
    Case(
        "yfinance_download_many/prices.csv", "yfinance download, adjusted",
        ("AAPL", "RELIANCE.NS"), "AAPL", "2024-01-16",
        (180.40, 182.49, 179.18, 181.86, 181.86, 65603000),
    ),
    Case(
        "yfinance_download_many/prices.csv", "yfinance download, adjusted",
        ("AAPL", "RELIANCE.NS"), "RELIANCE.NS", "2024-01-15",
        (1372.5, 1395, 1370, 1390.25, 1390.25, 9000000), bars=3,
    ),
    Case(
        "yfinance_by_ticker/prices.csv", "yfinance download, adjusted", ("MSFT", "AAPL"), "AAPL",
        "2024-01-02", (185.39, 186.67, 182.15, 183.9, 183.9, 82488700),
    ),
    Case(
        "yfinance_unadjusted/prices.csv", "yfinance download, unadjusted", AAPL, "AAPL",
        "2024-01-02", (187.15, 188.44, 183.89, 185.63999938964844, 183.9, 82488700), missing=(),
    ),
    Case(
        "yfinance_older/prices.csv", "yfinance download, unadjusted", ("AAPL", "MSFT"), "MSFT",
        "2024-01-03", (369.01, 373.26, 368.51, 370.6, 365.79, 23083500), missing=(),
    ),
    Case(
        "yfinance_history/AAPL.csv", "yfinance history, adjusted", AAPL, "AAPL", "2024-02-09",
        (187.06, 188.39, 186.41, 187.25, 187.25, 45155200), bars=3,
    ),
    Case(
        "yfinance_stacked/prices.csv", "columns of its own", ("AAPL", "MSFT"), "MSFT",
        "2024-01-02", (368.97, 371, 361.95, 366.06, 366.06, 25258600), bars=1,
    ),
    Case(
        "yahoo_page/AAPL.csv", "Yahoo", AAPL, "AAPL", "2024-02-09",
        (188.65, 189.99, 188, 188.85, 187.89, 45155200), missing=(), bars=3,
    ),
    Case(
        "yahoo_download/RELIANCE.NS.csv", "Yahoo", ("RELIANCE.NS",), "RELIANCE.NS", "2024-01-02",
        (2584.949951, 2616.949951, 2572.100098, 2611.699951, 2601.770752, 7448800), missing=(),
        bars=3,
    ),
    Case(
        "stooq/aapl_us_d.csv", "Stooq", AAPL, "AAPL", "2024-01-02",
        (186.033, 187.315, 182.792, 184.532, 184.532, 82982333),
    ),
    Case(
        "stooq_polish/pkn_pl_d.csv", "Stooq", ("PKN.WA",), "PKN.WA", "2024-01-03",
        (65.26, 65.4, 63.8, 64.13, 64.13, 1820345),
    ),
    Case(
        "stooq_bulk/data.txt", "Stooq, many symbols", ("AAPL", "VOD.L", "SAP.DE", "7203.T"),
        "7203.T", "2024-01-04", (2562.5, 2622, 2550, 2617.5, 2617.5, 31405700), bars=1,
    ),
    Case(
        "alpha_vantage/daily_IBM.csv", "Alpha Vantage", ("IBM",), "IBM", "2024-01-02",
        (162.83, 163.29, 160.46, 161.5, 161.5, 3825000),
    ),
    Case(
        "alpha_vantage_adjusted/daily_adjusted_IBM.csv", "Alpha Vantage, adjusted", ("IBM",),
        "IBM", "2024-01-02", (162.83, 163.29, 160.46, 161.5, 154.4624, 3825000), missing=(),
    ),
    Case(
        "alpha_vantage_python/IBM.csv", "Alpha Vantage, adjusted", ("IBM",), "IBM", "2024-01-03",
        (161, 161.73, 160.08, 160.1, 153.1234, 4086100), missing=(),
    ),
    Case(
        "tiingo/AAPL.csv", "Tiingo", AAPL, "AAPL", "2024-01-02",
        (187.15, 188.44, 183.885, 185.64, 183.9031, 82488674), missing=(),
    ),
    Case(
        "polygon_flat/2024-01-02.csv", "Polygon, flat file", ("AAPL", "BRK-B"), "BRK-B",
        "2024-01-02", (356.32, 363.01, 356.32, 362.46, 362.46, 3550012), bars=1,
    ),
    Case(
        "polygon_rest/AAPL.csv", "Polygon", AAPL, "AAPL", "2024-01-03",
        (184.22, 185.88, 183.43, 184.25, 184.25, 58414460),
    ),
    Case(
        "nasdaq/AAPL.csv", "Nasdaq", AAPL, "AAPL", "2024-01-03",
        (184.22, 185.88, 183.43, 184.25, 184.25, 58414460),
    ),
    Case(
        "investing/AAPL Historical Data.csv", "investing.com", AAPL, "AAPL", "2024-01-02",
        (187.15, 188.44, 183.89, 185.64, 185.64, 82490000), bars=3,
    ),
    Case(
        "investing_german/SAP.DE.csv", "columns of its own", ("SAP.DE",), "SAP.DE", "2023-12-29",
        (139.2, 139.64, 138.88, 139.48, 139.48, 845300), bars=3,
    ),
    Case(
        "nse_bhavcopy/cm02JAN2024bhav.csv", "NSE bhavcopy until 2024",
        ("20MICRONS.NS", "M&M.NS", "RELIANCE.NS"), "M&M.NS", "2024-01-02",
        (1662, 1667.9, 1611, 1614.8, 1614.8, 3325113), bars=1,
    ),
    Case(
        "nse_udiff/BhavCopy_NSE_CM_0_0_0_20240708_F_0000.csv", "NSE bhavcopy (UDiFF)",
        ("RELIANCE.NS",), "RELIANCE.NS", "2024-07-08",
        (3180, 3214.9, 3171, 3201.8, 3201.8, 5210433), bars=1,
    ),
    Case(
        "nse_deliveries/sec_bhavdata_full_02012024.csv", "NSE bhavcopy with deliveries",
        ("20MICRONS.NS", "RELIANCE.NS"), "RELIANCE.NS", "2024-01-02",
        (2584.95, 2616.95, 2572.1, 2611.7, 2611.7, 7448800), bars=1,
    ),
    Case(
        "nse_security/02-01-2024-TO-03-01-2024-RELIANCE-EQ-N.csv", "NSE history by security",
        ("RELIANCE.NS",), "RELIANCE.NS", "2024-01-03",
        (2603, 2612.8, 2573.1, 2583.3, 2583.3, 6120347),
    ),
    Case(
        "bse_udiff/BhavCopy_BSE_CM_0_0_0_20240708_F_0000.CSV", "BSE bhavcopy (UDiFF)",
        ("RELIANCE.BO", "TCS.BO"), "TCS.BO", "2024-07-08",
        (4002, 4021, 3958.55, 3993.55, 3993.55, 65212), bars=1,
    ),
    Case(
        "nse_history/Quote-Equity-RELIANCE-EQ-01-01-2024-to-31-01-2024.csv",
        "NSE history of one share", ("RELIANCE.NS",), "RELIANCE.NS", "2024-01-02",
        (2584.95, 2616.95, 2572.1, 2611.7, 2611.7, 7448800),
    ),
    Case(
        "bse_history/RELIANCE.BO.csv", "columns of its own", ("RELIANCE.BO",), "RELIANCE.BO",
        "2024-01-02", (2585, 2616.5, 2572.45, 2611.4, 2611.4, 258861),
    ),
    Case(
        "kaggle_nifty50/NIFTY50_all.csv", "NIFTY-50 of Kaggle", ("MUNDRAPORT.NS",),
        "MUNDRAPORT.NS", "2007-11-28", (984, 990, 874, 893.9, 893.9, 4581338),
    ),
    Case(
        "tradingview/NSE_RELIANCE, 1D.csv", "TradingView", ("RELIANCE.NS",), "RELIANCE.NS",
        "2024-01-02", (2584.95, 2616.95, 2572.1, 2611.7, 2611.7, 7448800),
    ),
    Case(
        "tradingview_iso/NASDAQ_DLY_AAPL, 1D.csv", "TradingView", AAPL, "AAPL", "2024-01-03",
        (184.22, 185.88, 183.43, 184.25, 184.25, 58414460),
    ),
    Case(
        "metatrader4/EURUSD1440.csv", "rows without a header", ("EURUSD=X",), "EURUSD=X",
        "2024-01-03", (1.09416, 1.09656, 1.08926, 1.0922, 1.0922, 68931), bars=3,
    ),
    Case(
        "metatrader5/EURUSD_Daily_202401020000_202401040000.csv", "MetaTrader 5", ("EURUSD=X",),
        "EURUSD=X", "2024-01-02", (1.10427, 1.10456, 1.09383, 1.09418, 1.09418, 0),
    ),
    Case(
        "metatrader5_daily/AAPL.csv", "MetaTrader 5", AAPL, "AAPL", "2024-01-03",
        (184.22, 185.88, 183.43, 184.25, 184.25, 37234500),
    ),
    Case(
        "kaggle_name/all_stocks_5yr.csv", "Kaggle's Name", ("AAL", "AAPL"), "AAL", "2013-02-11",
        (14.89, 15.01, 14.26, 14.46, 14.46, 8882000),
    ),
    Case(
        "column_a_symbol/closes.csv", "a column a symbol, closes", ("AAPL", "MSFT", "INFY.NS"),
        "MSFT", "2024-01-16", (NAN, NAN, NAN, 390.27, 390.27, NAN), missing=CLOSE_ALONE,
    ),
    Case(
        "close_only/GOLDBEES.NS.csv", "columns of its own", ("GOLDBEES.NS",), "GOLDBEES.NS",
        "2024-01-02", (NAN, NAN, NAN, 53.27, 53.27, NAN), missing=CLOSE_ALONE,
    ),
    Case(
        "amfi/NAVAll.txt", "AMFI net asset values", ("119551", "119552", "108272"), "119552",
        "2024-01-02", (NAN, NAN, NAN, 114.2001, 114.2001, NAN), missing=CLOSE_ALONE, bars=1,
    ),
    Case(
        "nav/120503.csv", "columns of its own", ("120503",), "120503", "2024-01-02",
        (NAN, NAN, NAN, 88.5641, 88.5641, NAN), missing=CLOSE_ALONE, bars=3,
    ),
    Case(
        "quantmod/prices.csv", "columns named after symbol and price", AAPL, "AAPL", "2024-01-02",
        (187.149994, 188.440002, 183.889999, 185.639999, 183.903519, 82488700), missing=(),
    ),
    Case(
        "googlefinance/AAPL.csv", "columns of its own", AAPL, "AAPL", "2024-01-02",
        (187.15, 188.44, 183.89, 185.64, 185.64, 82488674),
    ),
    Case(
        "fred/SP500.csv", "a column a symbol, closes", ("SP500",), "SP500", "2024-01-02",
        (NAN, NAN, NAN, 4742.83, 4742.83, NAN), missing=CLOSE_ALONE, bars=3,
    ),
    Case(
        "spreadsheet_german/BAS.DE.csv", "columns of its own", ("BAS.DE",), "BAS.DE",
        "2024-01-02", (49, 49.385, 48.205, 48.35, 48.35, 2236950),
    ),
    Case(
        "spreadsheet_french/MC.PA.csv", "columns of its own", ("MC.PA",), "MC.PA", "2024-01-02",
        (735, 741.8, 717, 721.1, 721.1, 345678),
    ),
    Case(
        "lower_case_and_class/prices.csv", "columns of its own", ("BRK-B", "BF-B"), "BF-B",
        "2024-01-02", (57.1, 58, 56.9, 57.9, 57.2, 1200345), missing=(), bars=1,
    ),
    Case(
        "no_header/VWCE.DE.csv", "rows without a header", ("VWCE.DE",), "VWCE.DE", "2024-01-02",
        (107.1, 107.42, 106.36, 106.74, 106.74, NAN), missing=("adj_close", "volume"), bars=3,
    ),
]  # fmt: skip


def test_every_fixture_is_a_case() -> None:
    files = {str(path.relative_to(FIXTURES)) for path in FIXTURES.rglob("*") if path.is_file()}
    assert files == {case.path for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path.split('/')[0]}-{case.symbol}")
def test_a_file_of_the_format_is_understood_to_the_bar(case: Case) -> None:
    path = FIXTURES / case.path
    [contents] = understand(path)
    assert (contents.error, contents.format) == (None, case.format)
    assert tuple(own.symbol for own in contents.symbols) == case.symbols
    own = next(own for own in contents.symbols if own.symbol == case.symbol)
    assert (own.faults, own.rows, own.missing) == ((), case.bars, case.missing)
    fetched = fetch(path, case.symbol)
    assert fetched.missing == case.missing
    assert len(fetched.bars) == case.bars
    day = fetched.bars[fetched.bars["trading_date"] == case.day]
    np.testing.assert_array_equal(day[list(BAR_COLUMNS[1:])].to_numpy(), [case.bar])


def test_each_kind_of_rows_that_count_for_nothing_is_counted() -> None:
    def notes(path: str) -> tuple[str, ...]:
        return understand(FIXTURES / path)[0].notes

    assert notes("yahoo_page/AAPL.csv") == ("rows of dividends, splits or remarks skipped: 2",)
    assert notes("nse_bhavcopy/cm02JAN2024bhav.csv") == (
        "rows of other kinds of instruments skipped: 1",
    )
    assert notes("spreadsheet_french/MC.PA.csv") == ("lines before the header skipped: 1",)
    assert notes("stooq/aapl_us_d.csv") == ("prices are adjusted already",)


def test_what_a_file_leaves_open_is_decided_from_all_of_it_and_said() -> None:
    def decided(path: str) -> tuple[str, ...]:
        return understand(FIXTURES / path)[0].conventions

    assert decided("nasdaq/AAPL.csv")[0] == "month first: as this format has it"
    assert decided("nav/120503.csv")[0] == "day first: '31-01-2024' in line 2"
    assert decided("spreadsheet_german/BAS.DE.csv") == (
        "day first: '29.12.2023' in line 2",
        "decimal comma: '1.043.226' in line 2",
    )
