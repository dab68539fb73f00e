"""Rows that are not one bar a trading date are refused, never taken for daily bars."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.sources.csv_files.test_formats import fetch
from roi_forecast.errors import SourceDataError
from roi_forecast.market.calendars import sessions
from roi_forecast.market.sources.csv_files import understand
from roi_forecast.universe import load_universe


def write(path: Path, times: pd.DatetimeIndex, style: str = "%Y-%m-%d %H:%M:%S") -> Path:
    rows = [f"{time:{style}},{100 + at / 8}" for at, time in enumerate(times)]
    path.write_text("\n".join(["Date,Close", *rows]) + "\n")
    return path


SPARSE = {
    "weekly": pd.date_range("2023-01-02", periods=30, freq="7D"),
    "monthly": pd.date_range("2020-01-01", periods=30, freq="MS"),
    "quarterly": pd.date_range("2000-03-31", periods=30, freq="QE"),
}


@pytest.mark.parametrize("kind", SPARSE)
def test_bars_of_longer_periods_are_refused(kind, tmp_path):
    path = write(tmp_path / "AAPL.csv", SPARSE[kind])
    with pytest.raises(SourceDataError, match=r"AAPL\.csv, line 2: dates are \d+ days apart"):
        fetch(path, "AAPL")
    assert "expected daily bars" in understand(path)[0].symbols[0].faults[0]


@pytest.mark.parametrize("step", ["min", "30min", "h", "4h"])
def test_bars_of_parts_of_a_day_are_refused(step, tmp_path):
    path = write(tmp_path / "AAPL.csv", pd.date_range("2024-01-02 01:00", periods=100, freq=step))
    with pytest.raises(
        SourceDataError, match=r"line 3: two different bars of 2024-01-02, .* line 2"
    ):
        fetch(path, "AAPL")
    assert "build daily bars" in understand(path)[0].symbols[0].faults[0]


@pytest.mark.parametrize(
    ("symbol", "zone"), [("SAP.DE", "Europe/Berlin"), ("7203.T", "Asia/Tokyo")]
)
def test_dates_a_day_off_are_refused_where_midnight_lost_its_zone(symbol, zone, tmp_path):
    days = sessions(load_universe().asset(symbol).exchange, date(2024, 1, 2), date(2024, 6, 28))
    utc = days.tz_localize(zone).tz_convert("UTC")
    path = write(tmp_path / f"{symbol}.csv", utc)
    with pytest.raises(SourceDataError, match="dates on Sunday and none on Friday: a day off"):
        fetch(path, symbol)
    with_zone = write(tmp_path / f"{symbol}.csv", utc, "%Y-%m-%d %H:%M:%S+00:00")
    assert fetch(with_zone, symbol).bars["trading_date"].tolist() == days.tolist()


def test_the_weeks_of_exchanges_are_their_own(tmp_path):
    week = pd.bdate_range("2025-01-05", "2025-06-26", freq="C", weekmask="Sun Mon Tue Wed Thu")
    assert len(fetch(write(tmp_path / "LUMI.TA.csv", week), "LUMI.TA").bars) == len(week)
    every_day = pd.date_range("2024-01-01", periods=60)
    assert len(fetch(write(tmp_path / "BTC-USD.csv", every_day), "BTC-USD").bars) == 60


def test_saturdays_of_old_times_are_no_fault(tmp_path):
    days = pd.date_range("1950-01-02", "1953-12-31")
    days = days[(days.day_of_week < 5) | ((days < "1952-06-01") & (days.day_of_week == 5))]
    assert understand(write(tmp_path / "IBM.csv", days))[0].symbols[0].faults == ()


@settings(max_examples=30, deadline=None)
@given(
    keep=st.lists(st.booleans(), min_size=120, max_size=120).filter(lambda kept: sum(kept) > 60),
    random=st.randoms(use_true_random=False),
)
def test_daily_bars_with_gaps_and_repetitions_are_read_whole(keep, random, tmp_path_factory):
    days = sessions(load_universe().asset("AAPL").exchange, date(2024, 1, 2), date(2024, 6, 24))
    days = days[[kept for kept, _ in zip(keep, days, strict=False)]]
    rows = [f"{day:%Y-%m-%d},{100 + at / 8}" for at, day in enumerate(days)]
    rows += random.choices(rows, k=3)
    random.shuffle(rows)
    path = tmp_path_factory.mktemp("csv") / "AAPL.csv"
    path.write_text("\n".join(["Date,Close", *rows]) + "\n")
    bars = fetch(path, "AAPL").bars
    assert bars["trading_date"].tolist() == days.tolist()
    assert bars["close"].tolist() == [100 + at / 8 for at in range(len(days))]


def test_currencies_of_a_week_that_begins_on_sunday_are_a_day_off(tmp_path):
    week = pd.bdate_range("2024-01-01", "2024-03-29", freq="C", weekmask="Sun Mon Tue Wed Thu")
    with pytest.raises(SourceDataError, match="none on Friday"):
        fetch(write(tmp_path / "EURUSD=X.csv", week), "EURUSD=X")
    six = pd.bdate_range("2024-01-01", "2024-03-29", freq="C", weekmask="Sun Mon Tue Wed Thu Fri")
    assert len(fetch(write(tmp_path / "EURUSD=X.csv", six), "EURUSD=X").bars) == len(six)
