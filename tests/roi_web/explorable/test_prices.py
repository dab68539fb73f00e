from __future__ import annotations

from datetime import date, timedelta

import pytest

from roi_forecast.reading.forecasts import Forecast
from roi_forecast.reading.histories import PriceHistory
from roi_web.explorable.chart import Chart, Ranges, Values
from roi_web.explorable.prices import explorable_prices, price_digits

FRIDAY = date(2026, 11, 20)


def forecast(horizon: int, target_date: date) -> Forecast:
    bounds = {"lower_95_pct": -4, "lower_80_pct": -2, "upper_80_pct": 3, "upper_95_pct": 5}
    return Forecast.model_construct(
        as_of_date=FRIDAY, target_date=target_date, horizon=horizon, predicted_roi_pct=1, **bounds
    )


def history(days: int, last: date = FRIDAY, price: float = 200.0) -> PriceHistory:
    dates = tuple(last - timedelta(days=offset) for offset in reversed(range(days)))
    return PriceHistory(dates, (*(1.0,) * (days - 1), price))


def series(chart: Chart, name: str) -> dict[str, list[tuple[date, float]]]:
    (found,) = (each for each in chart.series if each.name == name)
    columns = (
        {"values": found.values}
        if isinstance(found, Values)
        else {"lower": found.lower, "upper": found.upper}
    )
    return {
        key: [(day, value) for day, value in zip(chart.dates, column, strict=True) if value]
        for key, column in columns.items()
    }


def test_fan_opens_at_the_last_known_price_and_has_each_horizon_at_its_date() -> None:
    ahead = [forecast(1, date(2026, 11, 23)), forecast(5, date(2026, 11, 27))]
    chart = explorable_prices("GC=F", "USD", history(3), ahead)

    assert series(chart, "80 % interval") == {
        "lower": [
            (FRIDAY, 200.0),
            (date(2026, 11, 23), pytest.approx(196.0)),
            (date(2026, 11, 27), pytest.approx(196.0)),
        ],
        "upper": [
            (FRIDAY, 200.0),
            (date(2026, 11, 23), pytest.approx(206.0)),
            (date(2026, 11, 27), pytest.approx(206.0)),
        ],
    }
    assert series(chart, "95 % interval")["upper"][-1][1] == pytest.approx(210.0)
    assert series(chart, "Forecast")["values"][-1][1] == pytest.approx(202.0)
    assert series(chart, "Adjusted close")["values"][-1] == (FRIDAY, 200.0)
    assert chart.unit == "USD"
    assert chart.title == "GC=F: adjusted close and forecast from Fri 20 Nov 2026"


def test_later_prices_lie_next_to_the_forecasts_and_do_not_move_them() -> None:
    later = PriceHistory((FRIDAY, date(2026, 11, 23)), (200.0, 300.0))
    chart = explorable_prices("GC=F", None, later, [forecast(1, date(2026, 11, 23))])
    assert chart.dates == [FRIDAY, date(2026, 11, 23)]
    assert series(chart, "Forecast")["values"][-1][1] == pytest.approx(202.0)
    assert series(chart, "Adjusted close")["values"][-1][1] == 300.0


@pytest.mark.parametrize("ahead", [[], [forecast(1, date(2026, 11, 23))]])
def test_prices_without_a_forecast_from_one_of_them_have_no_fan(ahead: list[Forecast]) -> None:
    chart = explorable_prices("GC=F", "USD", history(3, last=date(2026, 11, 30)), ahead)
    assert [each.name for each in chart.series] == ["Adjusted close"]
    assert not any(isinstance(each, Ranges) for each in chart.series)


def test_chart_has_all_prices_and_first_shows_the_last_120() -> None:
    chart = explorable_prices("GC=F", "USD", history(3000), [])
    assert len(chart.dates) == 3000
    assert chart.first_shown == FRIDAY - timedelta(days=119)
    assert explorable_prices("GC=F", "USD", history(3), []).first_shown == chart.dates[-3]


@pytest.mark.parametrize(
    ("price", "digits"),
    [(25_000.0, 2), (10.0, 2), (9.99, 4), (1.08, 4), (0.5, 5), (0.00001234, 9), (-37.6, 2), (0, 2)],
)
def test_small_prices_have_more_digits(price: float, digits: int) -> None:
    assert price_digits(price) == digits
