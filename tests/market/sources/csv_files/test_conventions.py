"""No file is read as other numbers than were written: it is read right, or refused."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roi_forecast.errors import SourceDataError
from roi_forecast.market.sources.csv_files import Conventions, CsvSource
from roi_forecast.universe import load_universe

AAPL = load_universe().asset("AAPL")
FIRST, LAST = date(2000, 1, 1), date(2025, 12, 31)
NAMES = ("Date", "Open", "High", "Low", "Close", "Volume")
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

DATES = {
    "iso": "{0:%Y-%m-%d}",
    "slashes, year first": "{0:%Y/%m/%d}",
    "points, year first": "{0:%Y.%m.%d}",
    "compact": "{0:%Y%m%d}",
    "name": "{0.day:02d}-{1}-{0.year}",
    "capital name": "{0.day:02d}-{2}-{0.year}",
    "name first": "{1} {0.day:02d}, {0.year}",
    "short year": "{0.day:02d}-{1}-{0:%y}",
    "day first": "{0:%d/%m/%Y}",
    "day first, dashes": "{0:%d-%m-%Y}",
    "month first": "{0:%m/%d/%Y}",
    "without zeros": "{0.month}/{0.day}/{0.year}",
    "points": "{0:%d.%m.%Y}",
    "time": "{0:%d/%m/%Y} 16:00:00",
    "midnight elsewhere": "{0:%Y-%m-%d} 00:00:00+05:30",
}
OPEN_DATES = {"day first", "day first, dashes", "month first", "without zeros", "time"}
NUMBERS = {
    "point": (".", ""),
    "comma": (",", ""),
    "grouped by comma": (".", ","),
    "grouped by point": (",", "."),
    "grouped by space": (",", " "),
    "grouped by narrow space": (",", "\u202f"),
    "grouped by apostrophe": (".", "'"),
    "Indian": (".", "lakh"),
}
CURRENCIES = ["{}", "${}", "€ {}", "{} €", "₹{}", "Rs. {}", " {} "]


def written_date(day: date, style: str) -> str:
    name = MONTHS[day.month - 1]
    return DATES[style].format(day, name, name.upper())


def written_number(value: float, places: int, style: str) -> str:
    mark, group = NUMBERS[style]
    whole, _, rest = f"{value:.{places}f}".partition(".")
    if group == "lakh":
        head, tail = whole[:-3], whole[-3:]
        parts = [tail]
        while head:
            parts.insert(0, head[-2:])
            head = head[:-2]
        whole = ",".join(parts)
    elif group:
        whole = f"{int(whole):,}".replace(",", group)
    return whole + (mark + rest if rest else "")


def write(path: Path, rows: list[list[str]], separator: str, *, encoding: str = "utf-8") -> None:
    lines = [separator.join(NAMES)]
    for row in rows:
        quoted = [f'"{text}"' if separator in text or " " in text else text for text in row]
        lines.append(separator.join(quoted))
    path.write_text("\n".join(lines) + "\n", encoding=encoding)


@st.composite
def bars(draw: st.DrawFn) -> dict[date, tuple[float, ...]]:
    places = draw(st.integers(0, 4))
    price = st.integers(1, 10 ** draw(st.integers(1, 8))).map(
        lambda n: round(n / 10**places, places)
    )
    # Days that are close together leave more open than days of a whole year.
    first = draw(st.dates(FIRST, date(2025, 1, 1)))
    day = st.integers(0, draw(st.sampled_from([5, 30, 300]))).map(lambda n: first + timedelta(n))
    volume = st.integers(0, 10 ** draw(st.integers(1, 9)))
    values = st.tuples(price, price, price, price, volume)
    return draw(st.dictionaries(day, values, min_size=1, max_size=9)) | {"places": places}  # type: ignore[dict-item]


@settings(max_examples=400, deadline=None)
@given(
    drawn=bars(),
    dates=st.sampled_from(sorted(DATES)),
    numbers=st.sampled_from(sorted(NUMBERS)),
    currency=st.sampled_from(CURRENCIES),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]),
)
def test_what_is_written_in_any_convention_is_read_back_or_refused_with_the_parameter(
    drawn, dates, numbers, currency, separator, encoding, tmp_path_factory
):
    places = drawn["places"]
    written = {day: values for day, values in drawn.items() if day != "places"}
    rows = [
        [
            written_date(day, dates),
            *(currency.format(written_number(v, places, numbers)) for v in values[:4]),
            written_number(values[4], 0, numbers),
        ]
        for day, values in written.items()
    ]
    path = tmp_path_factory.mktemp("csv") / "AAPL.csv"
    write(path, rows, separator, encoding=encoding)
    source = CsvSource("csv:k", path)
    try:
        read = source.fetch(AAPL, FIRST, LAST).bars
    except SourceDataError as error:
        assert "csv_dates" in str(error) or "csv_decimal" in str(error)
        assert dates in OPEN_DATES or "csv_dates" not in str(error)
        settled = Conventions(
            "month_first" if dates in {"month first", "without zeros"} else "day_first",
            "comma" if NUMBERS[numbers][0] == "," else "point",
        )
        read = CsvSource("csv:k", path, conventions=settled).fetch(AAPL, FIRST, LAST).bars
    columns = ["open", "high", "low", "close", "volume"]
    found = {row.trading_date.date(): tuple(row[name] for name in columns)
             for _, row in read.iterrows()}  # fmt: skip
    assert found == {day: tuple(map(float, values)) for day, values in written.items()}


def file_of(tmp_path: Path, *rows: str, separator: str = ",") -> Path:
    path = tmp_path / "AAPL.csv"
    path.write_text("\n".join([separator.join(NAMES), *rows]) + "\n", encoding="utf-8")
    return path


def closes(path: Path, conventions: Conventions = Conventions()) -> dict[str, float]:  # noqa: B008
    bars = CsvSource("k", path, conventions=conventions).fetch(AAPL, FIRST, LAST).bars
    return dict(zip(bars["trading_date"].dt.strftime("%Y-%m-%d"), bars["close"], strict=True))


def dated(tmp_path: Path, *dates: str) -> Path:
    rows = [f"{text};1.5;1.5;1.5;{n}.5;1000" for n, text in enumerate(dates, 1)]
    return file_of(tmp_path, *rows, separator=";")


def priced(tmp_path: Path, *values: str, volume: str = "") -> Path:
    rows = [f"2024-01-{n:02d};{v};{v};{v};{v};{volume}" for n, v in enumerate(values, 1)]
    return file_of(tmp_path, *rows, separator=";")


def test_ten_dates_that_fit_both_orders_are_refused_with_two_examples(tmp_path):
    path = dated(tmp_path, *(f"0{n}/02/2024" for n in range(1, 10)))
    with pytest.raises(SourceDataError, match=r"line 2: date is '01/02/2024'.*line 3.*csv_dates"):
        closes(path)
    assert list(closes(path, Conventions("day_first")))[:2] == ["2024-02-01", "2024-02-02"]
    assert list(closes(path, Conventions("month_first")))[:2] == ["2024-01-02", "2024-02-02"]


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["01/02/2024", "13/02/2024"], ["2024-02-01", "2024-02-13"]),
        (["01/02/2024", "02/13/2024"], ["2024-01-02", "2024-02-13"]),
        (["01.02.2024", "02.02.2024"], ["2024-02-01", "2024-02-02"]),
        (["02-JAN-2024", "03-Feb-24"], ["2024-01-02", "2024-02-03"]),
        (["Jan 02 2024", "January 3, 2024"], ["2024-01-02", "2024-01-03"]),
        (["2 janvier 2024", "3 févr. 2024"], ["2024-01-02", "2024-02-03"]),
        (["2. März 2024", "3. Dez. 2024"], ["2024-03-02", "2024-12-03"]),
        (["Tue 02 Jan 2024", "Wed, Jan 3, 2024"], ["2024-01-02", "2024-01-03"]),
        (["20240102", "20240103"], ["2024-01-02", "2024-01-03"]),
        (["20240102 000000", "20240103093000"], ["2024-01-02", "2024-01-03"]),
        (["1704205800", "1704292200"], ["2024-01-02", "2024-01-03"]),
        (["1704205800000", "1704292200000.0"], ["2024-01-02", "2024-01-03"]),
        (["1704205800000000", "1704292200000000"], ["2024-01-02", "2024-01-03"]),
        (["1704205800000000000", "1704292200000000000"], ["2024-01-02", "2024-01-03"]),
        (["1704153600", "1704240000"], ["2024-01-02", "2024-01-03"]),
        (["2024-01-02T23:30:00-05:00", "2024-01-04T04:30Z"], ["2024-01-02", "2024-01-03"]),
        (["03/28/24", "03/01/24"], ["2024-03-01", "2024-03-28"]),
        (["28/03/24", "01/03/24"], ["2024-03-01", "2024-03-28"]),
        (["31.12.03", "02.01.04"], ["2003-12-31", "2004-01-02"]),
        (["1/13/2024 4:00 PM", "1/2/2024 12:30:00 AM"], ["2024-01-02", "2024-01-13"]),
    ],
)  # fmt: skip
def test_dates_are_read_as_the_file_as_a_whole_shows(dates, expected, tmp_path):
    assert list(closes(dated(tmp_path, *dates))) == expected


@pytest.mark.parametrize(
    "text",
    ["02/01/24", "24/01/02", "31.13.2024", "2024-02-30", "45293", "202401020930", "1.7E+12", "x",
     "30 Feb 2024", "02/Foo/2024", "12345678", "1/2/2024 13:00 PM", "2024-01-02T25:00"],
)  # fmt: skip
def test_what_is_no_date_or_leaves_a_doubt_is_refused_with_its_line(text, tmp_path):
    with pytest.raises(SourceDataError, match="line 3: date is"):
        closes(dated(tmp_path, "2024-01-02", text))


@pytest.mark.parametrize("dates", [["24/01/02", "24/01/15"], ["05/06/07", "05/06/13"]])
def test_short_years_that_may_come_first_are_refused_with_the_parameter(dates, tmp_path):
    # 05/06/13 is May or June 13 of 2005, or a day of 2013.
    with pytest.raises(SourceDataError, match="csv_dates"):
        closes(dated(tmp_path, *dates))


def test_where_all_dates_lie_ahead_if_read_one_way_the_other_is_right(tmp_path, monkeypatch):
    package = "roi_forecast.market.sources.csv_files"
    for module in ("values.date_evidence", "symbol_rows"):
        monkeypatch.setattr(f"{package}.{module}.last_date", lambda: date(2024, 6, 30))
    assert list(closes(dated(tmp_path, "03/12/2024", "04/12/2024"))) == ["2024-03-12", "2024-04-12"]
    with pytest.raises(SourceDataError, match="csv_dates"):
        closes(dated(tmp_path, "03/12/2024", "04/05/2024"))


def test_dates_that_contradict_each_other_are_refused_with_both_lines(tmp_path):
    path = dated(tmp_path, "13/02/2024", "01/02/2024", "02/13/2024")
    with pytest.raises(SourceDataError, match=r"'13/02/2024' in line 2 .*'02/13/2024' in line 4"):
        closes(path)
    with pytest.raises(SourceDataError, match="line 4: date is '02/13/2024'"):
        closes(path, Conventions("day_first"))


def test_evidence_counts_from_symbols_that_are_not_asked_for(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("Symbol;Date;Close\nAAPL;01/02/2024;1,234\nMSFT;13/02/2024;12,5\n")
    assert closes(path) == {"2024-02-01": 1.234}


@pytest.mark.parametrize(
    ("values", "volume", "expected"),
    [
        (["1,234.50", "12.5"], "", [1234.5, 12.5]),
        (["1.234,50", "12,5"], "", [1234.5, 12.5]),
        (["1234,567"], "", [1234.567]),
        (["0,234", "1,234"], "", [0.234, 1.234]),
        (["1,23,456.78"], "", [123456.78]),
        (["12,34,567"], "1.5", [1234567]),
        (["1,234,567"], "", [1234567]),
        (["1.234.567", "1.234"], "", [1234567, 1234]),
        (["1.234", "0.987"], "", [1.234, 0.987]),
        (["1.234", "1.235"], "", [1.234, 1.235]),  # an exchange rate
        (["1.234", "1.235"], "12345", [1.234, 1.235]),
        (["998", "1.002", "2500"], "", [998, 1.002, 2500]),
        (["1 234,56", "12\u00a0345,5"], "", [1234.56, 12345.5]),
        (["1'234.50", "12\u2019345.5"], "", [1234.5, 12345.5]),
        (["$1,234.50", "($2.5)"], "", [1234.5, -2.5]),
        (["1,234.5 €", "£3.25"], "", [1234.5, 3.25]),
        (["₹1,23,456.50", "Rs. 12.5"], "", [123456.5, 12.5]),
        (["12.5M", "45K", "1.2B", "3.4 Cr"], "", [12.5e6, 45e3, 1.2e9, 3.4e7]),
        (["12,5M", "45K"], "", [12.5e6, 45e3]),
        (["1.5e3", "-2.5E-1", "+3"], "", [1500, -0.25, 3]),
    ],
)
def test_numbers_are_read_as_the_file_as_a_whole_shows(values, volume, expected, tmp_path):
    assert list(closes(priced(tmp_path, *values, volume=volume)).values()) == expected


@pytest.mark.parametrize(
    ("values", "volume"),
    [
        (["1,234", "2,345"], ""),  # alone, a price of 1.234 or of 1234
        (["1,234", "2,345"], "1,234"),
        (["1.234", "2.345"], "12.345"),  # volumes are whole
        (["998", "1.002"], ""),  # would fall to a thousandth
    ],
)
def test_numbers_that_can_be_read_in_two_ways_are_refused_with_the_parameter(
    values, volume, tmp_path
):
    path = priced(tmp_path, *values, volume=volume)
    with pytest.raises(SourceDataError, match=r"open is .*csv_decimal to point or comma"):
        closes(path)
    point, comma = (closes(path, Conventions(decimal=mark)) for mark in ("point", "comma"))
    assert {point["2024-01-02"], comma["2024-01-02"]} in ({2345, 2.345}, {1002, 1.002})


def test_volumes_in_thousands_next_to_decimal_commas_are_refused_with_both_lines(tmp_path):
    path = priced(tmp_path, "12,5", "13,25", volume="1,234,567")
    with pytest.raises(SourceDataError, match=r"'1,234,567' in line 2 .* point, '12,5' in line 2"):
        closes(path)


@pytest.mark.parametrize(
    "text", ["1.2.3", "1,2,3", "12 34", "1..5", "5%", "0x10", "1e", "1,5,", "$"]
)
def test_a_number_in_a_form_that_nobody_writes_is_refused(text, tmp_path):
    with pytest.raises(SourceDataError, match=r"line 3: open is"):
        closes(priced(tmp_path, "12.5", text))


@pytest.mark.parametrize("text", ["", "-", "—", "N/A", "n.a.", "NaN", "null", "."])
def test_nothing_may_be_written_in_several_ways(text, tmp_path):
    read = closes(priced(tmp_path, "12.5", text))
    assert pd.isna(read["2024-01-02"])
