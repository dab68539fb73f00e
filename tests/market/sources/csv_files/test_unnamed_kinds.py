# ruff: noqa: E501, ISC004
"""Files of kinds that no format names are understood by their columns, or refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from market.sources.csv_files.test_formats import fetch
from roi_forecast.errors import SourceDataError
from roi_forecast.market.sources.csv_files import CsvSource

# By kind: name, content, symbol, and by day the close and the volume.
READ: dict[str, tuple[str, str, str, dict[str, tuple[float, float | None]]]] = {
    "a spreadsheet that names its separator": (
        "AAPL.csv", "sep=;\nDate;Close;Volume\n02.01.2024;185,64;1.000.000\n", "AAPL",
        {"2024-01-02": (185.64, 1e6)},
    ),
    "a terminal's notes before the header": (
        "p.csv", "Security,AAPL US Equity\nStart Date,1/2/2024\nEnd Date,1/31/2024\n\n"
        "Ticker,Date,PX_OPEN,PX_HIGH,PX_LOW,PX_LAST,PX_VOLUME\n"
        "AAPL,2024-01-02,187.15,188.44,183.88,185.64,100\n", "AAPL",
        {"2024-01-02": (185.64, 100)},
    ),
    "a data base of research": (
        "p.csv",
        "PERMNO,date,TICKER,PRC,VOL,OPENPRC,ASKHI,BIDLO\n14593,20240102,AAPL,185.64,100,187,188,183\n",
        "AAPL", {"2024-01-02": (185.64, 100)},
    ),
    "a download with its address on top": (
        "p.csv",
        "https://www.example.org\nunix,date,symbol,open,high,low,close,Volume BTC,volume,trades\n"
        "1704153600000,2024-01-02 00:00:00,BTC-USD,1,3,0.5,2,9,100,5\n", "BTC-USD",
        {"2024-01-02": (2, 100)},
    ),
    "a service with zones without a colon": (
        "p.csv",
        "open,high,low,close,volume,adj_close,symbol,exchange,date\n"
        "1,3,0.5,2,100.0,1.5,AAPL,XNAS,2024-01-02T00:00:00+0000\n", "AAPL",
        {"2024-01-02": (2, 100)},
    ),
    "rows without a header, separated by semicolons": (
        "AAPL.txt", "20240102;1;3;0.5;2;100\n20240103;2;3;1.5;2.5;200\n20240104;2;4;1;3;300\n",
        "AAPL", {"2024-01-02": (2, 100), "2024-01-03": (2.5, 200), "2024-01-04": (3, 300)},
    ),
    "rows without a header, with a symbol": (
        "p.txt", "AAPL,20240102,1,3,0.5,2,100\nAAPL,20240103,2,3,1.5,2.5,200\nMSFT,20240103,2,4,1,3,3\n",
        "AAPL", {"2024-01-02": (2, 100), "2024-01-03": (2.5, 200)},
    ),
    "date and close without a header": (
        "AAPL.csv", "2024-01-02,2.5\n2024-01-03,3.5\n2024-01-04,4\n", "AAPL",
        {"2024-01-02": (2.5, None), "2024-01-03": (3.5, None), "2024-01-04": (4, None)},
    ),
    "a metastock file": (
        "p.txt", "<Ticker>,<DTYYYYMMDD>,<Open>,<High>,<Low>,<Close>,<Volume>\nAAPL,20240102,1,3,1,2,100\n",
        "AAPL", {"2024-01-02": (2, 100)},
    ),
    "shares of Shanghai": (
        "p.csv", "ts_code,trade_date,open,high,low,close,vol\n600519.SH,20240102,1,3,1,2,100\n",
        "600519.SS", {"2024-01-02": (2, 100)},
    ),
    "shares of Hong Kong": (
        "p.csv", "Code,Date,Close\n700.HK,2024-01-02,2.5\n", "0700.HK", {"2024-01-02": (2.5, None)},
    ),
    "names in Chinese": (
        "600519.SS.csv", "日期,开盘,收盘,最高,最低,成交量\n2024-01-02,1,2,3,0.5,100\n", "600519.SS",
        {"2024-01-02": (2, 100)},
    ),
    "names in Spanish": (
        "SAN.MC.csv", "Fecha;Último;Apertura;Máximo;Mínimo;Vol.\n13/02/2024;3,85;3,8;3,9;3,7;12,5M\n",
        "SAN.MC", {"2024-02-13": (3.85, 12.5e6)},
    ),
    "row numbers before dates and symbols": (
        "p.csv", ",Date,AAPL,MSFT\n0,2024-01-02,185.64,370.87\n", "MSFT",
        {"2024-01-02": (370.87, None)},
    ),
    "dates without a name before symbols of one letter": (
        "p.csv", ",AAPL,C,V,T\n2024-01-02,185.64,52.5,260.5,17.5\n", "C",
        {"2024-01-02": (52.5, None)},
    ),
    "a symbol that is a word for a price": (
        "p.csv", "Date,HD,LOW\n2024-01-02,345.5,221.25\n", "LOW", {"2024-01-02": (221.25, None)},
    ),
    "exchange rates of a bank": (
        "p.csv", "Date,USD,JPY,\n2024-01-02,1.0956,155.68,\n2024-01-03,N/A,155.9,\n", "USD",
        {"2024-01-02": (1.0956, None)},
    ),
    "columns in two levels of a merged spreadsheet": (
        "p.csv", "Date,AAPL,,MSFT,\n,Close,Volume,Close,Volume\n2024-01-02,2.5,100,3.5,200\n", "MSFT",
        {"2024-01-02": (3.5, 200)},
    ),
    "price before symbol": (
        "p.csv", "date,close_AAPL,volume_AAPL,close_BRK.B,volume_BRK.B\n2024-01-02,2.5,100,3.5,200\n",
        "BRK-B", {"2024-01-02": (3.5, 200)},
    ),
    "only adjusted closes": (
        "AAPL.csv", "Date,Adj Close\n2024-01-02,2.5\n", "AAPL", {"2024-01-02": (2.5, None)},
    ),
    "yfinance's download of a symbol that is a word for a price": (
        "p.csv", "Price,Close,High\nTicker,LOW,LOW\nDate,,\n2024-01-02,221.25,223.5\n", "LOW",
        {"2024-01-02": (221.25, None)},
    ),
    "settlement next to the last price": (
        "p.csv", "Date,Symbol,Open,High,Low,Last,Change,Settle,Volume\n2024-01-02,GC=F,1,3,1,2,0.5,2.5,9\n",
        "GC=F", {"2024-01-02": (2.5, 9)},
    ),
    "numbers in quotes with spaces before them": (
        "AAPL.csv", '"Date", "Close", "Volume"\n"2024-01-02", "1,234.50", "1,000"\n', "AAPL",
        {"2024-01-02": (1234.5, 1000)},
    ),
    "a name with a line end in another column": (
        "p.csv", 'Symbol,Name,Date,Close\nAAPL,"Apple, Inc.",2024-01-02,2.5\n', "AAPL",
        {"2024-01-02": (2.5, None)},
    ),
    "CoinGecko": (
        "BTC-USD.csv", "snapped_at,price,market_cap,total_volume\n2024-01-02 00:00:00 UTC,2.5,9,100\n",
        "BTC-USD", {"2024-01-02": (2.5, 100)},
    ),
    "Barchart's latest": (
        "p.csv", "Symbol,Time,Open,High,Low,Latest,Change,%Change,Volume\nAAPL,2024-01-02,1,3,1,2.5,1,0.5%,100\n",
        "AAPL", {"2024-01-02": (2.5, 100)},
    ),
    "Boursorama": (
        "MC.PA.txt", "label\tdate\touv\thaut\tbas\tclot\tvol\tdevise\nLVMH\t15/01/2024 00:00\t1\t3\t1\t2.5\t100\tEUR\n",
        "MC.PA", {"2024-01-15": (2.5, 100)},
    ),
    "Sharadar, with a close that is not adjusted for splits": (
        "p.csv", "ticker,date,close,volume,closeadj,closeunadj\nAAPL,2024-01-02,2.5,100,2.25,10\n", "AAPL",
        {"2024-01-02": (2.5, 100)},
    ),
    "Euronext's numbers of shares and of trades": (
        "MC.PA.csv", "Date;Last;Close;Number of Shares;Number of Trades;Turnover\n15/01/2024;2;2.5;100;7;9\n",
        "MC.PA", {"2024-01-15": (2.5, 100)},
    ),
    "a symbol whose exchange the file's name says": (
        "600519.SS.csv", ",日期,股票代码,收盘\n0,2024-01-02,600519,2.5\n", "600519.SS",
        {"2024-01-02": (2.5, None)},
    ),
    "a symbol whose exchange another column says": (
        "p.csv", "Date,Exchange,Ticker,Close\n2024-01-02,LSE,VOD,2.5\n2024-01-02,XNAS,VOD,9\n", "VOD.L",
        {"2024-01-02": (2.5, None)},
    ),
    "symbols as a terminal writes them": (
        "p.csv", "Dates,AAPL US Equity,VOD LN Equity\n01/15/2024,9.5,2.5\n", "VOD.L",
        {"2024-01-15": (2.5, None)},
    ),
    "fields under symbols as a terminal writes them": (
        "p.csv", ",BRK/B US Equity,BRK/B US Equity\nDates,PX_LAST,PX_VOLUME\n01/15/2024,2.5,100\n", "BRK-B",
        {"2024-01-15": (2.5, 100)},
    ),
    "row numbers without a name, as R writes them": (
        "AAPL.csv", '"Date","Close"\n"1",2024-01-02,2.5\n"2",2024-01-03,3.5\n', "AAPL",
        {"2024-01-02": (2.5, None), "2024-01-03": (3.5, None)},
    ),
    "rows that end with a separator": (
        "AAPL.csv", "Date,Open,High,Low,Close\n2024-01-02,2,3,1,2.5,\n", "AAPL",
        {"2024-01-02": (2.5, None)},
    ),
    "a line of units under the header": (
        "AAPL.csv", "Date,Open,Close,Volume\n,USD,USD,shares\n2024-01-02,2,2.5,100\n", "AAPL",
        {"2024-01-02": (2.5, 100)},
    ),
    "comments before and between the rows": (
        "AAPL.csv", "# mine\n#Date,Close\n2024-01-02,2.5\n# halted, then\n2024-01-03,3.5\n# a, b, c\n",
        "AAPL", {"2024-01-02": (2.5, None), "2024-01-03": (3.5, None)},
    ),
    "a file named after symbol and dates": (
        "BRK-B_2024-01-01_2024-12-31.csv", "Date,Close\n2024-01-02,2.5\n", "BRK-B",
        {"2024-01-02": (2.5, None)},
    ),
    "a file named after symbol and contents": (
        "reliance.ns_daily_prices.csv", "Date,Close\n2024-01-02,2.5\n", "RELIANCE.NS",
        {"2024-01-02": (2.5, None)},
    ),
    "names and dates in Japanese": (
        "7203.T.csv", "日付,始値,終値,出来高\n2024年1月2日,1,2.5,100\n", "7203.T", {"2024-01-02": (2.5, 100)},
    ),
    "names in Korean": (
        "005930.KS.csv", "날짜,종가,시가,고가,저가,거래량\n2024-01-02,2.5,1,3,1,100\n", "005930.KS",
        {"2024-01-02": (2.5, 100)},
    ),
    "names in Dutch": (
        "ASML.AS.csv", '"Datum","Laatst","Hoog","Laag","Vol."\n"15-01-2024","2,5","3","1","1,5K"\n', "ASML.AS",
        {"2024-01-15": (2.5, 1500)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_a_file_of_an_unnamed_kind_is_read(kind, tmp_path):
    name, content, symbol, expected = READ[kind]
    (tmp_path / name).write_text(content, encoding="utf-8")
    bars = fetch(tmp_path / name, symbol).bars
    bars = bars[bars["close"].notna()]
    found = {
        row.trading_date.strftime("%Y-%m-%d"): (
            row.close,
            None if pd.isna(row.volume) else row.volume,
        )
        for _, row in bars.iterrows()
    }
    assert found == expected


REFUSED = {
    "prices in thousands that look like rows that end with a separator": "Date,Close,Volume\n2024-01-02,1,501.51,\n2024-01-03,1,502.25,\n",
    "dates as columns": "Symbol,2024-01-02,2024-01-03\nAAPL,2.5,3.5\n",
    "no dates": "Symbol,Close\nAAPL,2.5\n",
    "no prices": "Date,Symbol,Rating\n2024-01-02,AAPL,buy\n",
    "two prices of one rank": "Date,Price,NAV\n2024-01-02,2.5,3.5\n",
    "rows whose high is not the highest": "2024-01-02,3,1,2,2.5\n" * 3,
    "rows of six numbers": "2024-01-02,1,3,1,2,2,100\n" * 3,
    "two rows without a header": "2024-01-02,2.5\n2024-01-03,3.5\n",
    "prose": "Dear reader,\n\nprices rose, and the date, too.\n",
    "a value a line": "date,variable,value\n2024-01-02,volume,100\n",
    "a list of trades": "Date,Symbol,Action,Quantity,Price\n2024-01-02,AAPL,Buy,5,2.5\n",
    "a list of holdings": "Date,Symbol,Quantity,Value\n2024-01-02,AAPL,5,2.5\n",
    "returns": "Date,Return\n2024-01-02,0.5\n",
    "dividends": "Date,Dividends\n2024-01-02,0.5\n",
    "volumes": "Date,Volume\n2024-01-02,100\n",
    "a bar without a close": "DATE,OPEN,HIGH,LOW\n2024-01-02,1,2,1\n",
    "bid and ask": "Date,Bid,Ask\n2024-01-02,1,2\n",
    "symbols next to a value that is none": "Date,AAPL,Market Cap\n2024-01-02,1,2\n",
    "closes in two currencies": "Date,Close (USD),Close (EUR)\n2024-01-02,1,2\n",
    "two columns of one symbol": "Date,AAPL,aapl\n2024-01-02,2.5,3.5\n",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_leaves_a_doubt_about_its_columns_is_refused_with_its_name(kind, tmp_path):
    path: Path = tmp_path / "AAPL.csv"
    path.write_text(REFUSED[kind], encoding="utf-8")
    with pytest.raises(SourceDataError, match=r"AAPL\.csv"):
        fetch(path, "AAPL")


def test_an_exchange_in_another_column_tells_listings_apart(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text(
        "Date,MIC,Ticker,Close\n2024-01-02,XLON,VOD,2.5\n2024-01-02,XNAS,VOD,9\n"
        "2024-01-02,,MSFT,8\n2024-01-02,MOON,KO,7\n"
    )
    assert CsvSource("k", path).symbols() == ("VOD.L", "VOD", "MSFT", "KO")


@pytest.mark.parametrize("name", ["prices.csv", "data (1).csv", "Historical Data.csv"])
def test_a_file_that_names_no_symbol_at_all_says_how_to_name_one(name, tmp_path):
    (tmp_path / name).write_text("Date,Close\n2024-01-02,2.5\n")
    with pytest.raises(SourceDataError, match=r"whose prices.*such as AAPL\.csv"):
        CsvSource("k", tmp_path / name).symbols()


@pytest.mark.parametrize("empty", ["", "NaN", "-"])
def test_a_column_without_any_value_counts_as_missing(empty, tmp_path):
    path = tmp_path / "AAPL.csv"
    path.write_text(
        f"Date,Open,Close,Adj Close\n2024-01-02,1,2.5,{empty}\n2024-01-03,1,3,{empty}\n"
    )
    found = fetch(path, "AAPL")
    assert found.missing == ("high", "low", "adj_close", "volume")
    assert found.bars["adj_close"].tolist() == [2.5, 3]


def test_files_with_and_without_adjusted_close_are_not_joined(tmp_path):
    (tmp_path / "a.csv").write_text("Symbol,Date,Close,Adj Close\nAAPL,2024-01-02,2.5,2.25\n")
    (tmp_path / "b.csv").write_text("Symbol,Date,Close\nAAPL,2024-01-03,2.5\n")
    with pytest.raises(SourceDataError, match=r"AAPL: .*b\.csv has no adjusted close.*a\.csv has"):
        fetch(tmp_path, "AAPL")


@pytest.mark.parametrize(
    ("written", "expected"),
    [("EUR", "EUR"), ("GBX", "GBp"), ("GBp", "GBp"), ("GBP", "GBP"), ("bitcoin", None), ("", None)],
)
def test_a_column_of_currencies_states_the_currency(written, expected, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text(
        f"Date,Symbol,Currency,Close\n2024-01-02,VOD.L,{written},2.5\n2024-01-02,KO,USD,9\n"
    )
    assert fetch(path, "VOD.L").currency == expected
    assert fetch(path, "KO").currency == "USD"
    parquet = tmp_path / "p.parquet"
    pd.read_csv(path, keep_default_na=False).to_parquet(parquet)
    assert fetch(parquet, "VOD.L").currency == expected


def test_prices_of_one_symbol_in_two_currencies_are_refused_with_the_line(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text(
        "Date,Symbol,Currency,Close\n2024-01-02,KO,USD,9\n2024-01-03,KO,EUR,8\n2024-01-03,PG,EUR,8\n"
    )
    with pytest.raises(SourceDataError, match=r"p\.csv, line 3: prices in EUR after prices in USD"):
        fetch(path, "KO")
    assert fetch(path, "PG").currency == "EUR"
    (tmp_path / "KO.csv").write_text("Date,Close,Currency\n2024-01-02,9,USD\n2024-01-03,8,GBp\n")
    with pytest.raises(SourceDataError, match="prices in GBp after prices in USD"):
        fetch(tmp_path / "KO.csv", "KO")
