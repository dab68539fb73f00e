"""Forecasts against outcomes: of one asset, and of all by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import accumulate

from roi_forecast.reading.forecasts import Outcome
from roi_forecast.reading.track_record import Tally
from roi_web.explorable.chart import Chart, Level, Ranges, Values
from roi_web.formatting import count

OUTCOMES_SHOWN_FIRST = 60


def explorable_outcomes(name: str, outcomes: Sequence[Outcome]) -> Chart:
    """Return each actual ROI of an asset next to its forecast and its interval.

    Args:
        name: The asset, for the title.
        outcomes: Of forecasts of the next session.
    """
    rows = sorted(outcomes, key=lambda row: (row.target_date, row.created_at))
    dates = [row.target_date for row in rows]

    def intervals(name: str, *, backfill: bool) -> Ranges:
        mine = [row if row.backfill is backfill else None for row in rows]
        return Ranges(
            name=name,
            kind="intervals",
            colour="narrow",
            lower=[row and row.lower_80_pct for row in mine],
            upper=[row and row.upper_80_pct for row in mine],
            pale=backfill,
        )

    def actual(name: str, *, inside: bool) -> Values:
        return Values(
            name=name,
            kind="points",
            colour="point" if inside else "miss",
            values=[row.realised_roi_pct if row.inside_80 is inside else None for row in rows],
        )

    series: list[Values | Ranges] = [
        intervals("80 % interval of a backfill", backfill=True),
        intervals("80 % interval", backfill=False),
        Values(
            name="Forecast",
            kind="dashed",
            colour="price",
            values=[row.predicted_roi_pct for row in rows],
        ),
        actual("Actual, inside", inside=True),
        actual("Actual, outside", inside=False),
    ]
    return Chart(
        title=f"{name}: forecasts of the next session and actual ROI",
        unit="%",
        signed=True,
        dates=dates,
        series=[
            each
            for each in series
            if any(value is not None for column in each.columns for value in column)
        ],
        notes=[_circumstances(row) for row in rows],
        first_shown=dates[-min(OUTCOMES_SHOWN_FIRST, len(dates))] if dates else None,
    )


def explorable_coverage(name: str, days: Mapping[date, Tally]) -> Chart:
    """Return for each target date the share of the assets within their 80 % interval."""
    return Chart(
        title=f"{name}: share of assets within their 80 % interval",
        unit="%",
        digits=1,
        dates=list(days),
        series=[
            Values(
                name="Inside",
                kind="bars",
                colour="narrow",
                values=[100 * tally.inside_80 / tally.forecasts for tally in days.values()],
            )
        ],
        notes=[
            f"{tally.inside_80} of {count(tally.forecasts, 'forecast')}" for tally in days.values()
        ],
        level=Level(name="80 % claimed", value=80.0),
        limits=(0.0, 100.0),
    )


def explorable_advantage(name: str, days: Mapping[date, Tally]) -> Chart:
    """Return how much closer than zero the forecasts were, added up over the target dates."""
    gains = [tally.absolute_error_of_zero - tally.absolute_error for tally in days.values()]
    return Chart(
        title=f"{name}: mean absolute error of zero minus that of the forecasts, added up",
        unit="percentage points",
        digits=3,
        signed=True,
        dates=list(days),
        series=[
            Values(name="Added up", kind="line", colour="price", values=list(accumulate(gains)))
        ],
        level=Level(name="as good as zero", value=0.0),
    )


def _circumstances(row: Outcome) -> str | None:
    words = [
        *(["backfill: made after the session opened"] if row.backfill else ()),
        *(["no bar on this date: price carried forward"] if row.filled_target else ()),
        *([f"without {', '.join(row.missing_context)}"] if row.missing_context else ()),
    ]
    return "; ".join(words) or None
