from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi_forecast.market.bars import BAR_COLUMNS, PRICE_COLUMNS
from roi_forecast.market.restatement import RESTATEMENT_TOLERANCE, find_restatement

FIELDS = ("close", "adj_close")


def bars(days: int = 10) -> pd.DataFrame:
    closes = 100.0 + np.arange(days)
    prices = {name: closes.copy() for name in PRICE_COLUMNS}
    dates = pd.date_range("2024-12-02", periods=days, freq="B")
    return pd.DataFrame({"trading_date": dates, **prices, "volume": 1000})[list(BAR_COLUMNS)]


def restated(names: list[str], before: int, factor: float) -> pd.DataFrame:
    changed = bars()
    changed.loc[: before - 1, names] *= factor
    return changed


def test_equal_bars_are_no_restatement() -> None:
    assert find_restatement("TCS.NS", bars(), bars()) is None


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("before", [1, 5, 10])
def test_a_restatement_shows_in_one_of_the_two_prices_alone(name: str, before: int) -> None:
    found = find_restatement("TCS.NS", bars(), restated([name], before, 0.5))
    assert found is not None
    assert found.compared_on == date(2024, 12, 2)
    ratios = {"close": found.close_ratio, "adj_close": found.adj_close_ratio}
    assert ratios == dict.fromkeys(FIELDS, 1.0) | {name: 0.5}


@pytest.mark.parametrize("lacking", ["open", "high", "low", "volume"])
@pytest.mark.parametrize("name", FIELDS)
def test_the_oldest_bar_counts_where_it_lacks_other_values(name: str, lacking: str) -> None:
    # A split on the second day of the overlap: the first bar alone is of the new scale.
    fetched = restated([name], 1, 0.1)
    fetched[lacking] = fetched[lacking].astype("float64")
    fetched.loc[0, lacking] = np.nan
    found = find_restatement("TCS.NS", bars(), fetched)
    assert found is not None
    assert found.compared_on == date(2024, 12, 2)


@pytest.mark.parametrize("lacking", FIELDS)
def test_each_price_is_compared_in_the_oldest_bar_that_has_it(lacking: str) -> None:
    (other,) = set(FIELDS) - {lacking}
    fetched = restated([other], 1, 0.1)
    fetched.loc[0, lacking] = np.nan
    assert find_restatement("TCS.NS", bars(), fetched) is not None
    fetched = restated([lacking], 2, 0.1)
    fetched.loc[0, lacking] = np.nan
    found = find_restatement("TCS.NS", bars(), fetched)
    assert found is not None
    assert found.compared_on == date(2024, 12, 3)


def test_bars_in_any_order_are_compared_oldest_first() -> None:
    fetched = restated(["close"], 1, 0.5)
    assert find_restatement("TCS.NS", bars(), fetched[::-1]) is not None


def test_a_corrected_later_bar_is_no_restatement() -> None:
    corrected = bars()
    corrected.loc[4, list(FIELDS)] *= 2
    assert find_restatement("TCS.NS", bars(), corrected) is None


def test_bars_of_other_dates_are_not_compared() -> None:
    later = bars(20).iloc[10:]
    assert find_restatement("TCS.NS", bars(), later) is None


@given(st.floats(0.001, 1000), st.sampled_from(FIELDS))
def test_any_factor_beyond_the_tolerance_is_seen(factor: float, name: str) -> None:
    found = find_restatement("TCS.NS", bars(), restated([name], 10, factor))
    if abs(factor - 1) > 2 * RESTATEMENT_TOLERANCE:
        assert found is not None
    elif abs(factor - 1) < RESTATEMENT_TOLERANCE / 2:
        assert found is None
