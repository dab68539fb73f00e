from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi_forecast.reading.forecasts import Forecast, Outcome
from roi_forecast.reading.histories import PriceHistory
from roi_forecast.reading.track_record import Tally
from roi_web.charts.intervals import interval_bar, shared_scale
from roi_web.charts.outcomes import advantage_chart, calibration_chart, coverage_chart, hit_chart
from roi_web.charts.prices import price_chart, sparkline
from roi_web.formatting import ABSENT, MINUS, number, percent, share, signed
from roi_web.svg import Scale, element, round_up

DAY = date(2026, 11, 20)


def forecast(
    middle: float = 0.1, half: float = 1.5, horizon: int = 1, **changes: object
) -> Forecast:
    values = {
        "model_name": "reference",
        "symbol": "GC=F",
        "name": "Gold",
        "as_of_date": DAY,
        "target_date": DAY + timedelta(days=horizon),
        "horizon": horizon,
        "predicted_roi_pct": middle,
        "lower_80_pct": middle - half,
        "upper_80_pct": middle + half,
        "lower_95_pct": middle - 2 * half,
        "upper_95_pct": middle + 2 * half,
        "predicted_smoothed_roi_pct": 0.0,
        "source": "yahoo",
        "simulated": False,
        "backfill": False,
        "gap_roi_pct": 0.8 * middle if horizon == 1 else None,
        "open_to_close_roi_pct": 0.2 * middle if horizon == 1 else None,
        "missing_context": [],
        "version_id": "v",
        "created_at": datetime(2026, 11, 20, 23, tzinfo=UTC),
    }
    return Forecast.model_validate(values | changes)


def outcome(realised: float, day: date, *, inside: bool, backfill: bool = False) -> Outcome:
    return Outcome(
        model_name="reference", symbol="GC=F", as_of_date=day - timedelta(days=1),
        target_date=day, horizon=1, predicted_roi_pct=0.1,
        lower_80_pct=-1.4, upper_80_pct=1.6, lower_95_pct=-2.9, upper_95_pct=3.1,
        realised_roi_pct=realised,
        error_pct=realised - 0.1, direction_hit=realised > 0, inside_80=inside, inside_95=True,
        gap_roi_pct=0.1, open_to_close_roi_pct=0.0, realised_gap_pct=None,
        realised_open_to_close_pct=None, missing_context=[],
        filled_target=False, source="yahoo", simulated=False, backfill=backfill, version_id="v",
        created_at=datetime(2026, 11, 20, 23, tzinfo=UTC),
    )  # fmt: skip


def tally(inside_80: int, error: float, zero: float, forecasts: int = 10) -> Tally:
    return Tally(forecasts, inside_80, forecasts, forecasts, 5, forecasts * error, forecasts * zero)


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{svg}</div>")


def shares(svg: str, kind: str, attribute: str) -> list[float]:
    return [
        float(found.get(attribute, "").removesuffix("%")) / 100
        for found in drawn(svg).iter()
        if found.get("class") == kind
    ]


def test_interval_bar_is_at_its_bounds_on_the_shared_scale() -> None:
    scale = Scale(-4, 4, 0.0, 1.0)
    svg = interval_bar(forecast(middle=0.0, half=1.0), scale)
    assert shares(svg, "interval-80", "x") == [pytest.approx(3 / 8, abs=1e-4)]
    assert shares(svg, "interval-80", "width") == [pytest.approx(2 / 8, abs=1e-4)]
    assert shares(svg, "interval-95", "width") == [pytest.approx(4 / 8, abs=1e-4)]
    assert shares(svg, "point", "cx") == [0.5]
    assert "beyond" not in svg


def test_interval_bar_names_the_parts_of_the_next_session_only() -> None:
    scale = Scale(-4, 4, 0.0, 1.0)
    words = "forecast +1.00 %, opening gap +0.80 %, open to close +0.20 %; 80 %"
    assert words in interval_bar(forecast(middle=1.0), scale)
    assert "opening gap" not in interval_bar(forecast(middle=1.0, horizon=5), scale)


def test_interval_beyond_the_scale_is_cut_and_marked() -> None:
    svg = interval_bar(forecast(middle=0.0, half=9.0), Scale(-4, 4, 0.0, 1.0))
    assert svg.count('class="beyond"') == 2
    assert shares(svg, "interval-95", "width") == [1.0]


def test_shared_scale_fits_all_but_the_widest_and_is_symmetric() -> None:
    rows = [forecast(middle=0.0, half=1.0)] * 99 + [forecast(middle=0.0, half=50.0)]
    scale = shared_scale(rows)
    assert scale.high == -scale.low
    assert 2 <= scale.high < 10


@given(st.lists(st.floats(0.01, 30), max_size=30))
def test_shared_scale_always_has_a_range(halves: list[float]) -> None:
    scale = shared_scale([forecast(middle=0.0, half=half) for half in halves])
    assert scale.high > 0
    assert 0.0 in scale.ticks(4)


def history(prices: list[float]) -> PriceHistory:
    dates = [DAY - timedelta(days=offset) for offset in range(len(prices))]
    return PriceHistory(tuple(reversed(dates)), tuple(prices))


def test_fan_has_a_step_for_each_horizon_and_its_bounds_in_prices() -> None:
    ahead = [forecast(horizon=horizon, half=float(horizon)) for horizon in (1, 2, 5)]
    svg = price_chart(history([100.0, 101.0, 100.0]), ahead)
    fan = next(found for found in drawn(svg).iter() if found.get("class") == "fan-80")
    points = re.findall(r"([\d.]+) ([\d.]+)", fan.get("d", ""))
    assert len(points) == 2 * (1 + len(ahead))
    across = [float(x) for x, _ in points[:4]]
    assert across[1] - across[0] == pytest.approx((across[3] - across[0]) / 5, abs=0.2)
    below = [float(y) for _, y in points[:4]]
    assert below == sorted(below), "the lower bound falls, and falling is downward"
    assert f"80 % interval {MINUS}4.9 % to +5.1 %" in svg


def test_price_chart_without_forecast_and_flat_prices_still_draws() -> None:
    svg = price_chart(history([5.0, 5.0]), [])
    assert "nan" not in svg
    assert "today" in svg


def test_sparkline_needs_two_prices() -> None:
    assert "no prices" in sparkline(None, forecast())
    assert "no prices" in sparkline(history([1.0]), forecast())
    assert "<svg" in sparkline(history([1.0, 2.0]), forecast())


def test_hits_are_discs_and_misses_diamonds() -> None:
    days = [DAY - timedelta(days=offset) for offset in range(3)]
    outcomes = [
        outcome(0.2, days[0], inside=True),
        outcome(-3.0, days[1], inside=False),
        outcome(0.1, days[2], inside=True, backfill=True),
    ]
    svg = hit_chart(outcomes)
    assert svg.count('class="hit"') == 2
    assert svg.count('class="miss"') == 1
    assert svg.count('class="backfill"') == 1
    assert "2 of 3 actual ROIs lay within the 80 % interval" in svg


def test_coverage_columns_are_as_tall_as_the_share_inside() -> None:
    svg = coverage_chart({DAY: tally(7, 1.0, 1.0)})
    heights = [
        float(found.get("height", ""))
        for found in drawn(svg).iter()
        if found.get("class") in ("inside", "outside")
    ]
    assert heights[0] / sum(heights) == pytest.approx(0.7, abs=1e-3)


def test_advantage_adds_up_the_larger_errors_of_zero() -> None:
    days = {DAY: tally(8, 1.0, 1.5), DAY + timedelta(days=3): tally(8, 1.2, 1.0)}
    assert "0.30 percentage points closer than zero" in advantage_chart(days)
    worse = {DAY: tally(8, 1.5, 1.0)}
    assert "0.50 percentage points further off than zero" in advantage_chart(worse)


@pytest.mark.parametrize("inside", [0, 5, 10])
def test_calibration_describes_the_shares(inside: int) -> None:
    svg = calibration_chart(tally(inside, 1.0, 1.0))
    assert f"of the 80 % intervals {10 * inside}.0 % held" in svg
    assert "nan" not in svg


@given(st.floats(1e-6, 1e9))
def test_round_up_is_the_next_round_number(value: float) -> None:
    rounded = round_up(value)
    assert value * (1 - 1e-6) <= rounded <= value * 2.5 * (1 + 1e-6)


def test_attributes_and_text_are_escaped() -> None:
    assert element("text", '<b>"', title='"><script>') == (
        '<text title="&#34;&gt;&lt;script&gt;">&lt;b&gt;&#34;</text>'
    )


def test_numbers_have_real_minus_signs_and_no_negative_zero() -> None:
    assert number(-1234.5, 1) == f"{MINUS}1,234.5"
    assert number(-0.001) == "0.00"
    assert signed(0.004) == "0.00"
    assert signed(0.005, 3) == "+0.005"
    assert percent(None) == percent(float("nan")) == ABSENT
    assert share(1, 3) == "33.3 %"
    assert share(1, 0) == ABSENT
